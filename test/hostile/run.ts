import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Gatebook } from '../../src/api.ts'
import { ERROR_CODES, type ErrorCode } from '../../src/errors.ts'
import { createGatebook } from '../../src/gatebook.ts'
import { parseDatabaseUrl } from '../../src/server/database-url.ts'
import type { OpenDatabase } from '../../src/store/dialect.ts'
import { initial } from '../../src/store/migrations/0001-initial.ts'
import type { Tables } from '../../src/store/tables.ts'
import { type ServerProcess, startServerProcess } from '../fault/server-process.ts'
import type { Engine } from '../support/engine.ts'
import { signingOf } from '../support/log-signing.ts'
import { type ReceivedMail, startSmtp } from '../support/smtp.ts'
import { PLANTED } from './draft.ts'
import { exchange, type RawAnswer } from './exchange.ts'
import { type ApiDocument, generateRequest, type HostileRequest, type Known } from './generate.ts'
import { Lot } from './values.ts'

export interface HostileOptions {
  readonly requests: number
  /** The same seed makes the same requests, but for tokens. */
  readonly seed: number
  /** Also requests that never end; they take half a minute. */
  readonly slow: boolean
}

export interface HostileReport {
  readonly requests: number
  /** How often each answer came: `201`, or `422 ERR_BODY_INVALID`. */
  readonly answers: ReadonlyMap<string, number>
  readonly events: number
  readonly diagnosticLines: number
  readonly mails: number
  readonly problems: readonly string[]
}

const CONNECTIONS = 24
/** Requests between two log-ins of those whose tokens are used: some requests end their sessions. */
const ROUND = 250
/** For those who are gone to be noticed, and for the first publication. */
const ARCHIVE_MILLISECONDS = 10_000
const SAME = { issuer: 'http://localhost', argon2MemoryKib: 7168, argon2Iterations: 1 } as const
const PASSWORD = 'a long enough pass phrase'
/** What the columns of no declared length may hold; they are capped where they are written. */
const UNBOUNDED = 16_384

/**
 * Sends generated requests to a real server with raw sockets, and then looks at all that they have left behind: answers,
 * every text in the database, every diagnostics line, every mail.
 */
export async function runHostile(engine: Engine, options: HostileOptions): Promise<HostileReport> {
  const database = await engine.createDatabase()
  const smtp = await startSmtp()
  const secret = randomBytes(32).toString('base64')
  const problems: string[] = []
  const answers = new Map<string, number>()
  let server: ServerProcess | null = null
  try {
    server = await startServerProcess({
      GATEBOOK_DATABASE: database.url,
      GATEBOOK_SECRET: secret,
      GATEBOOK_ISSUER: SAME.issuer,
      GATEBOOK_DIAGNOSTICS_LEVEL: 'debug',
      GATEBOOK_TRUSTED_PROXIES: '127.0.0.1',
      GATEBOOK_COOKIES: 'lax',
      GATEBOOK_REGISTRATION: options.seed % 2 === 0 ? 'open' : 'confirm',
      GATEBOOK_SMTP_URL: `smtp://127.0.0.1:${smtp.port}`,
      GATEBOOK_MAIL_FROM: 'no-reply@app.example',
      GATEBOOK_THROTTLE_ADDRESS_FAILURES: '100000',
      GATEBOOK_ARGON2_MEMORY_KIB: String(SAME.argon2MemoryKib),
      GATEBOOK_ARGON2_ITERATIONS: String(SAME.argon2Iterations),
    })
    const tally = { answers, problems }
    const gate = await createGatebook({
      ...SAME,
      database: parseDatabaseUrl(database.url),
      secret,
      ...signingOf(database.url),
    })
    const slow = options.slow ? askSlowly(Number(new URL(server.url).port), tally) : null
    const secrets = await askAll(server.url, gate, options, tally).finally(() => gate.close())
    await slow
    const book = await parseDatabaseUrl(database.url).connect()
    try {
      if (server.exitCode() !== null) problems.push(`the server ended with ${server.exitCode()}`)
      await server.stop()
      const lines = server.diagnostics()
      server = null
      problems.push(...checkLines(lines, [PLANTED, PASSWORD, secret, ...secrets]))
      problems.push(...smtp.mails.flatMap(checkMail))
      problems.push(...(await checkTables(book, [PLANTED, PASSWORD, ...secrets])))
      const { events } = await book.kysely
        .selectFrom('gatebook_event')
        .select((eb) => eb.fn.countAll<number>().as('events'))
        .executeTakeFirstOrThrow()
      return {
        requests: options.requests,
        answers,
        events: Number(events),
        diagnosticLines: lines.split('\n').length - 1,
        mails: smtp.mails.length,
        problems: problems.slice(0, 50),
      }
    } finally {
      await book.close()
    }
  } finally {
    await server?.kill()
    await smtp.stop()
    await database.drop()
  }
}

interface Tally {
  readonly answers: Map<string, number>
  readonly problems: string[]
}

