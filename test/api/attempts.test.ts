import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LOGIN_FAILURE_REASONS } from '../../src/event/catalogue.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openGate, scenario, type TestGate } from '../support/gate.ts'

describe.each(availableEngines)('an application’s own log-in on $name', (engine) => {
  let on: TestGate
  let userIds = 1000
  beforeAll(async () => {
    on = await openGate(engine)
  })
  afterAll(() => on.close())

  test('that succeeds starts a session with its roles and claims', async () => {
    const { identifier, context, from } = on.person()
    const userId = ++userIds
    const { expectEvents } = await scenario(on)
    const attempt = await on.gate.attempts.begin({ identifier, userId }, context)
    await expectEvents([])
    const tokens = await attempt.succeed(userId, {
      roles: ['editor', 'author'],
      claims: { plan: 'gold' },
      method: 'passkey',
    })
    await expectEvents([
      {
        event: 'login.succeeded success',
        actor: 'self',
        subject: String(userId),
        identifier: 'clear',
        session: tokens.sessionId,
        from,
        data: { known_device: false, rehashed: false },
      },
    ])
    expect(tokens.userId).toBe(String(userId))
    const told = { userId: String(userId), roles: ['author', 'editor'], claims: { plan: 'gold' } }
    expect(await on.gate.tokens.verify(tokens.accessToken)).toMatchObject(told)
    expect(await on.gate.sessions.find(tokens.sessionId)).toMatchObject({ method: 'passkey', userId: String(userId) })
    const next = await on.gate.refresh(tokens.refreshToken, context)
    expect(await on.gate.tokens.verify(next.accessToken)).toMatchObject(told)
    await expectEvents([
      {
        event: 'session.refreshed success',
        actor: 'self',
        subject: String(userId),
        session: tokens.sessionId,
        from,
        data: { counter: 1 },
      },
    ])
    expect(await on.gate.users.find(userId)).toMatchObject({ id: String(userId), identifier: null })
  })

  test('carries the roles that were granted here beside those of the session', async () => {
    const userId = ++userIds
    await on.gate.users.grantRole(userId, 'admin')
    const attempt = await on.gate.attempts.begin({ identifier: 'carl', userId })
    const { accessToken } = await attempt.succeed(userId, { roles: ['editor', 'admin'] })
    expect((await on.gate.tokens.verify(accessToken)).roles).toEqual(['admin', 'editor'])
  })

  test.each(LOGIN_FAILURE_REASONS.filter((reason) => reason !== 'throttled'))('fails with %s', async (reason) => {
    const { identifier, context, from } = on.person()
    const userId = ++userIds
    const { expectEvents } = await scenario(on)
    const attempt = await on.gate.attempts.begin({ identifier, userId }, context)
    await attempt.fail(reason as 'disabled')
    await expectEvents([
      {
        event: `login.failed failure ${reason}`,
        actor: 'anonymous',
        subject: String(userId),
        identifier: 'clear',
        from,
      },
    ])
  })

  test.each(['throttled', 'flood', 'because', '', undefined])('does not fail with the reason %s', async (reason) => {
    const { expectEvents } = await scenario(on)
    const attempt = await on.gate.attempts.begin({ identifier: 'dora', userId: ++userIds })
    expect(await codeOf(attempt.fail(reason as 'disabled'))).toBe('ERR_REASON_INVALID')
    // A mistake in the call does not settle the attempt.
    await attempt.fail('second-factor')
    await expectEvents([
      {
        event: 'login.failed failure second-factor',
        actor: 'anonymous',
        subject: String(userIds),
        identifier: 'clear',
      },
    ])
  })

  test('of a name that belongs to nobody keeps the name out of the log', async () => {
    const { expectEvents } = await scenario(on)
    for (const identifier of ['nobody@example.org', 'hunter2hunter2']) {
      const attempt = await on.gate.attempts.begin({ identifier })
      await attempt.fail('unknown-user')
    }
    const event = 'login.failed failure unknown-user'
    await expectEvents([
      { event, actor: 'anonymous', identifier: 'masked' },
      { event, actor: 'anonymous', identifier: 'digest' },
    ])
  })

  test('is settled once', async () => {
    const userId = ++userIds
    const { expectEvents } = await scenario(on)
    const first = await on.gate.attempts.begin({ identifier: 'emil', userId })
    const { sessionId } = await first.succeed(userId)
    expect(await codeOf(first.succeed(userId))).toBe('ERR_ATTEMPT_SETTLED')
    expect(await codeOf(first.fail('disabled'))).toBe('ERR_ATTEMPT_SETTLED')
    const second = await on.gate.attempts.begin({ identifier: 'emil', userId })
    await second.fail('disabled')
    expect(await codeOf(second.succeed(userId))).toBe('ERR_ATTEMPT_SETTLED')
    const about = { subject: String(userId), identifier: 'clear' } as const
    await expectEvents([
      {
        ...about,
        event: 'login.succeeded success',
        actor: 'self',
        session: sessionId,
        data: { known_device: false, rehashed: false },
      },
      { ...about, event: 'login.failed failure disabled', actor: 'anonymous' },
    ])
    // Two at once are not both the first.
    const third = await on.gate.attempts.begin({ identifier: 'emil', userId })
    const results = await Promise.allSettled([third.fail('disabled'), third.fail('disabled'), third.succeed(userId)])
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    await expectEvents([{ ...about, event: 'login.failed failure disabled', actor: 'anonymous' }])
  })

  test('for one user does not log another one in', async () => {
    const { expectEvents } = await scenario(on)
    const userId = ++userIds
    const attempt = await on.gate.attempts.begin({ identifier: 'frida', userId })
    expect(await codeOf(attempt.succeed(userId + 1_000_000))).toBe('ERR_USER_ID_INVALID')
    expect(await codeOf(attempt.succeed(`0${userId}`))).toBe('ERR_USER_ID_INVALID')
    const tokens = await attempt.succeed(String(userId))
    await expectEvents([
      {
        event: 'login.succeeded success',
        actor: 'self',
        subject: String(userId),
        identifier: 'clear',
        session: tokens.sessionId,
        data: { known_device: false, rehashed: false },
      },
    ])
  })

  test('refuses ids that look like Gatebook’s own, and whatever else is no id', async () => {
    await scenario(on)
    for (const userId of [
      'usr_01k00000000000000000000000',
      'usr_1',
      '',
      ' 1',
      '1\n',
      'x'.repeat(129),
      1.5,
      Number.NaN,
    ]) {
      expect(await codeOf(on.gate.attempts.begin({ identifier: 'gerd', userId })), String(userId)).toBe(
        'ERR_USER_ID_INVALID',
      )
      expect(await codeOf(on.gate.sessions.start(userId)), String(userId)).toBe('ERR_USER_ID_INVALID')
    }
  })

  test.each([
    ['ERR_ROLE_INVALID', { roles: ['Not A Role'] }],
    ['ERR_CLAIMS_INVALID', { claims: { sub: '1' } }],
    ['ERR_CLAIMS_INVALID', { claims: { roles: ['admin'] } }],
    ['ERR_CLAIMS_INVALID', { claims: { exp: 9_999_999_999 } }],
    ['ERR_CLAIMS_INVALID', { claims: { text: 'x'.repeat(2100) } }],
    ['ERR_CLAIMS_INVALID', { claims: [] as never }],
    ['ERR_CLAIMS_INVALID', { claims: { count: 1n } }],
    ['ERR_CLAIMS_INVALID', { claims: JSON.parse('{"__proto__":{"admin":true}}') as Record<string, unknown> }],
    ['ERR_CLAIMS_INVALID', { method: 'Not A Method' }],
  ])('refuses a grant with %s, and can still be settled', async (code, grant) => {
    const userId = ++userIds
    const attempt = await on.gate.attempts.begin({ identifier: 'hugo', userId })
    expect(await codeOf(attempt.succeed(userId, grant))).toBe(code)
    expect(await codeOf(attempt.succeed(userId))).toBe('no error')
  })

  test('is throttled like any other', async () => {
    const { identifier, context, from } = on.person()
    const userId = ++userIds
    const { expectEvents } = await scenario(on)
    const who = { actor: 'anonymous', subject: String(userId), identifier: 'clear', from } as const
    for (let count = 0; count < 5; count++) {
      const attempt = await on.gate.attempts.begin({ identifier, userId }, context)
      await attempt.fail('wrong-password')
    }
    const refusal = await on.gate.attempts.begin({ identifier, userId }, context).catch((error) => error)
    expect(refusal).toMatchObject({ code: 'ERR_THROTTLED', retryAfterSeconds: 1 })
    await expectEvents([
      ...Array.from({ length: 5 }, () => ({ ...who, event: 'login.failed failure wrong-password' })),
      { ...who, event: 'login.failed denied throttled', data: { scope: 'pair', retry_after: 1 } },
    ])
    expect(await on.gate.users.unlock(String(userId))).toBe(2)
    await expectEvents([
      {
        event: 'throttle.unlocked success',
        actor: 'application',
        subject: String(userId),
        data: { counters: 2 },
      },
    ])
  })

  test('can be left out: a session starts after the application’s own second factor', async () => {
    const { context, from } = on.person()
    const userId = `own-${++userIds}`
    const { expectEvents } = await scenario(on)
    const tokens = await on.gate.sessions.start(userId, { method: 'sign-up', claims: { plan: 'trial' } }, context)
    await expectEvents([
      { event: 'login.succeeded success', actor: 'self', subject: userId, session: tokens.sessionId, from },
    ])
    expect(await on.gate.tokens.verify(tokens.accessToken)).toMatchObject({ userId, claims: { plan: 'trial' } })
    await on.gate.logout({ accessToken: tokens.accessToken }, context)
    await expectEvents([
      { event: 'session.ended success logout', actor: 'self', subject: userId, session: tokens.sessionId, from },
    ])
  })
})
