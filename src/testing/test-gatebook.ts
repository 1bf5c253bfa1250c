import { randomBytes } from 'node:crypto'
import type { EventFilter, Gatebook, SessionGrant, SessionTokens } from '../api.ts'
import type { LogEvent } from '../event/event.ts'
import { createGatebook } from '../gatebook.ts'
import type { GatebookOptions } from '../options.ts'
import { sqlite } from '../store/dialects/sqlite.ts'
import { CHEAP_HASHES } from './cheap-hashes.ts'
import { compareEvents } from './compare-events.ts'
import type { ExpectedEvent } from './expected-event.ts'
import { createFakeClock, type FakeClock } from './fake-clock.ts'
import { readEvents } from './read-events.ts'

/** The password of every user that `signIn` makes, unless it is given another one. */
export const TEST_PASSWORD = 'a pass phrase for tests'

/** Known to everybody who can read this: what a test leaves is proof of nothing. */
const LOG_KEY = 'PRIVATE+KEY+app.example/log-test+289323d5+AS/hp3QxAzkJTU9pJHHrBs0G5GEssyiZ0DNUZ+N16dUv'

/** Those of `createGatebook`, all optional, and a clock that can be moved. */
export interface TestGatebookOptions extends Partial<Omit<GatebookOptions, 'clock'>> {
  /** Default `createFakeClock()`. Two gates with the same clock grow old together. */
  readonly clock?: FakeClock
}

/** A user that Gatebook keeps. */
export interface TestUser {
  /** Default: one that no other user of this gate has. */
  readonly identifier?: string
  /** Default TEST_PASSWORD. */
  readonly password?: string
  /** Granted where the user does not have them yet; none is taken away. */
  readonly roles?: readonly string[]
  /** In each access token of this user from now on, beside what the option `claims` adds. */
  readonly claims?: Readonly<Record<string, unknown>>
}

export interface SignedIn {
  readonly userId: string
  readonly sessionId: string
  readonly accessToken: string
  readonly refreshToken: string
  /** For `fetch` and whatever else sends requests. */
  readonly headers: { readonly Authorization: string }
}

export interface TestGatebook {
  /** A real one: hand it to the application under test. */
  readonly gate: Gatebook
  /** Decides what has expired. Timers are not moved by it. */
  readonly clock: FakeClock
  /**
   * Logs one of Gatebook's users in, who is made if there is none with this identifier. Leaves the same events as by hand:
   * `user.registered` and `role.granted` where that happens, then `login.succeeded`. Throws what `gate.users.create` and
   * `gate.login` throw: ERR_LOGIN_REFUSED for a user who is disabled or has another password.
   */
  signIn(user?: TestUser): Promise<SignedIn>
  /**
   * Starts a session for a user of the application's own. Leaves `login.succeeded`. Throws ERR_USER_ID_INVALID,
   * ERR_ROLE_INVALID, ERR_CLAIMS_INVALID, ERR_LOGIN_REFUSED.
   */
  signInAs(userId: string | number, grant?: SessionGrant): Promise<SignedIn>
  /** Oldest first, with what the opening left. Throws ERR_QUERY_INVALID. */
  events(filter?: EventFilter): Promise<readonly LogEvent[]>
  /**
   * Exactly these events, in this order, since the last call or since the gate was opened. Throws AssertionError of
   * `node:assert`, whose message shows each event that is missing, not expected or another one; TypeError for an expected
   * event that cannot exist.
   */
  expectEvents(expected: readonly ExpectedEvent[]): Promise<void>
  /** Idempotent. What was in memory is gone. */
  close(): Promise<void>
  /** `await using kit = await createTestGatebook()` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * A Gatebook for tests of what is built on it: in memory unless `database` says otherwise, with a random secret, the
 * cheapest password hashes, access tokens that live their whole life and a clock that stands still. Throws what `createGatebook` throws.
 */
export async function createTestGatebook(options: TestGatebookOptions = {}): Promise<TestGatebook> {
  const clock = options.clock ?? createFakeClock()
  const ownClaims = new Map<string, Readonly<Record<string, unknown>>>()
  // A secret in a file is an answer to the same question, and both at once would not be one.
  const secret = options.secretFile === undefined ? { secret: randomBytes(32).toString('base64url') } : {}
  const gate = await createGatebook({
    issuer: 'https://app.test',
    database: sqlite(':memory:'),
    ...secret,
    logKey: LOG_KEY,
    logGuard: ':memory:',
    ...CHEAP_HASHES,
    accessTokenJitterPercent: 0,
    ...options,
    clock,
    claims: async (subject) => ({ ...(await options.claims?.(subject)), ...ownClaims.get(subject.userId) }),
  })
  const seen = new Set((await readEvents(gate)).map(({ id }) => id))
  let people = 0

  async function ensureUser(identifier: string, { password, roles = [] }: TestUser): Promise<string> {
    const known = await gate.users.findByIdentifier(identifier)
    if (known === null) {
      return (await gate.users.create({ identifier, password: password ?? TEST_PASSWORD, roles })).id
    }
    for (const role of roles) await gate.users.grantRole(known.id, role)
    return known.id
  }

  async function freeIdentifier(): Promise<string> {
    for (;;) {
      people += 1
      const identifier = `user-${people}@app.test`
      if ((await gate.users.findByIdentifier(identifier)) === null) return identifier
    }
  }

  const kit: TestGatebook = {
    gate,
    clock,
    async signIn(user = {}) {
      const identifier = user.identifier ?? (await freeIdentifier())
      const userId = await ensureUser(identifier, user)
      if (user.claims !== undefined) ownClaims.set(userId, user.claims)
      return signedIn(await gate.login({ identifier, password: user.password ?? TEST_PASSWORD }))
    },
    signInAs: async (userId, grant) => signedIn(await gate.sessions.start(userId, grant)),
    events: (filter) => readEvents(gate, filter),
    async expectEvents(expected) {
      const left = (await readEvents(gate)).filter(({ id }) => !seen.has(id))
      for (const { id } of left) seen.add(id)
      compareEvents(left, expected, kit.expectEvents)
    },
    close: () => gate.close(),
    [Symbol.asyncDispose]: () => gate.close(),
  }
  return kit
}

function signedIn({ userId, sessionId, accessToken, refreshToken }: SessionTokens): SignedIn {
  return { userId, sessionId, accessToken, refreshToken, headers: { Authorization: `Bearer ${accessToken}` } }
}