/** Returns the secrets that were given out. */
async function askAll(url: string, gate: Gatebook, options: HostileOptions, tally: Tally): Promise<string[]> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as ApiDocument
  const port = Number(new URL(url).port)
  const lot = new Lot(options.seed)
  const secrets: string[] = []
  for (let done = 0; done < options.requests; done += ROUND) {
    const known = await logInBoth(gate, done)
    secrets.push(known.adminToken, known.userToken, known.refreshToken)
    const round = Array.from({ length: Math.min(ROUND, options.requests - done) }, (_, at) =>
      generateRequest(document, known, lot, done + at),
    )
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        for (let request = round.pop(); request !== undefined; request = round.pop()) await ask(port, request, tally)
      }),
    )
  }
  const { adminToken } = await logInBoth(gate, options.requests)
  secrets.push(adminToken)
  await askForArchive(url, adminToken, tally)
  return secrets
}

/** Whoever has asked for an archive and gone away, in whatever way, must not keep its place. */
async function askForArchive(url: string, token: string, { problems }: Tally): Promise<void> {
  const until = performance.now() + ARCHIVE_MILLISECONDS
  for (;;) {
    const { status } = await fetch(`${url}/admin/api/integrity/export`, {
      headers: { Authorization: `Bearer ${token}` },
    }).then(async (response) => {
      await response.arrayBuffer()
      return response
    })
    if (status === 200) return
    if (performance.now() >= until) {
      problems.push(`nobody asks for anything any more, and the archive is answered ${status}`)
      return
    }
    await sleep(100)
  }
}

async function logInBoth(gate: Gatebook, round: number): Promise<Known> {
  const admin = { identifier: `admin${round}@app.example`, password: PASSWORD }
  const user = { identifier: round === 0 ? 'victim@app.example' : `victim${round}@app.example`, password: PASSWORD }
  await gate.users.create({ ...admin, roles: ['admin'] })
  await gate.users.create(user)
  const [{ accessToken: adminToken }, tokens] = await Promise.all([gate.login(admin), gate.login(user)])
  const { accessToken: userToken, userId, sessionId, refreshToken } = tokens
  return { adminToken, userToken, userId, sessionId, refreshToken }
}

async function ask(port: number, request: HostileRequest, { answers, problems }: Tally): Promise<void> {
  const complain = (problem: string) => problems.push(`${request.label}: ${problem}: ${quote(request)}`)
  let replies: RawAnswer[]
  try {
    replies = await exchange(port, request)
  } catch (error) {
    complain((error as Error).message)
    return
  }
  if (replies.length < request.answers && !replies.at(-1)?.endless)
    complain(`${replies.length} answers out of ${request.answers}`)
  for (const reply of replies) {
    const code = /"code":"(\w+)"/.exec(reply.body)?.[1]
    const key = code === undefined ? String(reply.status) : `${reply.status} ${code}`
    answers.set(key, (answers.get(key) ?? 0) + 1)
    const isHead = request.methods[replies.indexOf(reply)] === 'HEAD'
    const isOauth = OAUTH_OPERATIONS.test(request.label)
    const problem = whatIsWrong(reply, { isHead, isOauth, mayBeCrowded: ARCHIVES.test(request.label) })
    if (problem !== null) complain(problem)
  }
}

function quote({ parts }: HostileRequest): string {
  const bytes = Buffer.concat(parts)
  return JSON.stringify(bytes.toString('latin1').slice(0, 600)) + (bytes.length > 600 ? `… ${bytes.length} bytes` : '')
}

const OUR_COOKIE = /^gatebook-(access|refresh|device)=[\w.-]*; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Lax$/

const OAUTH_OPERATIONS = /^(redeem|introspect|revokeToken)\b/
/** Of RFC 6749 §5.2. */
const OAUTH_ERRORS: readonly unknown[] = [
  'invalid_client',
  'invalid_grant',
  'invalid_request',
  'unsupported_grant_type',
  'temporarily_unavailable',
]

/** Two archives at a time are made, and more than that are asked for at once here; `askForArchive` sees that each gives its place back. */
const ARCHIVES = /^exportLog\b/

function isCrowded(status: number, headers: ReadonlyMap<string, string>, body: string | null): boolean {
  return (
    status === 503 && headers.has('retry-after') && (body === null || body.includes('"code":"ERR_STREAMS_EXHAUSTED"'))
  )
}

