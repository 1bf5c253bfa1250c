import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SessionTokens } from '../../src/api.ts'
import type { GatebookOptions } from '../../src/options.ts'
import { availableEngines } from '../support/engines.ts'
import {
  codeOf,
  type ExpectedEvent,
  openGate,
  openOwnGate,
  type Person,
  type Scenario,
  SECRET,
  scenario,
  type TestGate,
} from '../support/gate.ts'

const DAY = 86_400_000

describe.each(availableEngines)('refresh on $name', (engine) => {
  interface Setting {
    readonly on: TestGate
    readonly anna: Person
    readonly tokens: SessionTokens
    readonly expectEvents: Scenario['expectEvents']
    refresh(token: string): Promise<SessionTokens>
    /** The event of a refresh that succeeded with this counter. */
    refreshed(counter: number, reason?: 'grace'): ExpectedEvent
    refused(reason: string, counter?: number): ExpectedEvent
    ended(reason: string, actor?: string): ExpectedEvent
  }

  let shared: TestGate
  beforeAll(async () => {
    shared = await openGate(engine)
  })
  afterAll(() => shared.close())

  /** Whoever moves the clock by days takes a gate of their own, because the sessions of all others expire with it. */
  async function loggedIn(options?: Partial<GatebookOptions>): Promise<Setting> {
    const on = options === undefined ? shared : await openOwnGate(engine, options)
    const anna = on.person()
    const tokens = await on.gate.register(anna, anna.context)
    const about = { subject: tokens.userId, session: tokens.sessionId, from: anna.from }
    const { expectEvents } = await scenario(on)
    return {
      on,
      anna,
      tokens,
      expectEvents,
      refresh: (token) => on.gate.refresh(token, anna.context),
      refreshed: (counter, reason) => ({
        ...about,
        event: `session.refreshed success${reason === undefined ? '' : ` ${reason}`}`,
        actor: 'self',
        data: { counter },
      }),
      refused: (reason, counter) => ({
        ...(counter === undefined ? { from: anna.from } : { ...about, data: { counter } }),
        event: `session.refresh-refused denied ${reason}`,
        actor: 'anonymous',
      }),
      ended: (reason, actor = 'self') => ({ ...about, event: `session.ended success ${reason}`, actor }),
    }
  }

  test('rotates: new tokens for the same session, with the idle time beginning anew', async () => {
    const { on, tokens, refresh, refreshed, expectEvents } = await loggedIn({})
    on.clock.advance(5 * DAY)
    const next = await refresh(tokens.refreshToken)
    await expectEvents([refreshed(1)])
    expect(next).toMatchObject({ sessionId: tokens.sessionId, userId: tokens.userId, refreshExpiresIn: 14 * 86_400 })
    expect(next.refreshToken).not.toBe(tokens.refreshToken)
    expect(next.deviceToken).toBe(tokens.deviceToken)
    const claims = await on.gate.tokens.verify(next.accessToken)
    expect(claims.issuedAt).toBe(on.clock.now())
    expect(claims.authenticatedAt).toBe(on.clock.now() - 5 * DAY)
    const [event] = (await on.gate.log.search({ type: 'session.refreshed' })).items
    expect(event).toMatchObject({ tokenId: claims.tokenId, method: 'refresh-token' })
    expect((await on.gate.sessions.find(tokens.sessionId))?.lastUsedAt).toBe(on.clock.now())
  })

  test('hands the same successor out again for 20 s, without a step', async () => {
    const { on, tokens, refresh, refreshed, expectEvents } = await loggedIn()
    const next = await refresh(tokens.refreshToken)
    const again = await refresh(tokens.refreshToken)
    on.clock.advance(20_000)
    const last = await refresh(tokens.refreshToken)
    expect([again.refreshToken, last.refreshToken]).toEqual([next.refreshToken, next.refreshToken])
    await expectEvents([refreshed(1), refreshed(1, 'grace'), refreshed(1, 'grace')])
    await refresh(next.refreshToken)
    await expectEvents([refreshed(2)])
  })

  test('after the grace period is reuse, and ends the session', async () => {
    const { on, tokens, refresh, refreshed, refused, ended, expectEvents } = await loggedIn()
    const next = await refresh(tokens.refreshToken)
    on.clock.advance(20_001)
    expect(await codeOf(refresh(tokens.refreshToken))).toBe('ERR_REFRESH_REUSED')
    await expectEvents([refreshed(1), refused('reused', 0), ended('refresh-reused')])
    expect(await codeOf(on.gate.tokens.verify(next.accessToken))).toBe('ERR_TOKEN_REVOKED')
    expect(await codeOf(refresh(next.refreshToken))).toBe('ERR_REFRESH_ENDED')
    expect(await codeOf(refresh(tokens.refreshToken))).toBe('ERR_REFRESH_ENDED')
    await expectEvents([refused('ended', 1), refused('ended', 0)])
  })

  test('with a token whose successor has been used is superseded for 20 s, then reuse', async () => {
    const { on, tokens, refresh, refreshed, refused, ended, expectEvents } = await loggedIn()
    const second = await refresh(tokens.refreshToken)
    on.clock.advance(10_000)
    const third = await refresh(second.refreshToken)
    on.clock.advance(10_000)
    expect(await codeOf(refresh(tokens.refreshToken))).toBe('ERR_REFRESH_SUPERSEDED')
    await expectEvents([refreshed(1), refreshed(2), refused('superseded', 0)])
    expect(await codeOf(on.gate.tokens.verify(third.accessToken))).toBe('no error')
    on.clock.advance(1)
    // The second one was spent ten seconds ago, so it still has its grace; the first one has not.
    expect((await refresh(second.refreshToken)).refreshToken).toBe(third.refreshToken)
    expect(await codeOf(refresh(tokens.refreshToken))).toBe('ERR_REFRESH_REUSED')
    await expectEvents([refreshed(2, 'grace'), refused('reused', 0), ended('refresh-reused')])
  })

  test('has no grace at all when it is set to 0 and a millisecond has passed', async () => {
    const { on, tokens, refresh, refreshed, refused, ended, expectEvents } = await loggedIn({ refreshGraceSeconds: 0 })
    await refresh(tokens.refreshToken)
    on.clock.advance(1)
    expect(await codeOf(refresh(tokens.refreshToken))).toBe('ERR_REFRESH_REUSED')
    await expectEvents([refreshed(1), refused('reused', 0), ended('refresh-reused')])
  })

  test('after two idle weeks is refused, and the session ends', async () => {
    const { on, tokens, refresh, refused, ended, expectEvents } = await loggedIn({})
    on.clock.advance(14 * DAY - 1)
    const next = await refresh(tokens.refreshToken)
    on.clock.advance(14 * DAY)
    await expectEvents([{ ...(await refreshedEvent(on, tokens)), data: { counter: 1 } }])
    expect(await codeOf(refresh(next.refreshToken))).toBe('ERR_REFRESH_EXPIRED')
    expect(await codeOf(refresh(next.refreshToken))).toBe('ERR_REFRESH_EXPIRED')
    await expectEvents([ended('expired'), refused('expired', 1), refused('expired', 1)])
    expect(await on.gate.sessions.find(tokens.sessionId)).toMatchObject({ endReason: 'expired' })
  })

  async function refreshedEvent(on: TestGate, tokens: SessionTokens): Promise<ExpectedEvent> {
    const [event] = (await on.gate.log.search({ type: 'session.refreshed' })).items
    return {
      event: 'session.refreshed success',
      actor: 'self',
      subject: tokens.userId,
      session: tokens.sessionId,
      from: `${event?.ip} socket`,
    }
  }

  test('ends after thirty days, however often it was used', async () => {
    const { on, tokens, refresh, refreshed, refused, ended, expectEvents } = await loggedIn({})
    let token = tokens.refreshToken
    for (const [counter, left] of [
      [1, 14 * 86_400],
      [2, 10 * 86_400],
    ] as const) {
      on.clock.advance(10 * DAY)
      const next = await refresh(token)
      expect(next.refreshExpiresIn).toBe(left)
      await expectEvents([refreshed(counter)])
      token = next.refreshToken
    }
    on.clock.advance(10 * DAY)
    expect(await codeOf(refresh(token))).toBe('ERR_REFRESH_EXPIRED')
    await expectEvents([ended('expired'), refused('expired', 2)])
  })

  test('of a session that was ended is refused', async () => {
    const { on, tokens, refresh, refused, ended, expectEvents } = await loggedIn()
    await on.gate.sessions.end(tokens.sessionId, 'ended-by-application')
    const { from: _from, ...event } = ended('ended-by-application', 'application')
    await expectEvents([event])
    expect(await codeOf(refresh(tokens.refreshToken))).toBe('ERR_REFRESH_ENDED')
    await expectEvents([refused('ended', 0)])
  })

  test('with anything that was never issued is invalid', async () => {
    const { on, tokens, refresh, refused, expectEvents } = await loggedIn()
    const foreign = await openOwnGate(engine, { secret: SECRET.split('').reverse().join('') })
    const other = await foreign.gate.register(foreign.person())
    const body = tokens.refreshToken.slice(4)
    const made = [
      '',
      'gbr_',
      `gbr_${body}A`,
      `gbr_${body.slice(0, -1)}`,
      `gbr_${body}=`,
      `gbr_B${body.slice(1)}`,
      tokens.refreshToken.replace('gbr_', 'gbd_'),
      tokens.deviceToken,
      tokens.deviceToken.replace('gbd_', 'gbr_'),
      tokens.accessToken,
      other.refreshToken,
      '\u0000',
      'x'.repeat(1_000_000),
    ]
    for (const token of made) expect(await codeOf(refresh(token)), token.slice(0, 80)).toBe('ERR_REFRESH_INVALID')
    await expectEvents(made.map(() => refused('invalid')))
    expect((await refresh(tokens.refreshToken)).sessionId).toBe(tokens.sessionId)
    await expectEvents([await refreshedEvent(on, tokens).then((event) => ({ ...event, data: { counter: 1 } }))])
  })

  test('and every other token survive a new version of the master secret', async () => {
    const { on, tokens, anna, refreshed, expectEvents } = await loggedIn({})
    const newer = await on.another({ secret: `1:${SECRET},2:${SECRET.split('').reverse().join('')}` })
    expect((await newer.tokens.verify(tokens.accessToken)).sessionId).toBe(tokens.sessionId)
    const next = await newer.refresh(tokens.refreshToken, anna.context)
    // The old token hands out the same successor, which is made with the new version by now.
    expect((await newer.refresh(tokens.refreshToken, anna.context)).refreshToken).toBe(next.refreshToken)
    expect(next.refreshToken[4]).not.toBe(tokens.refreshToken[5])
    await expectEvents([refreshed(1), refreshed(1, 'grace')])
    await newer.refresh(next.refreshToken, anna.context)
    const { sessionId } = await newer.login(anna, { ...anna.context, deviceToken: tokens.deviceToken })
    await expectEvents([
      refreshed(2),
      {
        event: 'login.succeeded success',
        actor: 'self',
        subject: tokens.userId,
        identifier: 'clear',
        session: sessionId,
        from: anna.from,
        data: { known_device: true, rehashed: false },
      },
    ])
    expect((await newer.log.search({ identifier: anna.identifier })).items).toHaveLength(3)
  })
})

test('gives the roles of now, also when one is revoked while the application is asked for its claims', async () => {
  for (const engine of availableEngines) {
    let meanwhile: (() => Promise<void>) | null = null
    const on = await openOwnGate(engine, {
      claims: async () => {
        const once = meanwhile
        meanwhile = null
        await once?.()
        return {}
      },
    })
    const anna = on.person()
    const { userId, refreshToken } = await on.gate.register(anna, anna.context)
    await on.gate.users.grantRole(userId, 'admin')
    const admin = await on.gate.refresh(refreshToken)
    expect((await on.gate.tokens.verify(admin.accessToken)).roles).toEqual(['admin'])
    // The last access token has expired: nothing is left that could be marked as stale.
    on.clock.advance(1_200_000)
    meanwhile = () => on.gate.users.revokeRole(userId, 'admin')
    const { accessToken } = await on.gate.refresh(admin.refreshToken)
    expect((await on.gate.tokens.verify(accessToken)).roles, engine.name).toEqual([])
  }
})
