import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SessionTokens } from '../../src/api.ts'
import { availableEngines } from '../support/engines.ts'
import {
  codeOf,
  type ExpectedEvent,
  openGate,
  openOwnGate,
  type Person,
  scenario,
  type TestGate,
  until,
} from '../support/gate.ts'

const DAY = 86_400_000

describe.each(availableEngines)('log out on $name', (engine) => {
  let on: TestGate
  beforeAll(async () => {
    on = await openGate(engine)
  })
  afterAll(() => on.close())

  /** A user with so many sessions, the oldest first. */
  async function withSessions(count: number): Promise<{ readonly anna: Person; readonly sessions: SessionTokens[] }> {
    const anna = on.person()
    const sessions = [await on.gate.register(anna, anna.context)]
    while (sessions.length < count) {
      on.clock.advance(1)
      sessions.push(await on.gate.login(anna, anna.context))
    }
    return { anna, sessions }
  }

  function ended({ userId, sessionId }: SessionTokens, reason: string, from: string): ExpectedEvent {
    return { event: `session.ended success ${reason}`, actor: 'self', subject: userId, session: sessionId, from }
  }

  async function isRefused({ accessToken, refreshToken }: SessionTokens): Promise<boolean> {
    const codes = [await codeOf(on.gate.tokens.verify(accessToken)), await codeOf(on.gate.refresh(refreshToken))]
    return codes.join() === 'ERR_TOKEN_REVOKED,ERR_REFRESH_ENDED'
  }

  test('of this session, by its access token', async () => {
    const { anna, sessions } = await withSessions(2)
    const [first, second] = sessions as [SessionTokens, SessionTokens]
    const { expectEvents } = await scenario(on)
    await on.gate.logout({ accessToken: first.accessToken }, anna.context)
    await expectEvents([ended(first, 'logout', anna.from)])
    expect(await codeOf(on.gate.tokens.verify(first.accessToken))).toBe('ERR_TOKEN_REVOKED')
    expect(await codeOf(on.gate.tokens.verify(second.accessToken))).toBe('no error')
    expect(await on.gate.sessions.find(first.sessionId)).toMatchObject({
      endedAt: on.clock.now(),
      endReason: 'logout',
    })
    expect((await on.gate.sessions.list(first.userId)).map(({ id }) => id)).toEqual([second.sessionId])
  })

  test('twice leaves one event, whichever token is shown', async () => {
    const { anna, sessions } = await withSessions(1)
    const [only] = sessions as [SessionTokens]
    const { expectEvents } = await scenario(on)
    await on.gate.logout({ refreshToken: only.refreshToken }, anna.context)
    await on.gate.logout({ refreshToken: only.refreshToken }, anna.context)
    await on.gate.logout({ accessToken: only.accessToken }, anna.context)
    await on.gate.logout({ accessToken: only.accessToken, scope: 'all' }, anna.context)
    await on.gate.logout({ accessToken: only.accessToken, scope: 'others' }, anna.context)
    await expectEvents([ended(only, 'logout', anna.from)])
  })

  test('of the other sessions', async () => {
    const { anna, sessions } = await withSessions(3)
    const [first, second, third] = sessions as [SessionTokens, SessionTokens, SessionTokens]
    const { expectEvents } = await scenario(on)
    await on.gate.logout({ accessToken: second.accessToken, scope: 'others' }, anna.context)
    await expectEvents([first, third].map((tokens) => ended(tokens, 'logout-everywhere', anna.from)))
    expect(await codeOf(on.gate.tokens.verify(second.accessToken))).toBe('no error')
    expect(await codeOf(on.gate.tokens.verify(third.accessToken))).toBe('ERR_TOKEN_REVOKED')
  })

  test('of all sessions, and of nobody else’s', async () => {
    const { anna, sessions } = await withSessions(3)
    const [first, second, third] = sessions as [SessionTokens, SessionTokens, SessionTokens]
    const { sessions: others } = await withSessions(1)
    const { expectEvents } = await scenario(on)
    await on.gate.logout({ refreshToken: third.refreshToken, scope: 'all' }, anna.context)
    await expectEvents([
      ended(first, 'logout-everywhere', anna.from),
      ended(second, 'logout-everywhere', anna.from),
      ended(third, 'logout', anna.from),
    ])
    expect(await codeOf(on.gate.tokens.verify(others[0]!.accessToken))).toBe('no error')
    for (const tokens of sessions)
      expect(await codeOf(on.gate.tokens.verify(tokens.accessToken))).toBe('ERR_TOKEN_REVOKED')
  })

  test('ends the refresh token too, and says so when it is tried', async () => {
    const { anna, sessions } = await withSessions(1)
    const [only] = sessions as [SessionTokens]
    const { expectEvents } = await scenario(on)
    await on.gate.logout({ accessToken: only.accessToken }, anna.context)
    expect(await isRefused(only)).toBe(true)
    await expectEvents([
      ended(only, 'logout', anna.from),
      {
        event: 'session.refresh-refused denied ended',
        actor: 'anonymous',
        subject: only.userId,
        session: only.sessionId,
        data: { counter: 0 },
      },
    ])
  })

  test('with an access token that has expired', async () => {
    const { anna, sessions } = await withSessions(1)
    const [only] = sessions as [SessionTokens]
    const { expectEvents } = await scenario(on)
    on.clock.advance(600_000)
    expect(await codeOf(on.gate.tokens.verify(only.accessToken))).toBe('ERR_TOKEN_EXPIRED')
    await on.gate.logout({ accessToken: only.accessToken }, anna.context)
    await expectEvents([ended(only, 'logout', anna.from)])
  })

  test('everywhere takes a live access token: an expired one, or one of an ended session, is refused', async () => {
    const { anna, sessions } = await withSessions(2)
    const [first, second] = sessions as [SessionTokens, SessionTokens]
    on.clock.advance(600_000)
    const { expectEvents } = await scenario(on)
    for (const scope of ['all', 'others'] as const) {
      expect(await codeOf(on.gate.logout({ accessToken: first.accessToken, scope }))).toBe('ERR_TOKEN_EXPIRED')
    }
    await on.gate.logout({ accessToken: first.accessToken }, anna.context)
    for (const scope of ['all', 'others'] as const) {
      expect(await codeOf(on.gate.logout({ refreshToken: first.refreshToken, scope }))).toBe('ERR_TOKEN_REVOKED')
    }
    await expectEvents([ended(first, 'logout', anna.from)])
    expect(await on.gate.sessions.find(second.sessionId)).toMatchObject({ endedAt: null })
  })

  test('with what was never a token is refused, and leaves nothing', async () => {
    const { sessions } = await withSessions(1)
    const [only] = sessions as [SessionTokens]
    await scenario(on)
    expect(await codeOf(on.gate.logout({}))).toBe('ERR_TOKEN_MISSING')
    expect(await codeOf(on.gate.logout({ accessToken: 'a.b.c' }))).toBe('ERR_TOKEN_INVALID')
    expect(await codeOf(on.gate.logout({ accessToken: only.refreshToken }))).toBe('ERR_TOKEN_INVALID')
    expect(await codeOf(on.gate.logout({ refreshToken: only.accessToken }))).toBe('ERR_REFRESH_INVALID')
    expect(await codeOf(on.gate.logout({ refreshToken: '' }))).toBe('ERR_REFRESH_INVALID')
  })

  test('has been done by whoever ends a session by its id', async () => {
    const { anna, sessions } = await withSessions(3)
    const [first, second, third] = sessions as [SessionTokens, SessionTokens, SessionTokens]
    const admin = { ...anna.context, actor: { kind: 'admin', id: 'usr_01k00000000000000000000000' } } as const
    const { expectEvents } = await scenario(on)
    expect(await on.gate.sessions.end(first.sessionId, 'ended-by-admin', admin)).toBe(true)
    expect(await on.gate.sessions.end(first.sessionId, 'ended-by-admin', admin)).toBe(false)
    expect(await on.gate.sessions.end('ses_nothing', 'ended-by-admin', admin)).toBe(false)
    expect(await codeOf(on.gate.sessions.end(second.sessionId, 'because' as never))).toBe('ERR_REASON_INVALID')
    expect(await on.gate.sessions.endAll(first.userId, 'ended-by-admin', admin)).toBe(2)
    expect(await on.gate.sessions.endAll(first.userId, 'ended-by-admin', admin)).toBe(0)
    await expectEvents(
      [first, second, third].map((tokens) => ({
        ...ended(tokens, 'ended-by-admin', anna.from),
        actor: `admin ${admin.actor.id}`,
      })),
    )
    for (const { accessToken } of sessions)
      expect(await codeOf(on.gate.tokens.verify(accessToken))).toBe('ERR_TOKEN_REVOKED')
  })

  test('is what a session more than fifty does to the oldest', async () => {
    const { anna, sessions } = await withSessions(50)
    const { expectEvents } = await scenario(on)
    on.clock.advance(1)
    const last = await on.gate.login(anna, anna.context)
    const login = {
      event: 'login.succeeded success',
      actor: 'self',
      subject: last.userId,
      identifier: 'clear',
      from: anna.from,
    } as const
    await expectEvents([
      { ...login, session: last.sessionId, data: { known_device: false, rehashed: false } },
      ended(sessions[0]!, 'session-limit', anna.from),
    ])
    const live = await on.gate.sessions.list(last.userId)
    expect(live.map(({ id }) => id)).toEqual([last, ...sessions.slice(1).reverse()].map(({ sessionId }) => sessionId))
    expect(await codeOf(on.gate.tokens.verify(sessions[0]!.accessToken))).toBe('ERR_TOKEN_REVOKED')
  })
})

test('sessions that nobody comes back to expire by themselves, once, on every engine', {
  timeout: 120_000,
}, async () => {
  await Promise.all(
    availableEngines.map(async (engine) => {
      const on = await openOwnGate(engine)
      // Two processes look for them.
      await on.another()
      const anna = on.person()
      const tokens = await on.gate.register(anna, anna.context)
      const [seen] = [(await on.events()).length]
      on.clock.advance(14 * DAY)
      const session = await until(
        'the sweep',
        async () => {
          const found = await on.gate.sessions.find(tokens.sessionId)
          return found?.endedAt !== null && found
        },
        60_000,
      )
      expect(session, engine.name).toMatchObject({ endReason: 'expired', endedAt: on.clock.now() })
      // Time for the other process to do it again, if it would.
      await new Promise((resolve) => setTimeout(resolve, 10_500))
      expect((await on.events()).slice(seen), engine.name).toMatchObject([
        {
          type: 'session.ended',
          reason: 'expired',
          actor: { kind: 'system', id: 'gatebook' },
          subject: tokens.userId,
          sessionId: tokens.sessionId,
          ip: null,
        },
      ])
    }),
  )
})