function whatIsWrong(
  { status, headers, body }: RawAnswer,
  { isHead, isOauth, mayBeCrowded }: { readonly [is in 'isHead' | 'isOauth' | 'mayBeCrowded']: boolean },
): string | null {
  if (status >= 500 && !(mayBeCrowded && isCrowded(status, headers, isHead ? null : body)))
    return `answered ${status} ${body}`
  if (body.includes(PLANTED)) return `the answer repeats a secret: ${body}`
  if (!headers.has('x-request-id')) return `no X-Request-Id with ${status}`
  if (headers.has('x-injected')) return 'a header was injected'
  const cookies = headers.get('set-cookie')?.split('\n') ?? []
  if (cookies.some((cookie) => !OUR_COOKIE.test(cookie))) return 'a cookie was injected'
  if (cookies.length > 0 && status >= 300) return `a cookie with ${status}`
  if (headers.get('cache-control') === undefined) return `no Cache-Control with ${status}`
  if (isHead || status < 400) return null
  if (isOauth && headers.get('content-type') === 'application/json') {
    const { error } = JSON.parse(body) as { error: unknown }
    return OAUTH_ERRORS.includes(error) ? null : `an unknown error ${error}`
  }
  if (headers.get('content-type') !== 'application/problem+json') return `no problem document with ${status}`
  const problem = JSON.parse(body) as { code: string; status: number; detail: string }
  const row = ERROR_CODES[problem.code as ErrorCode] as { status: number; message: string } | undefined
  if (row === undefined) return `an unknown code ${problem.code}`
  if (row.status !== status || problem.status !== status) return `status ${status} with ${problem.code}`
  return problem.detail === row.message ? null : `another sentence: ${problem.detail}`
}

/** Two that never end: the header, and the body. */
async function askSlowly(port: number, tally: Tally): Promise<void> {
  const begun = (label: string, text: string): HostileRequest => ({
    label,
    parts: [Buffer.from(text)],
    pauseMilliseconds: 0,
    answers: 1,
    methods: ['POST'],
    isPatient: true,
  })
  const head = 'POST /auth/login HTTP/1.1\r\nHost: localhost\r\n'
  const body = 'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"identifier":"a'
  const before = tally.answers.get('408 ERR_REQUEST_TIMEOUT') ?? 0
  await Promise.all([
    ask(port, begun('a header that never ends', head), tally),
    ask(port, begun('a body that never ends', head + body), tally),
  ])
  const timeouts = (tally.answers.get('408 ERR_REQUEST_TIMEOUT') ?? 0) - before
  if (timeouts !== 2) tally.problems.push(`${timeouts} of two endless requests were answered with 408`)
}

/** One JSON object a line, with nothing in it that a terminal obeys, and no secret. */
function checkLines(text: string, secrets: readonly string[]): string[] {
  const problems = secrets.filter((secret) => text.includes(secret)).map((secret) => `a diagnostics line has ${secret}`)
  for (const line of text.split('\n').slice(0, -1)) {
    const { level, message } = parseLine(line)
    if (!['debug', 'info', 'warn'].includes(String(level)))
      problems.push(`a diagnostics line of level ${level}: ${line}`)
    if (typeof message !== 'string' || message.includes('forged')) problems.push(`no line of ours: ${line}`)
    if (UNSAFE.test(line)) problems.push(`a diagnostics line that a terminal obeys: ${JSON.stringify(line)}`)
  }
  return problems
}

function parseLine(line: string): { level?: unknown; message?: unknown } {
  try {
    return JSON.parse(line)
  } catch {
    return { level: 'which is no JSON' }
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/

function checkMail({ to, headers, raw }: ReceivedMail): string[] {
  const problems: string[] = []
  if (to.length !== 1) problems.push(`a mail to ${to.length} addresses: ${to.join(' ')}`)
  if (to.some((address) => address.startsWith('boss'))) problems.push('a mail to somebody who was put in by a comma')
  if ('x-injected' in headers || 'set-cookie' in headers) problems.push('a header was put into a mail')
  if (raw.includes(PLANTED)) problems.push('a mail repeats a secret')
  return problems
}

/** Every text in every table is within what the column may hold, also where the engine does not see to that, and is no secret. */
async function checkTables({ kysely }: OpenDatabase, secrets: readonly string[]): Promise<string[]> {
  const problems: string[] = []
  for (const [table, caps] of declaredCaps()) {
    const rows = (await kysely.selectFrom(table).selectAll().execute()) as Record<string, unknown>[]
    for (const row of rows) {
      for (const [column, value] of Object.entries(row)) {
        if (value === null || typeof value === 'number' || typeof value === 'bigint' || value instanceof Date) continue
        const text = value instanceof Uint8Array ? Buffer.from(value).toString() : String(value)
        const cap = caps.get(column) ?? UNBOUNDED
        if ([...text].length > cap) problems.push(`${table}.${column} holds ${[...text].length} characters of ${cap}`)
        const found = secrets.find((secret) => text.includes(secret))
        if (found !== undefined) problems.push(`${table}.${column} holds ${found}`)
      }
    }
  }
  return problems
}

/** Column → its declared number of characters, of every table. */
function declaredCaps(): Map<keyof Tables, Map<string, number>> {
  const tables = new Map<keyof Tables, Map<string, number>>()
  for (const statement of initial('mysql')) {
    const table = /^CREATE TABLE IF NOT EXISTS (\w+)/.exec(statement)?.[1]
    if (table === undefined) continue
    const caps = [...statement.matchAll(/^ {2}(\w+) VARCHAR\((\d+)\)/gm)]
    tables.set(table as keyof Tables, new Map(caps.map(([, column, cap]) => [String(column), Number(cap)])))
  }
  return tables
}
