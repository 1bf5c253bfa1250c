import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { CompiledQuery, sql } from 'kysely'
import type { Settings } from '../../options.ts'
import type { DialectName, OpenDatabase } from '../dialect.ts'
import type { Store } from '../store.ts'

/**
 * Makes the views for people who write SQL. Whatever else has such a name is left alone, and a database that refuses is
 * none the worse: both are warnings, because log-ins do not need the views.
 */
export async function ensureViews(store: Store, settings: Settings): Promise<void> {
  const userId = settings.userLogsUserId
  await ensureView(store, settings, settings.userLogsView, (quote) => userLogs(quote, userId))
  await ensureView(store, settings, settings.userLogEventsView, (quote) => userLogEvents(quote, userId))
}

const ATTEMPTS = 6

type Quote = (name: string) => string

function userLogs(quote: Quote, userId: 'text' | 'integer'): string {
  return `SELECT e.number AS id, e.time_utc AS login_time, ${subjectColumn(userId)} AS user_id, e.ip AS ip_address,
  x.time_utc AS logout_time, x.reason AS end_reason
FROM gatebook_event e
LEFT JOIN gatebook_event x ON x.session_id = e.session_id AND x.${quote('type')} = 'session.ended'
WHERE e.${quote('type')} = 'login.succeeded'`
}

function userLogEvents(quote: Quote, userId: 'text' | 'integer'): string {
  return `SELECT e.number AS id, e.time_utc AS ${quote('time')},
  CASE e.${quote('type')} WHEN 'login.succeeded' THEN 'login' ELSE 'logout' END AS ${quote('event')},
  ${subjectColumn(userId)} AS user_id, e.ip AS ip_address
FROM gatebook_event e
WHERE e.${quote('type')} IN ('login.succeeded', 'session.ended')`
}

function subjectColumn(userId: 'text' | 'integer'): string {
  return userId === 'integer' ? 'e.subject_number' : 'e.subject_id'
}

async function ensureView(
  store: Store,
  settings: Settings,
  name: string,
  define: (quote: Quote) => string,
): Promise<void> {
  if (name === '') return
  const { diagnostics } = settings
  const quote = quoteFor(store.traits.name)
  const definition = define(quote)
  const digest = digestOf(definition)
  const mark = `view:${name}`

  /** False when there is something of this name that was not made here. */
  async function make(): Promise<boolean> {
    // In this order: whoever makes the view has noted it before.
    const present = await relationExists(store.db, store.traits.name, name)
    const known = await store.db.selectFrom('gatebook_meta').select('value').where('name', '=', mark).executeTakeFirst()
    if (present && known === undefined) return false
    if (present && known?.value === digest) return true
    await store.transaction(async ({ db }) => {
      // The note first: its key lets one process at a time through, and MySQL commits before it makes a view.
      await db.deleteFrom('gatebook_meta').where('name', '=', mark).execute()
      await db.insertInto('gatebook_meta').values({ name: mark, value: digest }).execute()
      if (present) await db.executeQuery(CompiledQuery.raw(`DROP VIEW ${quote(name)}`))
      await db.executeQuery(CompiledQuery.raw(`CREATE VIEW ${quote(name)} AS\n${definition}`))
    })
    return true
  }

  try {
    if (await repeat(make)) return
    diagnostics.warn(
      { view: name },
      `There is already a table or view ${name}; it is left alone. Choose another name with userLogsView or userLogEventsView.`,
    )
  } catch (error) {
    diagnostics.warn({ view: name, err: error }, `The view ${name} could not be made. Log-ins do not need it.`)
  }
}

/** Several processes that start at once are in each other's way: on MySQL the note of one is seen before its view. */
async function repeat<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt === ATTEMPTS) throw error
      await sleep(Math.random() * 20 * 2 ** attempt)
    }
  }
}

const EXISTS: Readonly<Record<DialectName, (name: string) => ReturnType<typeof sql<{ found: unknown }>>>> = {
  sqlite: (name) => sql<{ found: unknown }>`SELECT 1 AS found FROM sqlite_master WHERE lower(name) = lower(${name})`,
  postgres: (name) => sql<{ found: unknown }>`SELECT 1 AS found WHERE to_regclass(quote_ident(${name})) IS NOT NULL`,
  mysql: (name) =>
    sql<{
      found: unknown
    }>`SELECT 1 AS found FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ${name}`,
}

async function relationExists(db: Store['db'], engine: DialectName, name: string): Promise<boolean> {
  const { rows } = await EXISTS[engine](name).execute(db)
  return rows.length > 0
}

export type ViewState = 'ok' | 'missing' | 'foreign' | 'outdated'

/** How the views are, without making any. Those that are switched off are left out. */
export async function listViewStates(
  { kysely, traits }: Pick<OpenDatabase, 'kysely' | 'traits'>,
  settings: Settings,
): Promise<readonly { readonly name: string; readonly state: ViewState }[]> {
  const quote = quoteFor(traits.name)
  const views = [
    { name: settings.userLogsView, definition: userLogs(quote, settings.userLogsUserId) },
    { name: settings.userLogEventsView, definition: userLogEvents(quote, settings.userLogsUserId) },
  ]
  const states: { name: string; state: ViewState }[] = []
  for (const { name, definition } of views.filter((view) => view.name !== '')) {
    const present = await relationExists(kysely, traits.name, name)
    const known = await kysely
      .selectFrom('gatebook_meta')
      .select('value')
      .where('name', '=', `view:${name}`)
      .executeTakeFirst()
    const state = !present
      ? 'missing'
      : known === undefined
        ? 'foreign'
        : known.value === digestOf(definition)
          ? 'ok'
          : 'outdated'
    states.push({ name, state })
  }
  return states
}

function quoteFor(engine: DialectName): Quote {
  return (word) => (engine === 'mysql' ? `\`${word}\`` : `"${word}"`)
}

function digestOf(definition: string): string {
  return createHash('sha256').update(definition).digest('hex')
}
