import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AccessClaims, SessionTokens } from '../../src/api.ts'
import { availableEngines } from '../support/engines.ts'
import {
  codeOf,
  type ExpectedEvent,
  openGate,
  openOwnGate,
  PASSWORD,
  type Person,
  scenario,
  type TestGate,
  WRONG_PASSWORD,
} from '../support/gate.ts'

const NEXT_PASSWORD = 'yet another pass phrase'

describe.each(availableEngines)('the password on $name', (engine) => {
  let on: TestGate
  beforeAll(async () => {
    on = await openGate(engine)
  })
  afterAll(() => on.close())

  interface LoggedIn {
    readonly anna: Person
    readonly tokens: SessionTokens
    readonly claims: AccessClaims
    /** What is the same in every event about this user and this session. */
    readonly about: Omit<ExpectedEvent, 'event'>
  }

  async function loggedIn(gate = on): Promise<LoggedIn> {
    const anna = gate.person()
    const tokens = await gate.gate.register(anna, anna.context)
    const claims = await gate.gate.tokens.verify(tokens.accessToken)
    const about = { actor: 'self', subject: tokens.userId, session: tokens.sessionId, from: anna.from }
    return { anna, tokens, claims, about }
  }

  test('is changed by who knows the old one, and ends the other sessions', async () => {
    const { anna, tokens, claims, about } = await loggedIn()
    const other = await on.gate.login(anna)
    const { expectEvents } = await scenario(on)
    const input = { claims, currentPassword: PASSWORD, newPassword: NEXT_PASSWORD }
    await on.gate.changePassword(input, anna.context)
    await expectEvents([
      { ...about, event: 'password.changed success' },
      { ...about, event: 'session.ended success password-changed', session: other.sessionId },
    ])
    expect(await codeOf(on.gate.tokens.verify(tokens.accessToken))).toBe('no error')
    expect(await codeOf(on.gate.tokens.verify(other.accessToken))).toBe('ERR_TOKEN_REVOKED')
    expect(await codeOf(on.gate.login(anna))).toBe('ERR_LOGIN_REFUSED')
    const next = await on.gate.login({ ...anna, password: NEXT_PASSWORD })
    const login = { actor: 'self', subject: tokens.userId, identifier: 'clear' } as const
    await expectEvents([
      { ...login, event: 'login.failed failure wrong-password', actor: 'anonymous' },
      {
        ...login,
        event: 'login.succeeded success',
        session: next.sessionId,
        data: { known_device: false, rehashed: false },
      },
    ])
  })

  test('is not changed by who does not, and that counts like a wrong log-in', async () => {
    const own = await openOwnGate(engine, { throttlePairFree: 2 })
    const { anna, claims, about } = await loggedIn(own)
    const { expectEvents } = await scenario(own)
    const change = (currentPassword: string) =>
      own.gate.changePassword({ claims, currentPassword, newPassword: NEXT_PASSWORD }, anna.context)
    expect(await codeOf(change(WRONG_PASSWORD))).toBe('ERR_PASSWORD_WRONG')
    expect(await codeOf(change(''))).toBe('ERR_PASSWORD_WRONG')
    const refusal = await change(PASSWORD).catch((error) => error)
    expect(refusal).toMatchObject({ code: 'ERR_THROTTLED', retryAfterSeconds: 1 })
    const failed = { ...about, event: 'password.change-failed failure wrong-password' }
    await expectEvents([
      failed,
      failed,
      { ...about, event: 'password.change-failed denied throttled', data: { scope: 'pair', retry_after: 1 } },
    ])
    own.clock.advance(1000)
    await change(PASSWORD)
    await expectEvents([{ ...about, event: 'password.changed success' }])
  })

  test('uses up the failures of an address, and the last of them says so', async () => {
    const own = await openOwnGate(engine, { throttleAddressFailures: 1 })
    const { anna, claims, about } = await loggedIn(own)
    const { expectEvents } = await scenario(own)
    const input = { claims, currentPassword: WRONG_PASSWORD, newPassword: NEXT_PASSWORD }
    expect(await codeOf(own.gate.changePassword(input, anna.context))).toBe('ERR_PASSWORD_WRONG')
    expect(await codeOf(own.gate.changePassword(input, anna.context))).toBe('ERR_THROTTLED')
    await expectEvents([
      { ...about, event: 'password.change-failed failure wrong-password' },
      {
        ...about,
        event: 'throttle.locked success',
        data: { scope: 'address', until: own.clock.now() + 600_000 },
      },
      { ...about, event: 'password.change-failed denied throttled', data: { scope: 'address', retry_after: 600 } },
    ])
  })

  test('that is too weak is refused before anything is counted', async () => {
    const { anna, claims } = await loggedIn()
    await scenario(on)
    for (const [code, newPassword] of [
      ['ERR_PASSWORD_TOO_SHORT', 'short'],
      ['ERR_PASSWORD_COMMON', 'passwordpassword'],
      ['ERR_PASSWORD_MATCHES_IDENTIFIER', anna.identifier],
    ] as const) {
      const input = { claims, currentPassword: PASSWORD, newPassword }
      expect(await codeOf(on.gate.changePassword(input, anna.context))).toBe(code)
    }
  })

  test('is not changed with a session that has ended meanwhile', async () => {
    const { anna, tokens, claims, about } = await loggedIn()
    await on.gate.logout({ accessToken: tokens.accessToken }, anna.context)
    const { expectEvents } = await scenario(on)
    const input = { claims, currentPassword: PASSWORD, newPassword: NEXT_PASSWORD }
    expect(await codeOf(on.gate.changePassword(input, anna.context))).toBe('ERR_TOKEN_REVOKED')
    await expectEvents([])
    const { sessionId } = await on.gate.login(anna, anna.context)
    await expectEvents([
      {
        ...about,
        event: 'login.succeeded success',
        identifier: 'clear',
        session: sessionId,
        data: { known_device: false, rehashed: false },
      },
    ])
  })

  test('is set by an operator, and ends every session', async () => {
    const { anna, tokens, about } = await loggedIn()
    // Sessions end in the order in which they began.
    on.clock.advance(1)
    const second = await on.gate.login(anna, anna.context)
    const { expectEvents } = await scenario(on)
    const operator = { actor: { kind: 'system', id: 'cli' } } as const
    expect(await codeOf(on.gate.users.setPassword(tokens.userId, 'short', operator))).toBe('ERR_PASSWORD_TOO_SHORT')
    await on.gate.users.setPassword(tokens.userId, NEXT_PASSWORD, operator)
    const bySystem = { actor: 'system cli', subject: tokens.userId }
    await expectEvents([
      { ...bySystem, event: 'password.changed success' },
      { ...bySystem, event: 'session.ended success password-changed', session: tokens.sessionId },
      { ...bySystem, event: 'session.ended success password-changed', session: second.sessionId },
    ])
    expect(await codeOf(on.gate.login(anna, anna.context))).toBe('ERR_LOGIN_REFUSED')
    await expectEvents([
      {
        event: 'login.failed failure wrong-password',
        actor: 'anonymous',
        subject: tokens.userId,
        identifier: 'clear',
        from: about.from!,
      },
    ])
    const nobody = 'usr_01k00000000000000000000000'
    expect(await codeOf(on.gate.users.setPassword(nobody, NEXT_PASSWORD))).toBe('ERR_USER_NOT_FOUND')
  })
})
