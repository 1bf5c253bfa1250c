import { expect, onTestFinished } from 'vitest'
import type { Gatebook, RequestContext } from '../../src/api.ts'
import type { LogEvent } from '../../src/event/event.ts'
import { createGatebook } from '../../src/gatebook.ts'
import type { Diagnostics, GatebookOptions } from '../../src/options.ts'
import type { Dialect, OpenDatabase } from '../../src/store/dialect.ts'
import { mysql } from '../../src/store/dialects/mysql.ts'
import { postgres } from '../../src/store/dialects/postgres.ts'
import { sqlite } from '../../src/store/dialects/sqlite.ts'
import { CHEAP_HASHES } from '../../src/testing/cheap-hashes.ts'
import { createFakeClock, type FakeClock } from '../../src/testing/fake-clock.ts'
import { readEvents } from '../../src/testing/read-events.ts'
import type { Engine, TestDatabase } from './engine.ts'
import { signingOf } from './log-signing.ts'

export const ISSUER = 'https://app.example'
export const SECRET = 'Zk3Jq0vY8zW2nT6rB5xM1cF9hL4pS7dGa'
export const PASSWORD = 'a long enough pass phrase'
export const WRONG_PASSWORD = 'another long enough phrase'

export { CHEAP_HASHES, createFakeClock }

export interface DiagnosticsLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly fields: object
  readonly message: string
}

/** One end user: a name and an address that no other test on this gate uses. */
export interface Person {
  readonly identifier: string
  readonly password: string
  readonly context: RequestContext
  /** How events tell where this person calls from. */
  readonly from: string
}

export interface TestGate {
  readonly gate: Gatebook
  readonly clock: FakeClock
  readonly database: TestDatabase
  /** Another connection to the same database, for looking and for meddling. */
  readonly direct: OpenDatabase
  readonly diagnostics: readonly DiagnosticsLine[]
  person(name?: string): Person
  /** A second gate on the same database, as another process would open it. Same clock, own connections. */
  another(options?: Partial<GatebookOptions>): Promise<Gatebook>
  /** Every event, oldest first. */
  events(): Promise<readonly LogEvent[]>
  close(): Promise<void>
}

/** The dialect for the URL of a test database. */
export function dialectOf(url: string): Dialect {
  if (url.startsWith('sqlite:')) return sqlite(url.slice('sqlite:'.length))
  return url.startsWith('postgres') ? postgres(url) : mysql(url)
}

/** A gate on a fresh database for one test; both are gone when it ends. */
export async function openOwnGate(engine: Engine, options: Partial<GatebookOptions> = {}): Promise<TestGate> {
  const on = await openGate(engine, options)
  onTestFinished(() => on.close())
  return on
}

/** A gate on a fresh database. */
export async function openGate(engine: Engine, options: Partial<GatebookOptions> = {}): Promise<TestGate> {
  const database = await engine.createDatabase()
  const clock = createFakeClock()
  const diagnostics: DiagnosticsLine[] = []
  const opened: Gatebook[] = []
  const open = async (more: Partial<GatebookOptions>): Promise<Gatebook> => {
    const gate = await createGatebook({
      issuer: ISSUER,
      database: dialectOf(database.url),
      secret: SECRET,
      ...signingOf(database.url),
      clock,
      diagnostics: recordDiagnostics(diagnostics),
      sequencerMilliseconds: 20,
      revocationPollMilliseconds: 50,
      ...CHEAP_HASHES,
      accessTokenJitterPercent: 0,
      ...more,
    })
    opened.push(gate)
    return gate
  }
  const gate = await open(options)
  const direct = await dialectOf(database.url).connect()
  let people = 0
  return {
    gate,
    clock,
    database,
    direct,
    diagnostics,
    person(name = 'anna') {
      people += 1
      const ip = `198.51.${100 + Math.floor(people / 250)}.${1 + (people % 250)}`
      return {
        identifier: `${name}-${people}@example.org`,
        password: PASSWORD,
        context: { ip, ipSource: 'socket', userAgent: 'test/1', requestId: `request-${people}` },
        from: `${ip} socket`,
      }
    },
    another: (more = {}) => open({ ...options, ...more }),
    async events() {
      for (const each of opened) await codeOf(each.log.flush())
      return readEvents(gate)
    },
    async close() {
      await Promise.all(opened.map((each) => each.close()))
      await direct.close()
      await database.drop()
    },
  }
}

export function recordDiagnostics(lines: DiagnosticsLine[]): Diagnostics {
  const record = (level: DiagnosticsLine['level']) => (fields: object, message: string) =>
    void lines.push({ level, fields, message })
  return { debug: record('debug'), info: record('info'), warn: record('warn'), error: record('error') }
}

/** What a scenario says about each event that it leaves. What is left out must not be there. */
export interface ExpectedEvent {
  /** Type, outcome and, where it has one, reason: `login.failed failure wrong-password`. */
  readonly event: string
  /** `self` is the user whom the event is about; otherwise the kind, and the id where there is one. */
  readonly actor: string
  readonly subject?: string
  /** How the log names what was typed. */
  readonly identifier?: 'clear' | 'masked' | 'digest'
  readonly session?: string
  /** Address and where it was taken from. */
  readonly from?: string
  readonly data?: object
}

function tell(event: LogEvent): ExpectedEvent {
  const { type, outcome, reason, actor, subject, identifier, identifierMask, identifierHmac, sessionId, ip } = event
  const self = actor.kind === 'user' && actor.id !== null && actor.id === subject
  const naming = identifier ? 'clear' : identifierMask ? 'masked' : identifierHmac ? 'digest' : undefined
  return {
    event: [type, outcome, reason].filter((word) => word !== null).join(' '),
    actor: self ? 'self' : actor.id === null ? actor.kind : `${actor.kind} ${actor.id}`,
    ...(subject !== null && { subject }),
    ...(naming !== undefined && { identifier: naming }),
    ...(sessionId !== null && { session: sessionId }),
    ...(ip !== null && { from: `${ip} ${event.ipSource}` }),
    ...(Object.keys(event.data).length > 0 && { data: event.data }),
  }
}

export interface Scenario {
  /** Exactly these events, in this order, since the scenario began or since the last call. */
  expectEvents(expected: readonly ExpectedEvent[]): Promise<void>
}

/**
 * Watches a test: whatever it leaves in the log has to be stated with `expectEvents`, and an event that was not fails the
 * test when it ends.
 */
export async function scenario(on: TestGate): Promise<Scenario> {
  let seen = (await on.events()).length
  const unstated = async (): Promise<ExpectedEvent[]> => {
    const events = (await on.events()).slice(seen)
    seen += events.length
    return events.map(tell)
  }
  onTestFinished(async () => {
    expect(await unstated(), 'events that the scenario does not state').toEqual([])
  })
  return {
    async expectEvents(expected) {
      expect(await unstated()).toEqual(expected)
    },
  }
}

/** The error code that a call is refused with; `no error` when it is not. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'no error'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

/** Waits until `check` returns something, and fails with `what` when it does not. */
export async function until<T>(
  what: string,
  check: () => Promise<T | undefined | false | null>,
  patience = 10_000,
): Promise<T> {
  const giveUpAt = Date.now() + patience
  for (;;) {
    const found = await check()
    if (found !== undefined && found !== false && found !== null) return found
    if (Date.now() > giveUpAt) throw new Error(`waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
