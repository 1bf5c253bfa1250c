/**
 * How many queued events a second get their place and a signed checkpoint, and how long one that a log-in leaves waits for that.
 * See README.md.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { sql } from 'kysely'
import { createGatebook } from '../src/gatebook.ts'
import { createEventLog } from '../src/log/append.ts'
import { parseMasterSecret } from '../src/secret/master-secret.ts'
import { parseDatabaseUrl } from '../src/server/database-url.ts'
import type { OpenDatabase } from '../src/store/dialect.ts'
import { createSqlStore } from '../src/store/sql/sql-store.ts'
import { createIdentifierKeys } from '../src/user/identifier.ts'
import { systemClock } from '../src/util/clock.ts'
import { generateId } from '../src/util/id.ts'
import { holdFence } from '../test/log/fence-waits.ts'
import { type Engine, openEngine } from '../test/support/engine.ts'
import { findEngines } from '../test/support/find-engines.ts'
import { LOG_KEY } from '../test/support/log-signing.ts'
import { identifierOf, PASSWORD } from './add-users.ts'
import { createClient } from './client.ts'
import { withDiskGuard } from './disk-guard.ts'
import { startServer } from './start-server.ts'
import { createRandom, median, quantile } from './statistics.ts'

export const SEQUENCER_BAR = 10_000
/** Milliseconds. */
export const COVERED_BAR = 500

const SECRET = 'only this measurement knows: 7cQ2v'
const APPENDED_AT_ONCE = 512
const USERS = 500
const CONNECTIONS = 40
const WATCH_MILLISECONDS = 5

export interface SequencerFigures {
  readonly engine: string
  /** Of one round. */
  readonly events: number
  /** Events a second: medians over the rounds, and the range. */
  readonly perSecond: number
  readonly perSecondLow: number
  readonly perSecondHigh: number
  readonly bare: number
  /** Of the processor, for each event, by the account of the process that sequences and signs. */
  readonly microseconds: number
  /** The median over the rounds of end to end to bare. */
  readonly ratio: number
}

export interface CoveredFigures {
  readonly engine: string
  readonly seconds: number
  readonly perSecond: number
  /** Milliseconds from an event to the first look at a checkpoint over it. */
  readonly milliseconds: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number }
}

export async function benchSequencer(engine: Engine, events: number, rounds: number): Promise<SequencerFigures> {
  const database = await engine.createDatabase()
  const dialect = parseDatabaseUrl(database.url)
  const direct = await dialect.connect()
  try {
    return await withDiskGuard(async (logGuard) => {
      const gate = await createGatebook({
        ...{ issuer: 'http://localhost', database: dialect, secret: SECRET, logKey: LOG_KEY, logGuard },
      })
      try {
        const ours: number[] = []
        const bare: number[] = []
        const microseconds: number[] = []
        await sequence(direct, 2 * APPENDED_AT_ONCE)
        for (let round = 0; round < rounds; round++) {
          const seconds = await sequence(direct, events)
          ours.push(events / seconds.ours)
          bare.push(events / seconds.bare)
          microseconds.push(seconds.microseconds / events)
        }
        return {
          engine: engine.name,
          events,
          perSecond: median(ours),
          perSecondLow: Math.min(...ours),
          perSecondHigh: Math.max(...ours),
          bare: median(bare),
          microseconds: median(microseconds),
          ratio: median(ours.map((rate, round) => rate / bare[round]!)),
        }
      } finally {
        await gate.close()
      }
    })
  } finally {
    await direct.close()
    await database.drop()
  }
}

/** Queues so many events while nobody may sequence; the seconds for copying them in one statement, and for everything that the gate does. */
async function sequence(
  direct: OpenDatabase,
  events: number,
): Promise<{ ours: number; bare: number; microseconds: number }> {
  await untilSize(direct, await untilQuiet(direct))
  const before = Number((await readState(direct)).size)
  const fence = await holdFence(direct)
  let bare: number
  try {
    await queueEvents(direct, events)
    bare = await timeOf(() => copyQueue(direct))
  } finally {
    await fence.release()
  }
  const used = process.cpuUsage()
  const ours = await timeOf(() => untilSize(direct, before + events))
  const { user, system } = process.cpuUsage(used)
  return { ours, bare, microseconds: user + system }
}

