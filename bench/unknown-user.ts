/**
 * Whether the time of an answer tells if the user exists: a wrong password, the wish for a reset, or a registration that is
 * confirmed by mail, with names that are known and names that are not, in pairs, one request at a time. See README.md.
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { GatebookOptions } from '../src/options.ts'
import { type Engine, openEngine } from '../test/support/engine.ts'
import { findEngines } from '../test/support/find-engines.ts'
import { startSmtp } from '../test/support/smtp.ts'
import { identifierOf } from './add-users.ts'
import { type Client, createClient } from './client.ts'
import { startServer } from './start-server.ts'
import { areaUnderCurve, bootstrapInterval, createRandom, type Interval, median } from './statistics.ts'

/** What is asked, what it is answered, and what the server needs for it. */
const QUESTIONS = {
  login: { path: '/auth/login', status: 401, options: {} },
  reset: { path: '/auth/password/reset-request', status: 202, options: {} },
  registration: { path: '/auth/register', status: 202, options: { registration: 'confirm' } },
} as const
export type Question = keyof typeof QUESTIONS

export interface UnknownUserFigures {
  readonly engine: string
  readonly question: Question
  readonly about: string
  readonly hashing: 'cheapest' | 'default'
  readonly pairs: number
  /** 0.5: the time tells nothing. */
  readonly area: number
  readonly interval: Interval
  /** Milliseconds, medians. */
  readonly known: number
  readonly unknown: number
  /** Statements of one question. */
  readonly knownStatements: readonly string[]
  readonly unknownStatements: readonly string[]
}

export interface UnknownUserOptions {
  readonly question: Question
  readonly hashing: 'cheapest' | 'default'
  readonly pairs: number
}

/** The smallest that the options allow: the less time the hash takes, the less of a difference it can hide. */
const CHEAPEST = { argon2MemoryKib: 7168, argon2Iterations: 1 }
const WARM_UP = 50
const WRONG = 'not the passphrase of anybody'

export async function benchUnknownUser(engine: Engine, options: UnknownUserOptions): Promise<UnknownUserFigures> {
  const { question, hashing, pairs } = options
  const hashOptions = hashing === 'cheapest' ? CHEAPEST : {}
  const smtp = await startSmtp()
  try {
    const asking = { ...QUESTIONS[question], smtpPort: smtp.port, hashOptions }
    const times = await measure(engine, asking, pairs)
    const statements = await readStatements(engine, asking)
    return {
      engine: engine.name,
      question,
      about: engine.about,
      hashing,
      pairs,
      area: areaUnderCurve(times.unknown, times.known),
      interval: bootstrapInterval(times.unknown, times.known, areaUnderCurve),
      known: median(times.known),
      unknown: median(times.unknown),
      knownStatements: statements.known,
      unknownStatements: statements.unknown,
    }
  } finally {
    await smtp.stop()
  }
}

interface Asking {
  readonly path: string
  readonly status: number
  readonly options: Partial<GatebookOptions>
  readonly smtpPort: number
  readonly hashOptions: Partial<GatebookOptions>
}

/** As long and of the same shape as the names of the known ones. */
function unknownIdentifierOf(number: number): string {
  return identifierOf(number).replace('user', 'nobo')
}

async function ask(client: Client, { path, status: wanted }: Asking, identifier: string): Promise<number> {
  const question = path.endsWith('reset-request') ? { identifier } : { identifier, password: WRONG }
  const { status, body, milliseconds } = await client.post(path, question)
  if (status !== wanted) throw new Error(`${path} was answered ${status}: ${body}`)
  return milliseconds
}

async function measure(
  engine: Engine,
  asking: Asking,
  pairs: number,
): Promise<{ readonly known: number[]; readonly unknown: number[] }> {
  const database = await engine.createDatabase()
  // Every name once, so that none is throttled and each makes its counters.
  const server = await startServer({ ...settingsOf(asking, database.url), users: pairs + WARM_UP, count: false })
  const client = createClient(server.port, 1)
  const random = createRandom(Date.now())
  const known: number[] = []
  const unknown: number[] = []
  try {
    for (let pair = 0; pair < pairs + WARM_UP; pair++) {
      // Which of the two is first is drawn by lot, so that neither profits from the other.
      for (const isKnown of random() < 0.5 ? [true, false] : [false, true]) {
        const time = await ask(client, asking, isKnown ? identifierOf(pair) : unknownIdentifierOf(pair))
        if (pair >= WARM_UP) (isKnown ? known : unknown).push(time)
      }
    }
  } finally {
    client.close()
    await server.stop()
    await database.drop()
  }
  return { known, unknown }
}

function settingsOf({ options, hashOptions, smtpPort }: Asking, url: string) {
  return { url, smtpPort, options: { ...options, ...hashOptions } }
}

async function readStatements(
  engine: Engine,
  asking: Asking,
): Promise<{ readonly known: readonly string[]; readonly unknown: readonly string[] }> {
  const database = await engine.createDatabase()
  const server = await startServer({ ...settingsOf(asking, database.url), users: 2, count: true })
  const client = createClient(server.port, 1)
  try {
    // The address has its counter, and the connection has been opened.
    await ask(client, asking, identifierOf(0))
    await ask(client, asking, identifierOf(1))
    const known = await server.statements()
    await ask(client, asking, unknownIdentifierOf(1))
    return { known, unknown: await server.statements() }
  } finally {
    client.close()
    await server.stop()
    await database.drop()
  }
}

export function formatUnknownUserFigures(figures: readonly UnknownUserFigures[]): string {
  const rows = figures.map((f) =>
    [
      f.engine,
      f.question,
      f.hashing,
      f.pairs,
      `**${f.area.toFixed(3)}**`,
      `${f.interval.low.toFixed(3)}–${f.interval.high.toFixed(3)}`,
      f.known.toFixed(2),
      f.unknown.toFixed(2),
      f.knownStatements.length,
      f.unknownStatements.length,
      f.knownStatements.join(';') === f.unknownStatements.join(';') ? 'yes' : '**no**',
    ].join(' | '),
  )
  const head = [
    'engine | question | Argon2id | pairs | AUC | 95 % | known user, ms | unknown, ms | statements, known | unknown | the same ones',
    '--- | --- | --- | --- | --- | --- | --- | --- | --- | --- | ---',
  ]
  return [...head, ...rows].map((row) => `| ${row} |`).join('\n')
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      pairs: { type: 'string', default: '2000' },
      'default-pairs': { type: 'string', default: '300' },
    },
  })
  const found = await findEngines()
  for (const { name, why } of found.missing) console.error(`${name}: ${why}`)
  try {
    for (const address of found.engines) {
      const engine = openEngine(address)
      const figures: UnknownUserFigures[] = []
      for (const question of Object.keys(QUESTIONS) as Question[]) {
        figures.push(await benchUnknownUser(engine, { question, hashing: 'cheapest', pairs: Number(values.pairs) }))
      }
      const defaultPairs = Number(values['default-pairs'])
      figures.push(await benchUnknownUser(engine, { question: 'login', hashing: 'default', pairs: defaultPairs }))
      console.log(`\n${address.about}\n\n${formatUnknownUserFigures(figures)}`)
    }
  } finally {
    await found.close()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
