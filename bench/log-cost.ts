/**
 * What the log costs: whole log-ins, and the bare transaction of one, with it and without it. See README.md.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { sql } from 'kysely'
import { createGatebook } from '../src/gatebook.ts'
import { createEventLog } from '../src/log/append.ts'
import type { EventLog } from '../src/log/log.ts'
import { rotationState, sessionState } from '../src/log/row-state.ts'
import { createSequencer } from '../src/log/sequencer.ts'
import { type MasterSecret, parseMasterSecret } from '../src/secret/master-secret.ts'
import { parseDatabaseUrl } from '../src/server/database-url.ts'
import { createSqlStore } from '../src/store/sql/sql-store.ts'
import type { Store } from '../src/store/store.ts'
import { createIdentifierKeys, type IdentifierKeys } from '../src/user/identifier.ts'
import { lockSubject } from '../src/user/subject.ts'
import { systemClock } from '../src/util/clock.ts'
import { generateId } from '../src/util/id.ts'
import { type Engine, openEngine } from '../test/support/engine.ts'
import { findEngines } from '../test/support/find-engines.ts'
import { LOG_KEY } from '../test/support/log-signing.ts'
import { addUsers, identifierOf, PASSWORD } from './add-users.ts'
import { createClient } from './client.ts'
import { withDiskGuard } from './disk-guard.ts'
import { startPairedServer, startServer } from './start-server.ts'
import { median, quantile } from './statistics.ts'
import { createEventLog as createEventRows } from './without-log/event-rows.ts'

export const WHOLE_BAR = 0.95
export const TRANSACTION_BAR = 0.75

const USERS = 2000
const CLIENTS = 8
const PROCESSES = 8
/** Until the code of a server has been compiled for good, each log-in costs it several times as much. */
const WARM_LOGINS = 600
const WARM_TRANSACTIONS = 3000
/** The transactions take turns this often: what others do on the machine is then the same for both. */
const SLICES = { cycles: 120, windowMilliseconds: 200, pauseMilliseconds: 0 }
/** Three turns of the signer: one signs what is left, one looks again, and then it is idle. */
const SETTLED_MILLISECONDS = 2500
/** Log-ins before each window, which are not counted: the signer then has as much to do at its beginning as is left over at its end. */
const LEAD_MILLISECONDS = 1200
const DIAGNOSTICS = { debug() {}, info() {}, warn() {}, error() {} }

export interface Rates {
  /** Medians over the cycles. */
  readonly on: number
  readonly off: number
  /** The median over the cycles of on to off, and the middle half of them. */
  readonly ratio: number
  readonly low: number
  readonly high: number
}

export interface LogCostFigures {
  readonly engine: string
  readonly logins: Rates
  readonly transactions: Rates
  /** The same while another process sequences and signs; null for SQLite, where each transaction does the first. */
  readonly sequenced: Rates | null
}

export interface LogCostOptions {
  readonly cycles: number
  readonly windowMilliseconds: number
}

interface TurnOptions extends LogCostOptions {
  /** Before each window. */
  readonly pauseMilliseconds: number
}

export async function benchLogCost(engine: Engine, options: LogCostOptions): Promise<LogCostFigures> {
  return {
    engine: engine.name,
    logins: await withDiskGuard((guard) => compareLogins(engine, guard, options)),
    ...(await withDiskGuard((guard) => compareTransactions(engine, guard, options))),
  }
}

/** One window of each, in an order that is turned round each time, so that a machine that gets slower favours none. */
async function takeTurns<Arm extends string>(
  arms: readonly Arm[],
  { cycles, windowMilliseconds, pauseMilliseconds }: TurnOptions,
  run: (arm: Arm, milliseconds: number) => Promise<number>,
): Promise<Record<Arm, number[]>> {
  const rates = Object.fromEntries(arms.map((arm) => [arm, [] as number[]])) as Record<Arm, number[]>
  for (let cycle = 0; cycle < cycles; cycle++) {
    for (const arm of cycle % 2 === 0 ? arms : [...arms].reverse()) {
      await sleep(pauseMilliseconds)
      rates[arm].push(await run(arm, windowMilliseconds))
    }
  }
  return rates
}

