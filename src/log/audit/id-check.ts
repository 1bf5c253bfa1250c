import { sql } from 'kysely'
import { chunks } from '../../store/chunks.ts'
import type { Store } from '../../store/store.ts'
import type { AuditState } from './audit-state.ts'
import type { Report } from './report.ts'

const PAGE = 1024

interface Row {
  readonly id: string
  /** Place of an entry, number of an event. */
  readonly at: number
}

/**
 * Goes through the ids of events and entries side by side, each by its own index: finds events without an entry, and entries
 * that share one. Pauses after each page, when `state.after` says how far it has come.
 */
export async function* checkIds(store: Store, state: AuditState, report: Report): AsyncGenerator<void, void, void> {
  const entries = createIdReader((from, how) =>
    store.read(async (db) => {
      const rows = await db
        .selectFrom('gatebook_entry')
        .select(['event_id', 'log_index'])
        .where('event_id', how, from)
        // By the place as well, MariaDB would sort all that is left for each page.
        .orderBy('event_id')
        .limit(sql.lit(PAGE))
        .execute()
      return rows.map(({ event_id: id, log_index: at }) => ({ id, at: Number(at) }))
    }),
  )
  let lastEntry: Row | null = null
  for (;;) {
    const ids = await readEventIds(store, state.after)
    const strangers: string[] = []
    for (const id of ids) {
      let found = false
      for (let next = await entries.peek(state.after); next !== null && compareIds(next.id, id) <= 0; ) {
        if (lastEntry?.id === next.id) report.add('entry-duplicate', `also entry ${lastEntry.at}`, entryOf(next))
        lastEntry = next
        found ||= next.id === id
        entries.skip()
        next = await entries.peek(state.after)
      }
      if (!found && lastEntry?.id !== id) strangers.push(id)
    }
    for (const id of await confirm(store, strangers)) report.add('event-without-entry', '', { eventId: id })
    if (ids.length < PAGE) break
    state.after = ids.at(-1)!
    yield
  }
  // Entries whose events are gone, which the walk over the entries has looked at, may still share an id.
  for (let next = await entries.peek(state.after); next !== null; next = await entries.peek(state.after)) {
    if (lastEntry?.id === next.id) report.add('entry-duplicate', `also entry ${lastEntry.at}`, entryOf(next))
    lastEntry = next
    entries.skip()
    if (entries.isEmpty()) yield
  }
}

function entryOf({ id, at }: Row): { index: number; eventId: string } {
  return { index: at, eventId: id }
}

/** As every engine orders them: by their bytes. */
function compareIds(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** Rows in the order of their ids. Nothing but an index keeps two of them from sharing one, and whoever writes the database can drop it. */
function createIdReader(read: (from: string, how: '>=' | '>') => Promise<Row[]>) {
  let rows: Row[] = []
  let at = 0
  /** The id that was gone past last, and the places that it has had. */
  let last: { readonly id: string; readonly places: Set<number> } | null = null
  let done = false

  async function readPage(begin: string): Promise<Row[]> {
    // Once more from the id that the page before has ended with, which several may share.
    const page = await read(last?.id ?? begin, last === null ? '>' : '>=')
    done = page.length < PAGE
    const fresh = page.filter(({ id, at }) => id !== last?.id || !last.places.has(at))
    if (fresh.length > 0 || done) return fresh
    const next = await read(last!.id, '>')
    done = next.length < PAGE
    return next
  }
  return {
    async peek(begin: string): Promise<Row | null> {
      while (at >= rows.length && !done) {
        rows = await readPage(begin)
        at = 0
      }
      return rows[at] ?? null
    },
    skip(): void {
      const row = rows[at]!
      if (last?.id === row.id) last.places.add(row.at)
      else last = { id: row.id, places: new Set([row.at]) }
      at += 1
    },
    isEmpty: (): boolean => at >= rows.length,
  }
}

async function readEventIds(store: Store, after: string): Promise<string[]> {
  const rows = await store.read((db) =>
    db.selectFrom('gatebook_event').select('id').where('id', '>', after).orderBy('id').limit(sql.lit(PAGE)).execute(),
  )
  return rows.map(({ id }) => id)
}

/** Those that are still there, and neither in the log nor in the queue: what moves between the two is looked for again. */
async function confirm(store: Store, ids: readonly string[]): Promise<readonly string[]> {
  const without: string[] = []
  for (const chunk of chunks(ids)) {
    const known = new Set<string>()
    const addEntries = async (): Promise<void> => {
      const rows = await store.read((db) =>
        db.selectFrom('gatebook_entry').select('event_id').where('event_id', 'in', chunk).execute(),
      )
      for (const { event_id: id } of rows) known.add(id)
    }
    await addEntries()
    const queued = await store.read((db) =>
      db.selectFrom('gatebook_queue').select('event_id').where('event_id', 'in', chunk).execute(),
    )
    for (const { event_id: id } of queued) known.add(id)
    await addEntries()
    const left = await store.read((db) =>
      db.selectFrom('gatebook_event').select('id').where('id', 'in', chunk).execute(),
    )
    for (const { id } of left) if (!known.has(id)) without.push(id)
  }
  return without
}
