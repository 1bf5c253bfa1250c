/**
 * Log-in throughput over HTTP, against the same endpoint doing nothing but the same Argon2id; and what those log-ins do to
 * the latency of everybody else. See README.md.
 */
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Engine, openEngine } from '../test/support/engine.ts'
import { findEngines } from '../test/support/find-engines.ts'
import { identifierOf, PASSWORD } from './add-users.ts'
import { type Client, createClient } from './client.ts'
import { type RunningBenchServer, startServer } from './start-server.ts'
import { median, quantile } from './statistics.ts'

export interface LoginFigures {
  readonly engine: string
  readonly about: string
  readonly hashConcurrency: number
  readonly isDefault: boolean
  readonly clients: number
  /** Log-ins a second, medians over the cycles. */
  readonly gatebook: number
  readonly queued: number
  /** Of the windows of the reference: far apart on a machine that others use too. */
  readonly queuedLow: number
  readonly queuedHigh: number
  readonly bare: number
  /** Medians of the ratios of neighbouring windows. */
  readonly ratio: number
  readonly ratioLow: number
  readonly ratioHigh: number
  readonly ratioToBare: number
  /** Milliseconds of `GET /auth/me`: the p99 of each window, medians over the cycles. */
  readonly idleP99: number
  readonly loadedP99: number
  readonly referenceP99: number
  /** The p99 during log-ins against that of the idle window of the same cycle: the median over the cycles, and the range. */
  readonly timesIdle: number
  readonly timesIdleLow: number
  readonly timesIdleHigh: number
  /** Statements of one log-in, in the order in which they are sent. */
  readonly statements: readonly string[]
}

export interface LoginBenchOptions {
  readonly clients: readonly number[]
  readonly hashConcurrency: readonly ('default' | 'cores')[]
  readonly cycles: number
  readonly windowMilliseconds: number
}

const USERS = 2000
/**
 * Log-ins before anything is measured. A server runs for days; until its code has been compiled for good, which takes about
 * so many, each costs it several times as much.
 */
const WARM_LOGINS = 2000
const WARM_CLIENTS = 8
const PROBE_MILLISECONDS = 10
const ARMS = ['gatebook', 'queued', 'bare'] as const
type Arm = (typeof ARMS)[number]
const PATHS: Record<Arm, string> = {
  gatebook: '/auth/login',
  queued: '/reference/queued',
  bare: '/reference/bare',
}

export async function benchLogin(engine: Engine, options: LoginBenchOptions): Promise<LoginFigures[]> {
  const statements = await readStatements(engine)
  const figures: LoginFigures[] = []
  for (const hashing of options.hashConcurrency) {
    const database = await engine.createDatabase()
    const server = await startServer({
      url: database.url,
      options: hashing === 'cores' ? { hashConcurrency: availableParallelism() } : {},
      users: USERS,
      count: false,
    })
    try {
      await warmUp(server)
      for (const clients of options.clients) {
        const measured = await measure(server, clients, options)
        const { name, about } = engine
        const { hashConcurrency } = server
        figures.push({
          ...measured,
          ...{ engine: name, about, hashConcurrency, isDefault: hashing === 'default', clients, statements },
        })
      }
    } finally {
      await server.stop()
      await database.drop()
    }
  }
  return figures
}

async function warmUp(server: RunningBenchServer): Promise<void> {
  const client = createClient(server.port, WARM_CLIENTS)
  let user = 0
  await Promise.all(
    Array.from({ length: WARM_CLIENTS }, async () => {
      while (user < WARM_LOGINS) {
        const token = await logIn(client, user++ % USERS)
        await client.get('/auth/me', { Authorization: `Bearer ${token}` })
      }
    }),
  )
  client.close()
}

async function readStatements(engine: Engine): Promise<readonly string[]> {
  const database = await engine.createDatabase()
  const server = await startServer({ url: database.url, options: {}, users: 2, count: true })
  const client = createClient(server.port, 1)
  try {
    // The shortest of several: the first of an address makes its counters, the first of a connection sets it up.
    const lists: (readonly string[])[] = []
    for (let turn = 0; turn < 6; turn++) {
      await logIn(client, 0)
      lists.push(await server.statements())
    }
    return lists.reduce((shortest, list) => (list.length < shortest.length ? list : shortest))
  } finally {
    client.close()
    await server.stop()
    await database.drop()
  }
}

async function logIn(client: Client, user: number): Promise<string> {
  const { status, body } = await client.post('/auth/login', { identifier: identifierOf(user), password: PASSWORD })
  if (status !== 200) throw new Error(`a log-in was answered ${status}: ${body}`)
  return (JSON.parse(body) as { access_token: string }).access_token
}

type Measured = Omit<LoginFigures, 'engine' | 'about' | 'hashConcurrency' | 'isDefault' | 'clients' | 'statements'>

