import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SessionTokens } from '../../src/api.ts'
import type { GatebookError } from '../../src/errors.ts'
import { findEndEvent } from '../../src/session/find-end-event.ts'
import { availableEngines } from '../support/engines.ts'
import {
  codeOf,
  openGate,
  openOwnGate,
  PASSWORD,
  type Person,
  type Scenario,
  scenario,
  type TestGate,
} from '../support/gate.ts'

const DAY = 86_400_000
const NEW_PASSWORD = 'three grey herons wade'

/** What a refusal tells: its code and its members. */
async function refusalOf(call: Promise<unknown>): Promise<readonly [string, object]> {
  const thrown = (await call.then(
    () => null,
    (error: unknown) => error,
  )) as GatebookError | null
  return thrown === null ? ['no error', {}] : [thrown.code, thrown.members]
}

describe.each(availableEngines)('why a session has ended, on $name', (engine) => {
  interface Setting {
    readonly on: TestGate
    readonly anna: Person
    readonly tokens: SessionTokens
    readonly expectEvents: Scenario['expectEvents']
    refresh(token?: string): Promise<readonly [string, object]>
  }

  let shared: TestGate
  beforeAll(async () => {
    shared = await openGate(engine, { sessionsPerUser: 3 })
  })
  afterAll(() => shared.close())

  async function loggedIn(on: TestGate = shared): Promise<Setting> {
    const anna = on.person()
    const tokens = await on.gate.register(anna, anna.context)
    return {
      on,
      anna,
      tokens,
      refresh: (token = tokens.refreshToken) => refusalOf(on.gate.refresh(token, anna.context)),
      expectEvents: (await scenario(on)).expectEvents,
    }
  }

  const refused = ({ tokens, anna }: Setting, reason: string, counter = 0) => ({
    event: `session.refresh-refused denied ${reason}`,
    actor: 'anonymous',
    subject: tokens.userId,
    session: tokens.sessionId,
    from: anna.from,
    data: { counter },
  })
  const ended = ({ tokens, anna }: Setting, reason: string) => ({
    event: `session.ended success ${reason}`,
    actor: 'self',
    subject: tokens.userId,
    session: tokens.sessionId,
    from: anna.from,
  })

  test('is told to whoever presents its refresh token: logged out', async () => {
    const setting = await loggedIn()
    const { on, anna, tokens, refresh, expectEvents } = setting
    await on.gate.logout({ refreshToken: tokens.refreshToken }, anna.context)
    expect(await refresh()).toEqual(['ERR_REFRESH_ENDED', { end_reason: 'logout' }])
    await expectEvents([ended(setting, 'logout'), refused(setting, 'ended')])
  })

  test('ended by an admin, and by whom is in the event', async () => {
    const setting = await loggedIn()
    const { on, tokens, refresh, expectEvents } = setting
    const admin = { kind: 'admin', id: 'usr_root' } as const
    await on.gate.sessions.end(tokens.sessionId, 'ended-by-admin', { ip: '192.0.2.7', actor: admin })
    expect(await refresh()).toEqual(['ERR_REFRESH_ENDED', { end_reason: 'ended-by-admin' }])
    const session = await on.gate.sessions.find(tokens.sessionId)
    expect(await findEndEvent(on.gate, session!)).toMatchObject({ actor: admin, ip: '192.0.2.7', at: session?.endedAt })
    await expectEvents([
      { ...ended(setting, 'ended-by-admin'), actor: 'admin usr_root', from: '192.0.2.7 application' },
      refused(setting, 'ended'),
    ])
  })

  test('another password, in another session', async () => {
    const setting = await loggedIn()
    const { on, anna, tokens, refresh, expectEvents } = setting
    const other = await on.gate.login(anna, anna.context)
    await on.gate.changePassword({ claims: other, currentPassword: PASSWORD, newPassword: NEW_PASSWORD }, anna.context)
    expect(await refresh()).toEqual(['ERR_REFRESH_ENDED', { end_reason: 'password-changed' }])
    const about = { actor: 'self', subject: tokens.userId, from: anna.from }
    await expectEvents([
      {
        ...about,
        event: 'login.succeeded success',
        identifier: 'clear',
        session: other.sessionId,
        data: { known_device: false, rehashed: false },
      },
      { ...about, event: 'password.changed success', session: other.sessionId },
      ended(setting, 'password-changed'),
      refused(setting, 'ended'),
    ])
  })

  test('a spent token that came back: to the one who brings it, and to the one who has the newer one', async () => {
    const own = await openOwnGate(engine)
    const setting = await loggedIn(own)
    const { on, anna, tokens, refresh, expectEvents } = setting
    const next = await on.gate.refresh(tokens.refreshToken, anna.context)
    on.clock.advance(20_001)
    expect(await refresh()).toEqual(['ERR_REFRESH_REUSED', { end_reason: 'refresh-reused' }])
    expect(await refresh(next.refreshToken)).toEqual(['ERR_REFRESH_ENDED', { end_reason: 'refresh-reused' }])
    await expectEvents([
      { ...ended(setting, ''), event: 'session.refreshed success', data: { counter: 1 } },
      refused(setting, 'reused'),
      ended(setting, 'refresh-reused'),
      refused(setting, 'ended', 1),
    ])
  })

  test('its time was over, whether that was written down before or not', async () => {
    const own = await openOwnGate(engine)
    const setting = await loggedIn(own)
    const { on, anna, tokens, refresh, expectEvents } = setting
    on.clock.advance(14 * DAY)
    // To log others out takes a session that lives.
    const everywhere = { refreshToken: tokens.refreshToken, scope: 'all' } as const
    const other = await on.gate.login(anna, anna.context)
    expect(await refusalOf(on.gate.logout(everywhere, anna.context))).toEqual([
      'ERR_REFRESH_EXPIRED',
      { end_reason: 'expired' },
    ])
    for (const _ of [1, 2]) expect(await refresh()).toEqual(['ERR_REFRESH_EXPIRED', { end_reason: 'expired' }])
    await expectEvents([
      {
        ...ended(setting, ''),
        event: 'login.succeeded success',
        identifier: 'clear',
        session: other.sessionId,
        data: { known_device: false, rehashed: false },
      },
      ended(setting, 'expired'),
      refused(setting, 'expired'),
      refused(setting, 'expired'),
    ])
  })

  test('is nothing that a made-up token is told', async () => {
    const { refresh, tokens, on, anna, expectEvents } = await loggedIn()
    await on.gate.sessions.end(tokens.sessionId, 'logout', anna.context)
    const made = `${tokens.refreshToken.slice(0, -1)}${tokens.refreshToken.endsWith('A') ? 'B' : 'A'}`
    for (const token of [made, tokens.sessionId, tokens.accessToken, tokens.deviceToken]) {
      expect(await refresh(token)).toEqual(['ERR_REFRESH_INVALID', {}])
    }
    await expectEvents([
      {
        event: 'session.ended success logout',
        actor: 'application',
        subject: tokens.userId,
        session: tokens.sessionId,
        from: anna.from,
      },
      ...[1, 2, 3, 4].map(() => ({
        event: 'session.refresh-refused denied invalid',
        actor: 'anonymous',
        from: anna.from,
      })),
    ])
  })

  test('sessions that have ended are listed, the last one first, page by page', async () => {
    const on = await openOwnGate(engine)
    const started: string[] = []
    for (let at = 0; at < 7; at++) {
      started.push((await on.gate.sessions.start(4711)).sessionId)
      on.clock.advance(1000)
    }
    await on.gate.sessions.start('somebody else')
    // Five at one instant, and two later; the ones that began at one instant are told apart by their ids.
    await on.gate.sessions.end(started[6]!, 'logout')
    on.clock.advance(1000)
    const same = await Promise.all([1, 2, 3].map(async () => (await on.gate.sessions.start(4711)).sessionId))
    await on.gate.sessions.endAll(4711, 'user-disabled')
    const wanted = [...same.sort().reverse(), ...started.slice(0, 6).reverse(), started[6]]
    const found: string[] = []
    let cursor: string | undefined
    do {
      const page = await on.gate.sessions.listEnded(4711, { limit: 2, ...(cursor === undefined ? {} : { cursor }) })
      found.push(...page.items.map(({ id }) => id))
      cursor = page.next ?? undefined
    } while (cursor !== undefined)
    expect(found).toEqual(wanted)
    const [first] = (await on.gate.sessions.listEnded('4711', { limit: 1 })).items
    expect(first).toMatchObject({ endReason: 'user-disabled', endedAt: on.clock.now(), userId: '4711' })
    expect((await on.gate.sessions.listEnded(4711)).next).toBeNull()
    expect(await on.gate.sessions.listEnded(7)).toEqual({ items: [], next: null })
    expect(await codeOf(on.gate.sessions.listEnded(4711, { cursor: 'x' }))).toBe('ERR_CURSOR_INVALID')
    expect(await codeOf(on.gate.sessions.listEnded(4711, { limit: 0 }))).toBe('ERR_QUERY_INVALID')
  })
})
