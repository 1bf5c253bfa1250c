/**
 * Ten times as many log-ins as can be hashed: what becomes of those that are accepted, of the others, and of the memory. See
 * README.md.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createArgon2idHasher } from '../src/credential/hashers/argon2id.ts'
import { createGatebook } from '../src/gatebook.ts'
import { parseDatabaseUrl } from '../src/server/database-url.ts'
import { startServerProcess } from '../test/fault/server-process.ts'
import { type Engine, openEngine } from '../test/support/engine.ts'
import { findEngines } from '../test/support/find-engines.ts'
import { addUsers, identifierOf, PASSWORD } from './add-users.ts'
import { type Answer, createClient } from './client.ts'
import { createRandom, quantile } from './statistics.ts'

export interface OverloadOptions {
  readonly seconds: number
  readonly times: number
}

export interface OverloadFigures {
  readonly engine: string
  readonly about: string
  /** Log-ins a second with as many clients as keep the hashing busy. */
  readonly capacity: number
  readonly atCapacity: PhaseFigures
  readonly overloaded: PhaseFigures
  /** p99 of what was accepted, in times of that at capacity. */
  readonly timesCapacity: number
  /** Resident MiB: after a first, shorter flood and a rest; at the most; and after the second flood and a rest. */
  readonly memory: { readonly before: number; readonly most: number; readonly after: number }
  /** The first log-in after the flood. */
  readonly recoveredMilliseconds: number
  readonly problems: readonly string[]
}

export interface PhaseFigures {
  readonly offered: number
  readonly accepted: number
  readonly refused: number
  /** Milliseconds. */
  readonly acceptedP99: number
  readonly refusedP99: number
}

const USERS = 2000
const CONNECTIONS = 600
const CLOSED_LOOP_CLIENTS = 32
const CAPACITY_SECONDS = 10
const REST_SECONDS = 20
const FIRST_FLOOD_SECONDS = 15

export async function benchOverload(engine: Engine, { seconds, times }: OverloadOptions): Promise<OverloadFigures> {
  const database = await engine.createDatabase()
  const secret = randomBytes(32).toString('base64')
  await prepare(database.url, secret)
  const server = await startServerProcess({
    GATEBOOK_DATABASE: database.url,
    GATEBOOK_SECRET: secret,
    GATEBOOK_ISSUER: 'http://localhost',
    GATEBOOK_DIAGNOSTICS_LEVEL: 'error',
    // All clients have one address; what is measured is not that refusal.
    GATEBOOK_THROTTLE_ADDRESS_FAILURES: '100000',
    GATEBOOK_SESSIONS_PER_USER: '1000',
  })
  const port = Number(new URL(server.url).port)
  const client = createClient(port, CONNECTIONS)
  const problems: string[] = []
  const random = createRandom(1)
  const logIn = (by = client): Promise<Answer> =>
    by.post('/auth/login', { identifier: identifierOf(Math.floor(random() * USERS)), password: PASSWORD })
  const resident = (): number => residentMebibytes(server.pid)
  try {
    await loop(() => logIn(), CLOSED_LOOP_CLIENTS, CAPACITY_SECONDS)
    const capacity = (await loop(() => logIn(), CLOSED_LOOP_CLIENTS, CAPACITY_SECONDS)) / CAPACITY_SECONDS
    const atCapacity = await offer(() => logIn(), capacity, seconds, random, problems)
    // The heap grows to what a flood takes and stays so; what a flood leaves behind shows at the second one.
    const first = createClient(port, CONNECTIONS)
    await offer(() => logIn(first), capacity * times, FIRST_FLOOD_SECONDS, random, problems)
    first.close()
    await sleep(REST_SECONDS * 1000)
    const before = resident()
    let most = before
    const watch = setInterval(() => {
      most = Math.max(most, resident())
    }, 500)
    const overloaded = await offer(() => logIn(), capacity * times, seconds, random, problems)
    clearInterval(watch)
    const recovered = await logIn()
    // Its crowd goes home: what is left is what the flood has cost for good.
    client.close()
    if (recovered.status !== 200) problems.push(`the first log-in afterwards was answered ${recovered.status}`)
    await sleep(REST_SECONDS * 1000)
    const memory = { before, most, after: resident() }
    if (server.exitCode() !== null) problems.push(`the server ended with ${server.exitCode()}`)
    return {
      engine: engine.name,
      about: engine.about,
      capacity,
      atCapacity,
      overloaded,
      timesCapacity: overloaded.acceptedP99 / atCapacity.acceptedP99,
      memory,
      recoveredMilliseconds: recovered.milliseconds,
      problems,
    }
  } finally {
    client.close()
    await server.stop()
    await database.drop()
  }
}