async function measure(server: RunningBenchServer, clients: number, options: LoginBenchOptions): Promise<Measured> {
  const client = createClient(server.port, clients)
  const prober = createClient(server.port, 50)
  const token = await logIn(client, 0)
  let user = 0
  const rates: Record<Arm, number[]> = { gatebook: [], queued: [], bare: [] }
  /** The p99 of each window. */
  const probes: Record<Arm | 'idle', number[]> = { gatebook: [], queued: [], bare: [], idle: [] }

  async function runArm(arm: Arm, milliseconds: number, into: number[] | null): Promise<void> {
    const begun = performance.now()
    let done = 0
    const probing = probe(prober, token, milliseconds)
    await Promise.all(
      Array.from({ length: clients }, async () => {
        while (performance.now() - begun < milliseconds) {
          const identifier = identifierOf(user++ % USERS)
          const { status, body } = await client.post(PATHS[arm], { identifier, password: PASSWORD })
          if (status !== 200) throw new Error(`${arm} answered ${status}: ${body}`)
          done++
        }
      }),
    )
    into?.push((done * 1000) / (performance.now() - begun))
    const latencies = await probing
    if (into !== null) probes[arm].push(quantile(latencies, 0.99))
  }

  // The connections are opened, and the statements prepared on each.
  for (const arm of ARMS) await runArm(arm, options.windowMilliseconds, null)
  for (let cycle = 0; cycle < options.cycles; cycle++) {
    await sleep(200)
    probes.idle.push(quantile(await probe(prober, token, options.windowMilliseconds), 0.99))
    // What is first in one cycle is last in the next, so that a machine that gets slower favours none.
    const order = cycle % 2 === 0 ? ARMS : [...ARMS].reverse()
    for (const arm of order) await runArm(arm, options.windowMilliseconds, rates[arm])
  }
  client.close()
  prober.close()

  const ratios = rates.gatebook.map((rate, cycle) => rate / rates.queued[cycle]!)
  const times = probes.gatebook.map((p99, cycle) => p99 / probes.idle[cycle]!)
  return {
    gatebook: median(rates.gatebook),
    queued: median(rates.queued),
    queuedLow: Math.min(...rates.queued),
    queuedHigh: Math.max(...rates.queued),
    bare: median(rates.bare),
    ratio: median(ratios),
    ratioLow: Math.min(...ratios),
    ratioHigh: Math.max(...ratios),
    ratioToBare: median(rates.gatebook.map((rate, cycle) => rate / rates.bare[cycle]!)),
    idleP99: median(probes.idle),
    loadedP99: median(probes.gatebook),
    referenceP99: median(probes.queued),
    timesIdle: median(times),
    timesIdleLow: Math.min(...times),
    timesIdleHigh: Math.max(...times),
  }
}

/** One `GET /auth/me` every few milliseconds, whether or not the one before has been answered. */
async function probe(client: Client, token: string, milliseconds: number): Promise<number[]> {
  const headers = { Authorization: `Bearer ${token}` }
  const answers: Promise<number>[] = []
  const begun = performance.now()
  for (let sent = 0; ; sent++) {
    const due = begun + sent * PROBE_MILLISECONDS
    if (due - begun >= milliseconds) break
    const wait = due - performance.now()
    if (wait > 0) await sleep(wait)
    answers.push(
      client.get('/auth/me', headers).then(({ status, body, milliseconds }) => {
        if (status !== 200) throw new Error(`/auth/me answered ${status}: ${body}`)
        return milliseconds
      }),
    )
  }
  return Promise.all(answers)
}

export function formatLoginFigures(figures: readonly LoginFigures[]): string {
  const rows = figures.map((f) =>
    [
      f.engine,
      `${f.hashConcurrency}${f.isDefault ? ' (default)' : ''}`,
      f.clients,
      f.gatebook.toFixed(1),
      `${f.queued.toFixed(1)} (${f.queuedLow.toFixed(1)}–${f.queuedHigh.toFixed(1)})`,
      `**${f.ratio.toFixed(2)}** (${f.ratioLow.toFixed(2)}–${f.ratioHigh.toFixed(2)})`,
      f.bare.toFixed(1),
      f.ratioToBare.toFixed(2),
      f.idleP99.toFixed(1),
      f.loadedP99.toFixed(1),
      `**${f.timesIdle.toFixed(1)}** (${f.timesIdleLow.toFixed(1)}–${f.timesIdleHigh.toFixed(1)})`,
      f.referenceP99.toFixed(1),
      f.statements.length,
    ].join(' | '),
  )
  const head = [
    'engine | hashes at once | clients | log-ins/s | reference/s (range) | ratio (range) | unbounded/s | ratio to unbounded | /auth/me p99 idle, ms | during log-ins | times (range) | during the reference | statements',
    '--- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | ---',
  ]
  return [...head, ...rows].map((row) => `| ${row} |`).join('\n')
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      clients: { type: 'string', default: '8,16' },
      engines: { type: 'string', default: 'sqlite,postgres,mysql' },
      hash: { type: 'string', default: 'default,cores' },
      cycles: { type: 'string', default: '6' },
      window: { type: 'string', default: '2500' },
      statements: { type: 'boolean', default: false },
    },
  })
  const found = await findEngines()
  for (const { name, why } of found.missing) console.error(`${name}: ${why}`)
  try {
    const wanted = values.engines.split(',')
    for (const address of found.engines.filter(({ name }) => wanted.includes(name))) {
      const figures = await benchLogin(openEngine(address), {
        clients: values.clients.split(',').map(Number),
        hashConcurrency: values.hash.split(',') as ('default' | 'cores')[],
        cycles: Number(values.cycles),
        windowMilliseconds: Number(values.window),
      })
      console.log(`\n${address.about}\n\n${formatLoginFigures(figures)}`)
      if (values.statements) console.log(figures[0]?.statements.map((text) => `\n- ${text.slice(0, 160)}`).join(''))
    }
  } finally {
    await found.close()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
