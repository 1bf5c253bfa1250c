/**
 * 100,000 users brought along while a server answers log-ins: how long it takes, and what those who log in notice. See
 * README.md.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createArgon2idHasher } from '../src/credential/hashers/argon2id.ts'
import { createGatebook } from '../src/gatebook.ts'
import { parseDatabaseUrl } from '../src/server/database-url.ts'
import { startServerProcess } from '../test/fault/server-process.ts'
import { type Engine, openEngine } from '../test/support/engine.ts'
import { findEngines } from '../test/support/find-engines.ts'
import { signingEnvironment } from '../test/support/log-signing.ts'
import { addUsers, identifierOf, PASSWORD } from './add-users.ts'
import { createClient } from './client.ts'
import { median, quantile } from './statistics.ts'

export interface ImportFigures {
  readonly engine: string
  readonly about: string
  readonly users: number
  readonly seconds: number
  /** Log-ins, one after the other with pauses, in milliseconds. */
  readonly before: Times
  readonly during: Times
  readonly problems: readonly string[]
}

interface Times {
  readonly count: number
  readonly median: number
  readonly p99: number
}

const PROGRAM = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const KNOWN = 100
const BEFORE_SECONDS = 15
const PAUSE_MILLISECONDS = 50

export async function benchImport(engine: Engine, users: number): Promise<ImportFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'gatebook-bench-import-'))
  const database = await engine.createDatabase()
  const environment = {
    GATEBOOK_DATABASE: database.url,
    GATEBOOK_SECRET: randomBytes(32).toString('base64'),
    ...signingEnvironment(database.url),
  }
  const opened = parseDatabaseUrl(database.url)
  const gate = await createGatebook({
    issuer: 'http://localhost',
    database: opened,
    secret: environment.GATEBOOK_SECRET,
    logSigning: 'off',
  })
  await addUsers(opened, KNOWN, await createArgon2idHasher().hash(PASSWORD))
  await gate.close()
  const file = join(folder, 'users.jsonl')
  await writeUsers(file, users)
  const server = await startServerProcess({
    ...environment,
    GATEBOOK_ISSUER: 'http://localhost',
    GATEBOOK_DIAGNOSTICS_LEVEL: 'error',
    GATEBOOK_THROTTLE_ADDRESS_FAILURES: '100000',
  })
  const client = createClient(Number(new URL(server.url).port), 1)
  const problems: string[] = []

  async function logIn(until: () => boolean): Promise<Times> {
    const times: number[] = []
    for (let count = 0; !until(); count++) {
      const answer = await client.post('/auth/login', { identifier: identifierOf(count % KNOWN), password: PASSWORD })
      if (answer.status === 200) times.push(answer.milliseconds)
      else problems.push(`a log-in was answered ${answer.status}: ${answer.body}`)
      await sleep(PAUSE_MILLISECONDS)
    }
    return { count: times.length, median: median(times), p99: quantile(times, 0.99) }
  }

  try {
    await logIn(after(3))
    const before = await logIn(after(BEFORE_SECONDS))
    const begun = performance.now()
    const child = spawn(process.execPath, [PROGRAM, 'user', 'import', file, '--json'], {
      env: { PATH: process.env.PATH, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let printed = ''
    child.stdout.on('data', (part: Buffer) => {
      printed += part
    })
    const exited = once(child, 'exit')
    let ended = false
    void exited.then(() => {
      ended = true
    })
    const during = await logIn(() => ended)
    const [status] = await exited
    const seconds = (performance.now() - begun) / 1000
    const { imported } = JSON.parse(printed || '{}') as { imported?: number }
    if (status !== 0 || imported !== users) problems.push(`the import ended with ${status}: ${printed}`)
    return { engine: engine.name, about: engine.about, users, seconds, before, during, problems }
  } finally {
    client.close()
    await server.stop()
    await database.drop()
    await rm(folder, { recursive: true })
  }
}

function after(seconds: number): () => boolean {
  const end = performance.now() + seconds * 1000
  return () => performance.now() > end
}

async function writeUsers(path: string, users: number): Promise<void> {
  const file = createWriteStream(path)
  for (let number = 0; number < users; number++) {
    const row = {
      identifier: `imported-${number}@example.test`,
      password_hash: `$2b$10$${randomBytes(40).toString('hex').slice(0, 53)}`,
      roles: number % 10 === 0 ? ['editor'] : [],
      created_at: 1_500_000_000_000 + number,
    }
    if (!file.write(`${JSON.stringify(row)}\n`)) await once(file, 'drain')
  }
  file.end()
  await once(file, 'close')
}

export function formatImportFigures(figures: readonly ImportFigures[]): string {
  const times = ({ count, median, p99 }: Times): string => `${count} | ${median.toFixed(0)} | ${p99.toFixed(0)}`
  const rows = figures.map((f) =>
    [
      f.engine,
      f.users,
      `**${f.seconds.toFixed(0)}**`,
      Math.round(f.users / f.seconds),
      times(f.before),
      times(f.during),
      (f.during.p99 / f.before.p99).toFixed(1),
      f.problems.length,
    ].join(' | '),
  )
  const head = [
    'engine | users | seconds | users/s | log-ins before | median, ms | p99 | log-ins during | median, ms | p99 | times | problems',
    '--- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | ---',
  ]
  return [...head, ...rows].map((row) => `| ${row} |`).join('\n')
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { users: { type: 'string', default: '100000' } } })
  const found = await findEngines()
  for (const { name, why } of found.missing) console.error(`${name}: ${why}`)
  try {
    for (const address of found.engines) {
      const figures = await benchImport(openEngine(address), Number(values.users))
      console.log(`\n${address.about}\n\n${formatImportFigures([figures])}`)
      for (const problem of figures.problems) console.log(`- ${problem}`)
    }
  } finally {
    await found.close()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
