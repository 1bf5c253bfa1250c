import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { parseDatabaseUrl } from '../../src/server/database-url.ts'
import type { OpenDatabase } from '../../src/store/dialect.ts'
import type { Tables } from '../../src/store/tables.ts'
import type { Engine } from '../support/engine.ts'
import { checkBook } from './check-book.ts'
import { createLedger, type Ledger, refresh, runClient } from './load.ts'
import { type ServerProcess, startServerProcess } from './server-process.ts'

export interface KillReport {
  readonly kills: number
  /** 2xx answers that were held against the database. */
  readonly answers: number
  readonly users: number
  readonly sessions: number
  readonly logouts: number
  readonly events: number
  /** Refreshes and logouts that were under way at a kill. */
  readonly underWay: number
  readonly problems: readonly string[]
}

const CLIENTS = 6
/** A kill comes after this many answers of its round, so that there is something to lose, and then at any instant. */
const ANSWERS_BEFORE = 24
const LATEST_MILLISECONDS = 1000
/** Held sessions that are tried after a kill. */
const TRIED = 8

/**
 * Kills the server under load and starts it again on the same database, `kills` times. After each kill the tables are
 * compared with what the clients were told, and sessions that they hold must go on.
 */
export async function runKills(engine: Engine, kills: number): Promise<KillReport> {
  const database = await engine.createDatabase()
  const settings = {
    GATEBOOK_DATABASE: database.url,
    GATEBOOK_SECRET: randomBytes(32).toString('base64'),
    GATEBOOK_ISSUER: 'http://localhost',
    GATEBOOK_DIAGNOSTICS_LEVEL: 'error',
    // All clients have one address, and each attempt that a kill cuts off stays counted as a failure.
    GATEBOOK_THROTTLE_ADDRESS_FAILURES: '100000',
    GATEBOOK_THROTTLE_PAIR_FREE: '100',
    // A busy machine takes its time to start a server.
    GATEBOOK_REFRESH_GRACE_SECONDS: '60',
    // Revocations are kept for as long as the access tokens that they concern; here, for the whole run.
    GATEBOOK_ACCESS_TOKEN_SECONDS: '3600',
    // Cheap hashes: more answers between two kills.
    GATEBOOK_ARGON2_MEMORY_KIB: '7168',
    GATEBOOK_ARGON2_ITERATIONS: '1',
  }
  const ledger = createLedger()
  const problems: string[] = []
  let underWay = 0
  let server: ServerProcess | null = null
  try {
    server = await startServerProcess(settings)
    for (let kill = 1; kill <= kills; kill++) {
      const asking = countAsking(ledger)
      await loadAndKill(server, ledger)
      server = null
      underWay += countAsking(ledger) - asking
      problems.push(...(await look(database.url, ledger, false)).map((problem) => `after kill ${kill}: ${problem}`))
      server = await startServerProcess(settings)
      await goOn(server, ledger)
    }
    await server.stop()
    server = null
    problems.push(...(await look(database.url, ledger, true)).map((problem) => `at the end: ${problem}`))
    const { answers, userIds, sessions } = ledger
    const events = await withDatabase(database.url, countEvents)
    const logouts = sessions.filter(({ state }) => state === 'ended').length
    return { kills, answers, users: userIds.length, sessions: sessions.length, logouts, events, underWay, problems }
  } finally {
    await server?.kill()
    await database.drop()
  }
}

function countAsking({ sessions }: Ledger): number {
  return sessions.filter(({ state }) => state.startsWith('asking')).length
}

async function loadAndKill(server: ServerProcess, ledger: Ledger): Promise<void> {
  const before = ledger.answers
  const clients = Array.from({ length: CLIENTS }, () => runClient(server.url, ledger))
  const stopped = Promise.all(clients).then(() => 'stopped' as const)
  while (ledger.answers - before < ANSWERS_BEFORE) {
    // Clients stop when something is wrong; the ledger then says what.
    if ((await Promise.race([stopped, sleep(20)])) === 'stopped') break
  }
  await sleep(Math.random() * LATEST_MILLISECONDS)
  await server.kill()
  await stopped
}

/** The server serves again: sessions that were live go on, also those whose last answer was lost. */
async function goOn(server: ServerProcess, ledger: Ledger): Promise<void> {
  const live = ledger.sessions.filter(({ state }) => state === 'live' || state === 'asking-refresh')
  const unsure = live.filter(({ state }) => state === 'asking-refresh')
  for (const session of [...unsure, ...live.slice(-TRIED)]) {
    if (!(await refresh(server.url, ledger, session))) {
      ledger.problems.push(`session ${session.id} did not go on after a restart`)
    }
  }
}

export async function look(url: string, ledger: Ledger, stopped: boolean): Promise<string[]> {
  return withDatabase(url, async (database) => {
    await waitUntilAlone(database)
    return checkBook(database.kysely, ledger, stopped)
  })
}

async function withDatabase<T>(url: string, work: (database: OpenDatabase) => Promise<T>): Promise<T> {
  const database = await parseDatabaseUrl(url).connect()
  try {
    return await work(database)
  } finally {
    await database.close()
  }
}

async function countEvents({ kysely }: OpenDatabase): Promise<number> {
  const { number } = await kysely
    .selectFrom('gatebook_event')
    .select((eb) => eb.fn.countAll<number>().as('number'))
    .executeTakeFirstOrThrow()
  return Number(number)
}

const OTHERS = {
  postgres: sql<{ number: number }>`select count(*) as number from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`,
  mysql: sql<{ number: number }>`select count(*) as number from information_schema.processlist
    where db = database() and id <> connection_id()`,
}

/** A database server may still be at what the killed process sent last. */
export async function waitUntilAlone({ kysely, traits }: OpenDatabase): Promise<void> {
  if (traits.name === 'sqlite') return
  const giveUpAt = Date.now() + 20_000
  while ((await countOthers(kysely, OTHERS[traits.name])) > 0) {
    if (Date.now() > giveUpAt) throw new Error('the connections of the killed server do not end')
    await sleep(20)
  }
}

async function countOthers(db: Kysely<Tables>, query: (typeof OTHERS)['postgres']): Promise<number> {
  const { rows } = await query.execute(db)
  return Number(rows[0]!.number)
}