async function queueEvents(direct: OpenDatabase, count: number): Promise<void> {
  const store = createSqlStore(direct)
  const secret = parseMasterSecret(SECRET, 'secret')
  const log = createEventLog({ clock: systemClock, secret, onAppended() {} })
  const identifiers = createIdentifierKeys(secret)
  for (let at = 0; at < count; at += APPENDED_AT_ONCE) {
    const events = Array.from({ length: Math.min(APPENDED_AT_ONCE, count - at) }, (_, place) => {
      const clear = identifierOf(at + place)
      const subject = generateId('user', at + place)
      return {
        type: 'login.succeeded',
        outcome: 'success',
        actor: { kind: 'user', id: subject },
        subject,
        identifier: identifiers.describe(clear, clear, true),
        sessionId: generateId('session', at + place),
        method: 'password',
        network: { ip: `198.51.100.${place % 256}`, ipSource: 'socket', userAgent: 'Mozilla/5.0 (X11; Linux x86_64)' },
        requestId: generateId('request', at + place),
        data: { known_device: false },
        state: { session: { session: subject }, rotation: { session: subject } },
      } as const
    })
    await store.transaction((tx) => log.append(tx, events), 'relaxed')
  }
}

const LEAF_HASHES = {
  postgres: sql`sha256('\\x00'::bytea || leaf)`,
  mysql: sql`unhex(sha2(concat(char(0), leaf), 256))`,
}

/** The same rows in one statement, with their hashes, into a table of the same form. */
async function copyQueue({ kysely, traits }: OpenDatabase): Promise<void> {
  if (traits.name === 'sqlite') throw new Error('SQLite has no queue')
  const like = traits.name === 'postgres' ? sql`(like gatebook_entry including all)` : sql`like gatebook_entry`
  await sql`drop table if exists bench_entry`.execute(kysely)
  await sql`create table bench_entry ${like}`.execute(kysely)
  await kysely.transaction().execute((db) =>
    sql`insert into bench_entry (log_index, event_id, leaf, leaf_hash, mac)
      select row_number() over (order by number) - 1, event_id, leaf, ${LEAF_HASHES[traits.name as 'postgres' | 'mysql']}, mac
      from gatebook_queue order by number`.execute(db),
  )
}

async function readState({ kysely }: OpenDatabase): Promise<{ readonly size: number }> {
  const { size } = await kysely.selectFrom('gatebook_log_state').select('size').executeTakeFirstOrThrow()
  return { size: Number(size) }
}

/** Size of the log when nothing waits any more. */
async function untilQuiet(direct: OpenDatabase): Promise<number> {
  for (;;) {
    const waiting = await direct.kysely.selectFrom('gatebook_queue').select('number').limit(1).executeTakeFirst()
    const { size } = await readState(direct)
    if (waiting === undefined) return size
    await sleep(WATCH_MILLISECONDS)
  }
}

/** Waits until the newest signed checkpoint in the database is of at least this size. */
async function untilSize(direct: OpenDatabase, size: number): Promise<void> {
  while ((await readSigned(direct)) < size) await sleep(WATCH_MILLISECONDS)
}

async function readSigned({ kysely }: OpenDatabase): Promise<number> {
  const row = await kysely
    .selectFrom('gatebook_checkpoint')
    .select('size')
    .orderBy('size', 'desc')
    .limit(1)
    .executeTakeFirst()
  return Number(row?.size ?? 0)
}

async function timeOf(work: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}