function compare(on: readonly number[], off: readonly number[]): Rates {
  const ratios = on.map((rate, cycle) => rate / off[cycle]!)
  return {
    ...{ on: median(on), off: median(off) },
    ...{ ratio: median(ratios), low: quantile(ratios, 0.25), high: quantile(ratios, 0.75) },
  }
}

/** As many as fit into the time; how many a second. */
async function countFor(milliseconds: number, work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  let done = 0
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      while (performance.now() - begun < milliseconds) {
        await work()
        done++
      }
    }),
  )
  return (done * 1000) / (performance.now() - begun)
}

/** Several processes, since how fast Argon2 is, and with it what share of a log-in the log has, depends on where its memory lies. */
async function compareLogins(
  engine: Engine,
  logGuard: string,
  { cycles, windowMilliseconds }: LogCostOptions,
): Promise<Rates> {
  const on: number[] = []
  const off: number[] = []
  for (let process = 0; process < PROCESSES; process++) {
    const options = {
      cycles: Math.ceil(cycles / 2),
      windowMilliseconds: 2 * windowMilliseconds,
      pauseMilliseconds: SETTLED_MILLISECONDS,
    }
    const rates = await compareInOneProcess(engine, `${logGuard}-${process}`, process % 2 === 0 ? 'on' : 'off', options)
    on.push(...rates.on)
    off.push(...rates.off)
  }
  return compare(on, off)
}