async function prepare(url: string, secret: string): Promise<void> {
  const database = parseDatabaseUrl(url)
  const gate = await createGatebook({ issuer: 'http://localhost', database, secret, logSigning: 'off' })
  await addUsers(database, USERS, await createArgon2idHasher().hash(PASSWORD))
  await gate.close()
}

/** Each client asks again when it has its answer; how many were let in. */
async function loop(logIn: () => Promise<Answer>, clients: number, seconds: number): Promise<number> {
  const until = performance.now() + seconds * 1000
  let accepted = 0
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() < until) if ((await logIn()).status === 200) accepted += 1
    }),
  )
  return accepted
}

/** So many a second at random instants, whether or not the ones before have been answered. */
async function offer(
  logIn: () => Promise<Answer>,
  rate: number,
  seconds: number,
  random: () => number,
  problems: string[],
): Promise<PhaseFigures> {
  const accepted: number[] = []
  const refused: number[] = []
  const underWay = new Set<Promise<void>>()
  const begun = performance.now()
  let offered = 0
  const one = async (): Promise<void> => {
    const { status, body, milliseconds } = await logIn()
    if (status === 200) accepted.push(milliseconds)
    else if (status === 503 && body.includes('"ERR_OVERLOADED"') && body.includes('"retry_after"'))
      refused.push(milliseconds)
    else problems.push(`a log-in was answered ${status}: ${body.slice(0, 200)}`)
  }
  for (let at = 0; at < seconds * 1000; at += (-Math.log(1 - random()) * 1000) / rate) {
    const wait = at - (performance.now() - begun)
    if (wait > 0) await sleep(wait)
    offered += 1
    const asking = one()
      .catch((error: unknown) => void problems.push(String(error)))
      .finally(() => underWay.delete(asking))
    underWay.add(asking)
  }
  await Promise.all(underWay)
  return {
    offered,
    accepted: accepted.length,
    refused: refused.length,
    acceptedP99: quantile(accepted, 0.99),
    refusedP99: refused.length === 0 ? 0 : quantile(refused, 0.99),
  }
}

function residentMebibytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
}

export function formatOverloadFigures(figures: readonly OverloadFigures[]): string {
  const phase = (f: PhaseFigures): string =>
    `${f.offered} / ${f.accepted} / ${f.refused} | ${Math.round(f.acceptedP99)} | ${f.refused === 0 ? '–' : Math.round(f.refusedP99)}`
  const rows = figures.map((f) =>
    [
      f.engine,
      f.capacity.toFixed(1),
      phase(f.atCapacity),
      phase(f.overloaded),
      `**${f.timesCapacity.toFixed(2)}**`,
      `${Math.round(f.memory.before)} / ${Math.round(f.memory.most)} / **${Math.round(f.memory.after)}**`,
      Math.round(f.recoveredMilliseconds),
      f.problems.length,
    ].join(' | '),
  )
  const head = [
    'engine | log-ins/s | at capacity: offered / accepted / refused | p99, ms | p99 of refusals | overloaded: offered / accepted / refused | p99, ms | p99 of refusals | times | MiB before / most / after | next log-in, ms | problems',
    '--- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | ---',
  ]
  return [...head, ...rows].map((row) => `| ${row} |`).join('\n')
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { seconds: { type: 'string', default: '30' }, times: { type: 'string', default: '10' } },
  })
  const found = await findEngines()
  for (const { name, why } of found.missing) console.error(`${name}: ${why}`)
  try {
    for (const address of found.engines) {
      const figures = await benchOverload(openEngine(address), {
        seconds: Number(values.seconds),
        times: Number(values.times),
      })
      console.log(`\n${address.about}\n\n${formatOverloadFigures([figures])}`)
      for (const problem of new Set(figures.problems)) console.log(`- ${problem}`)
    }
  } finally {
    await found.close()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