/** Log-ins at random instants, whether or not the ones before are answered, and a look at the newest checkpoint every few milliseconds. */
export async function benchCovered(engine: Engine, perSecond: number, seconds: number): Promise<CoveredFigures> {
  const database = await engine.createDatabase()
  const direct = await parseDatabaseUrl(database.url).connect()
  try {
    return await withDiskGuard(async (logGuard) => {
      // The cheapest hash that is allowed: so many at the default would be all that two cores can do.
      const options = { logGuard, argon2MemoryKib: 7168, argon2Iterations: 1 }
      const server = await startServer({ url: database.url, options, users: USERS, count: false })
      const client = createClient(server.port, CONNECTIONS)
      try {
        await logInAtRandom(client, perSecond, 3)
        const from = (await readState(direct)).size
        const looks: { size: number; at: number }[] = []
        let watching = true
        const watch = (async () => {
          while (watching) {
            const size = await readSigned(direct)
            if (size > (looks.at(-1)?.size ?? 0)) looks.push({ size, at: Date.now() })
            await sleep(WATCH_MILLISECONDS)
          }
        })()
        await logInAtRandom(client, perSecond, seconds)
        await untilSize(direct, await untilQuiet(direct))
        await sleep(10 * WATCH_MILLISECONDS)
        watching = false
        await watch
        const events = await direct.kysely
          .selectFrom('gatebook_entry as entry')
          .innerJoin('gatebook_event as event', 'event.id', 'entry.event_id')
          .select(['entry.log_index', 'event.at'])
          .where('entry.log_index', '>=', from)
          .where('event.type', '=', 'login.succeeded')
          .execute()
        const waits = events.map(({ log_index: index, at }) => {
          const covered = looks.find(({ size }) => size > Number(index))
          if (covered === undefined) throw new Error(`entry ${index} is under no checkpoint that was seen`)
          return covered.at - Number(at)
        })
        return {
          engine: engine.name,
          seconds,
          perSecond: waits.length / seconds,
          milliseconds: {
            p50: median(waits),
            p90: quantile(waits, 0.9),
            p99: quantile(waits, 0.99),
            max: Math.max(...waits),
          },
        }
      } finally {
        client.close()
        await server.stop()
      }
    })
  } finally {
    await direct.close()
    await database.drop()
  }
}

async function logInAtRandom(
  client: ReturnType<typeof createClient>,
  perSecond: number,
  seconds: number,
): Promise<void> {
  const random = createRandom(perSecond)
  const begun = performance.now()
  const answers: Promise<void>[] = []
  for (let due = 0, sent = 0; due < seconds * 1000; due += (-Math.log(1 - random()) * 1000) / perSecond, sent++) {
    const wait = begun + due - performance.now()
    if (wait > 0) await sleep(wait)
    answers.push(
      client
        .post('/auth/login', { identifier: identifierOf(sent % USERS), password: PASSWORD })
        .then(({ status, body }) => {
          if (status !== 200) throw new Error(`a log-in was answered ${status}: ${body}`)
        }),
    )
  }
  await Promise.all(answers)
}

export function formatSequencerFigures(figures: readonly SequencerFigures[]): string {
  return [
    '| engine | events a round | events/s, end to end (range) | processor time, µs an event | events/s, bare INSERT … SELECT | ratio |',
    '| --- | --- | --- | --- | --- | --- |',
    ...figures.map((f) => {
      const range = `${f.perSecondLow.toFixed(0)}–${f.perSecondHigh.toFixed(0)}`
      return `| ${f.engine} | ${f.events} | **${f.perSecond.toFixed(0)}** (${range}) | ${f.microseconds.toFixed(0)} | ${f.bare.toFixed(0)} | ${f.ratio.toFixed(2)} |`
    }),
  ].join('\n')
}

export function formatCoveredFigures(figures: readonly CoveredFigures[]): string {
  return [
    '| engine | log-ins/s | seconds | until covered, ms: median | p90 | p99 | longest |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...figures.map(
      ({ engine, perSecond, seconds, milliseconds: { p50, p90, p99, max } }) =>
        `| ${engine} | ${perSecond.toFixed(1)} | ${seconds} | **${p50.toFixed(0)}** | ${p90.toFixed(0)} | ${p99.toFixed(0)} | ${max} |`,
    ),
  ].join('\n')
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      events: { type: 'string', default: '50000' },
      rounds: { type: 'string', default: '5' },
      rate: { type: 'string', default: '50' },
      seconds: { type: 'string', default: '20' },
    },
  })
  const found = await findEngines()
  for (const { name, why } of found.missing) console.error(`${name}: ${why}`)
  try {
    const engines = found.engines.map(openEngine)
    const sequenced: SequencerFigures[] = []
    for (const engine of engines.filter(({ name }) => name !== 'sqlite'))
      sequenced.push(await benchSequencer(engine, Number(values.events), Number(values.rounds)))
    console.log(formatSequencerFigures(sequenced))
    const covered: CoveredFigures[] = []
    for (const engine of engines) covered.push(await benchCovered(engine, Number(values.rate), Number(values.seconds)))
    console.log(`\n${formatCoveredFigures(covered)}`)
  } finally {
    await found.close()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