async function compareInOneProcess(
  engine: Engine,
  logGuard: string,
  first: 'on' | 'off',
  options: TurnOptions,
): Promise<Record<'on' | 'off', number[]>> {
  const closing: (() => Promise<void> | void)[] = []
  try {
    const createDatabase = async (): Promise<string> => {
      const { url, drop } = await engine.createDatabase()
      closing.push(drop)
      return url
    }
    const urls = { on: await createDatabase(), off: await createDatabase() }
    const server = await startPairedServer({
      arms: {
        on: { url: urls.on, options: { logKey: LOG_KEY, logGuard } },
        off: { url: urls.off, options: { logSigning: 'off' } },
      },
      ...{ first, users: USERS },
    })
    closing.push(server.stop)
    const logInAt = (port: number): (() => Promise<void>) => {
      const client = createClient(port, CLIENTS)
      closing.push(client.close)
      let user = 0
      return async () => {
        const identifier = identifierOf(user++ % USERS)
        const { status, body } = await client.post('/auth/login', { identifier, password: PASSWORD })
        if (status !== 200) throw new Error(`a log-in was answered ${status}: ${body}`)
      }
    }
    const logIn = { on: logInAt(server.ports.on), off: logInAt(server.ports.off) }
    const order = first === 'on' ? (['on', 'off'] as const) : (['off', 'on'] as const)
    for (const arm of order) {
      let left = WARM_LOGINS
      const warm = async (): Promise<void> => {
        while (left-- > 0) await logIn[arm]()
      }
      await Promise.all(Array.from({ length: CLIENTS }, warm))
      const { kysely, traits, close } = await parseDatabaseUrl(urls[arm]).connect()
      await analyze({ db: kysely, traits })
      await close()
    }
    const rates = await takeTurns(order, options, async (arm, milliseconds) => {
      await countFor(LEAD_MILLISECONDS, logIn[arm])
      return countFor(milliseconds, logIn[arm])
    })
    for (const arm of ['on', 'off'] as const) await requireLog(urls[arm], arm === 'on')
    return rates
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

/** A copy that did not become another one would compare the log with itself. */
async function requireLog(url: string, expected: boolean): Promise<void> {
  const { kysely, close } = await parseDatabaseUrl(url).connect()
  try {
    const rows = await Promise.all(
      (['gatebook_queue', 'gatebook_entry'] as const).map((table) =>
        kysely.selectFrom(table).select('event_id').limit(1).executeTakeFirst(),
      ),
    )
    const logged = rows.find((row) => row !== undefined)
    if (expected !== (logged !== undefined)) throw new Error(`${url} ${expected ? 'has no' : 'has a'} log`)
  } finally {
    await close()
  }
}

interface Arm {
  readonly store: Store
  readonly log: EventLog
  readonly users: readonly string[]
}

async function compareTransactions(
  engine: Engine,
  logGuard: string,
  options: LogCostOptions,
): Promise<Pick<LogCostFigures, 'transactions' | 'sequenced'>> {
  const text = randomBytes(32).toString('base64')
  const secret = parseMasterSecret(text, 'secret')
  const identifiers = createIdentifierKeys(secret)
  const closing: (() => Promise<void>)[] = []
  const open = async (log: EventLog): Promise<Arm & { readonly url: string }> => {
    const { url, drop } = await engine.createDatabase()
    closing.push(drop)
    const database = parseDatabaseUrl(url)
    const gate = await createGatebook({
      ...{ issuer: 'http://localhost', database, secret: text, logKey: LOG_KEY, logGuard: `${logGuard}-first` },
      logSigning: 'off',
    })
    await gate.close()
    await addUsers(database, USERS, 'nobody logs in with a password here')
    const store = createSqlStore(await database.connect())
    closing.push(() => store.close())
    const users = await store.db.selectFrom('gatebook_user').select('id').execute()
    return { url, store, log, users: users.map(({ id }) => id) }
  }
  try {
    const log = createEventLog({ clock: systemClock, secret, onAppended() {} })
    const arms = { on: await open(log), off: await open(createEventRows({ clock: systemClock })) }
    const { queued } = arms.on.store.traits
    const sequenced = queued ? await open(log) : arms.on
    if (queued) {
      const settings = { options: { secret: text, logGuard }, users: 0, count: false }
      const server = await startServer({ url: sequenced.url, ...settings })
      closing.push(() => server.stop())
    }
    const all = { ...arms, sequenced }
    let place = 0
    const transact = (arm: Arm) => startSession(arm, identifiers, place++)
    for (const name of ['on', 'off', 'sequenced'] as const) {
      for (let done = 0; done < WARM_TRANSACTIONS; done += CLIENTS)
        await Promise.all(Array.from({ length: CLIENTS }, () => transact(all[name])))
      await analyze(all[name].store)
    }
    await drain(arms.on.store, secret)
    const alone = await takeTurns(['on', 'off'], SLICES, async (name, milliseconds) => {
      const rate = await countFor(milliseconds, () => transact(all[name]))
      // A queue is short in life.
      if (name === 'on') await drain(arms.on.store, secret)
      return rate
    })
    const transactions = compare(alone.on, alone.off)
    if (!queued) return { transactions, sequenced: null }
    const meanwhile = await takeTurns(
      ['sequenced', 'off'],
      { ...options, pauseMilliseconds: 500 },
      async (name, milliseconds) => {
        const rate = await countFor(milliseconds, () => transact(all[name]))
        if (name === 'sequenced') await untilEmpty(sequenced.store)
        return rate
      },
    )
    return { transactions, sequenced: compare(meanwhile.sequenced, meanwhile.off) }
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

async function drain(store: Store, secret: MasterSecret): Promise<void> {
  if (!store.traits.queued) return
  const sequencer = createSequencer({ store, secret, clock: systemClock, diagnostics: DIAGNOSTICS })
  while ((await sequencer.sequence()) !== 'done');
}

/** Autovacuum comes once a minute, and until it has come to the tables of an arm, that arm has plans as if they were empty. */
async function analyze({ db, traits }: Pick<Store, 'db' | 'traits'>): Promise<void> {
  if (traits.name === 'postgres') await sql`ANALYZE`.execute(db)
}

async function untilEmpty({ db }: Store): Promise<void> {
  while ((await db.selectFrom('gatebook_queue').select('number').limit(1).executeTakeFirst()) !== undefined)
    await sleep(50)
}

/** The statements of `flow/start-session.ts`, without its tokens, and without the counters of the throttle. */
async function startSession({ store, log, users }: Arm, identifiers: IdentifierKeys, place: number): Promise<void> {
  const user = place % users.length
  const subject = users[user]!
  const clear = identifierOf(user)
  const now = Date.now()
  const network = { ip: '198.51.100.7', ipSource: 'socket', userAgent: 'Mozilla/5.0 (X11; Linux x86_64)' } as const
  const device = { id: generateId('device', now), subject_id: subject, created_at: now }
  const session = {
    ...{ id: generateId('session', now), subject_id: subject, method: 'password', roles: null, claims: null },
    ...{ device_id: device.id, ip: network.ip, user_agent: network.userAgent, created_at: now, last_used_at: now },
    ...{ refresh_counter: 0, rotations: '', expires_at: now + 1, absolute_expires_at: now + 2 },
    ...{ access_expires_at: now + 1, ended_at: null, end_reason: null },
    ...{ client_id: null, parent_id: null, authenticated_at: null },
  }
  const event = {
    type: 'login.succeeded',
    outcome: 'success',
    actor: { kind: 'user', id: subject },
    subject,
    identifier: identifiers.describe(clear, clear, true),
    sessionId: session.id,
    tokenId: generateId('token', now),
    method: 'password',
    network: { ...network, deviceId: device.id },
    requestId: generateId('request', now),
    data: { known_device: false },
    state: { session: sessionState(session), rotation: rotationState(session) },
  } as const
  await store.transaction(async (tx) => {
    await lockSubject(tx, subject, now)
    if (tx.traits.insertsInWith) {
      const inserting = tx.db
        .with('device', (db) => db.insertInto('gatebook_device').values(device))
        .with('session', (db) => db.insertInto('gatebook_session').values(session))
      await countLive(inserting, subject)
    } else {
      await tx.db.insertInto('gatebook_device').values(device).execute()
      await tx.db.insertInto('gatebook_session').values(session).execute()
      await countLive(tx.db, subject)
    }
    await log.append(tx, [event])
  })
}

async function countLive(db: Pick<Store['db'], 'selectFrom'>, subject: string): Promise<void> {
  await db
    .selectFrom('gatebook_session')
    .select((eb) => eb.fn.countAll<number>().as('live'))
    .where('subject_id', '=', subject)
    .where('ended_at', 'is', null)
    .executeTakeFirstOrThrow()
}

export function formatLogCostFigures(figures: readonly LogCostFigures[]): string {
  const row = (engine: string, what: string, { on, off, ratio, low, high }: Rates): string =>
    `| ${engine} | ${what} | ${on.toFixed(1)} | ${off.toFixed(1)} | **${ratio.toFixed(3)}** (${low.toFixed(2)}–${high.toFixed(2)}) |`
  return [
    '| engine | what | a second, with the log | without | ratio (middle half) |',
    '| --- | --- | --- | --- | --- |',
    ...figures.flatMap(({ engine, logins, transactions, sequenced }) => [
      row(engine, 'whole log-ins', logins),
      row(engine, 'bare transactions', transactions),
      ...(sequenced === null ? [] : [row(engine, 'bare transactions, sequenced and signed meanwhile', sequenced)]),
    ]),
  ].join('\n')
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { cycles: { type: 'string', default: '10' }, window: { type: 'string', default: '2000' } },
  })
  const found = await findEngines()
  for (const { name, why } of found.missing) console.error(`${name}: ${why}`)
  try {
    const figures: LogCostFigures[] = []
    for (const address of found.engines) {
      const options = { cycles: Number(values.cycles), windowMilliseconds: Number(values.window) }
      figures.push(await benchLogCost(openEngine(address), options))
    }
    console.log(formatLogCostFigures(figures))
  } finally {
    await found.close()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
