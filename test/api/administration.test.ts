import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openGate, scenario, type TestGate } from '../support/gate.ts'

const ADMIN = { actor: { kind: 'admin', id: 'usr_01k00000000000000000000000' } } as const
const BY_ADMIN = `admin ${ADMIN.actor.id}`
const NOBODY = 'usr_01k00000000000000000000001'

describe.each(availableEngines)('administration on $name', (engine) => {
  let on: TestGate
  beforeAll(async () => {
    on = await openGate(engine)
  })
  afterAll(() => on.close())

  test('disables a user: every session ends, and no new one begins', async () => {
    const anna = on.person()
    const first = await on.gate.register(anna, anna.context)
    on.clock.advance(1)
    const second = await on.gate.login(anna, anna.context)
    const { expectEvents } = await scenario(on)
    await on.gate.users.disable(first.userId, ADMIN)
    await on.gate.users.disable(first.userId, ADMIN)
    const about = { actor: BY_ADMIN, subject: first.userId }
    await expectEvents([
      { ...about, event: 'user.disabled success' },
      { ...about, event: 'session.ended success user-disabled', session: first.sessionId },
      { ...about, event: 'session.ended success user-disabled', session: second.sessionId },
    ])
    expect((await on.gate.users.find(first.userId))?.disabledAt).toBe(on.clock.now())
    expect(await codeOf(on.gate.tokens.verify(first.accessToken))).toBe('ERR_TOKEN_REVOKED')
    expect(await codeOf(on.gate.login(anna, anna.context))).toBe('ERR_LOGIN_REFUSED')
    expect(await codeOf(on.gate.refresh(second.refreshToken, anna.context))).toBe('ERR_REFRESH_ENDED')
    await expectEvents([
      {
        event: 'login.failed failure disabled',
        actor: 'anonymous',
        subject: first.userId,
        identifier: 'clear',
        from: anna.from,
      },
      {
        event: 'session.refresh-refused denied ended',
        actor: 'anonymous',
        subject: first.userId,
        session: second.sessionId,
        from: anna.from,
        data: { counter: 0 },
      },
    ])
    await on.gate.users.enable(first.userId, ADMIN)
    await on.gate.users.enable(first.userId, ADMIN)
    const third = await on.gate.login(anna, anna.context)
    await expectEvents([
      { ...about, event: 'user.enabled success' },
      {
        event: 'login.succeeded success',
        actor: 'self',
        subject: first.userId,
        identifier: 'clear',
        session: third.sessionId,
        from: anna.from,
        data: { known_device: false, rehashed: false },
      },
    ])
    // The sessions from before do not come back.
    expect(await codeOf(on.gate.tokens.verify(first.accessToken))).toBe('ERR_TOKEN_REVOKED')
  })

  test('disables the application’s own users too, whether or not they have been here', async () => {
    const { expectEvents } = await scenario(on)
    await on.gate.users.disable(4711)
    await expectEvents([{ event: 'user.disabled success', actor: 'application', subject: '4711' }])
    const attempt = await on.gate.attempts.begin({ identifier: 'bert', userId: 4711 })
    expect(await codeOf(attempt.succeed(4711))).toBe('ERR_LOGIN_REFUSED')
    expect(await codeOf(on.gate.sessions.start(4711))).toBe('ERR_LOGIN_REFUSED')
    await expectEvents([
      { event: 'login.failed failure disabled', actor: 'anonymous', subject: '4711', identifier: 'clear' },
      { event: 'login.failed failure disabled', actor: 'application', subject: '4711' },
    ])
    await on.gate.users.enable('4711')
    await expectEvents([{ event: 'user.enabled success', actor: 'application', subject: '4711' }])
  })

  test('knows which of its own users there are', async () => {
    await scenario(on)
    for (const call of [
      () => on.gate.users.disable(NOBODY),
      () => on.gate.users.enable(NOBODY),
      () => on.gate.users.grantRole(NOBODY, 'admin'),
      () => on.gate.users.revokeRole(NOBODY, 'admin'),
    ]) {
      expect(await codeOf(call())).toBe('ERR_USER_NOT_FOUND')
    }
    expect(await codeOf(on.gate.users.disable('usr_x'))).toBe('ERR_USER_ID_INVALID')
    expect(await codeOf(on.gate.users.disable(''))).toBe('ERR_USER_ID_INVALID')
    expect(await codeOf(on.gate.users.disable(1.5))).toBe('ERR_USER_ID_INVALID')
    expect(await codeOf(on.gate.users.grantRole(1, 'Not A Role'))).toBe('ERR_ROLE_INVALID')
  })

  test('grants and revokes roles; access tokens from before are stale, and a refresh tells the roles of now', async () => {
    const anna = on.person()
    const first = await on.gate.register(anna, anna.context)
    const { expectEvents } = await scenario(on)
    await on.gate.users.grantRole(first.userId, 'admin', ADMIN)
    await on.gate.users.grantRole(first.userId, 'admin', ADMIN)
    const granted = { event: 'role.granted success', actor: BY_ADMIN, subject: first.userId, data: { role: 'admin' } }
    await expectEvents([granted])
    expect(await codeOf(on.gate.tokens.verify(first.accessToken))).toBe('ERR_TOKEN_STALE')
    const second = await on.gate.refresh(first.refreshToken, anna.context)
    const refreshed = {
      event: 'session.refreshed success',
      actor: 'self',
      subject: first.userId,
      session: first.sessionId,
      from: anna.from,
    }
    await expectEvents([{ ...refreshed, data: { counter: 1 } }])
    expect((await on.gate.tokens.verify(second.accessToken)).roles).toEqual(['admin'])
    expect(await on.gate.users.anyoneHasRole('admin')).toBe(true)
    await on.gate.users.revokeRole(first.userId, 'admin', ADMIN)
    await on.gate.users.revokeRole(first.userId, 'admin', ADMIN)
    await expectEvents([{ ...granted, event: 'role.revoked success' }])
    expect(await codeOf(on.gate.tokens.verify(second.accessToken))).toBe('ERR_TOKEN_STALE')
    const third = await on.gate.refresh(second.refreshToken, anna.context)
    await expectEvents([{ ...refreshed, data: { counter: 2 } }])
    expect((await on.gate.tokens.verify(third.accessToken)).roles).toEqual([])
    expect((await on.gate.users.find(first.userId))?.roles).toEqual([])
  })

  test('lists users from the newest to the oldest, page by page', async () => {
    const made: string[] = []
    for (let count = 0; count < 5; count++) {
      on.clock.advance(1)
      made.unshift((await on.gate.users.create(on.person('page'))).id)
    }
    const listed: string[] = []
    let cursor: string | undefined
    do {
      const page = await on.gate.users.list({ limit: 2, ...(cursor !== undefined && { cursor }) })
      listed.push(...page.items.map(({ id }) => id))
      cursor = page.next ?? undefined
    } while (cursor !== undefined)
    expect(listed.slice(0, 5)).toEqual(made)
    expect(new Set(listed).size).toBe(listed.length)
    expect(await codeOf(on.gate.users.list({ cursor: '%%' }))).toBe('ERR_CURSOR_INVALID')
    expect(await codeOf(on.gate.users.list({ limit: 501 }))).toBe('ERR_QUERY_INVALID')
  })

  test('finds users by how their identifiers begin, in their order, page by page, and leaves nothing', async () => {
    const names = [
      'zoe@x.example',
      'Zoe',
      'zoé',
      'zoe%',
      'zoe_1',
      'zoeller',
      'zoe\u{10fffd}',
      'zo',
      'zof',
      '조에',
      '조에2',
    ]
    for (const identifier of names) await on.gate.users.create({ identifier, password: 'five brown herons dance' })
    const { expectEvents } = await scenario(on)
    const found = async (beginning: string) => {
      const identifiers: (string | null)[] = []
      for (let cursor: string | undefined; ; ) {
        const page = await on.gate.users.search(beginning, { limit: 2, ...(cursor !== undefined && { cursor }) })
        identifiers.push(...page.items.map(({ identifier }) => identifier))
        if (page.next === null) return identifiers
        cursor = page.next
      }
    }
    expect(await found('ZOE')).toEqual(['Zoe', 'zoe%', 'zoe@x.example', 'zoe_1', 'zoeller', 'zoe\u{10fffd}'])
    // Nothing in it is a pattern.
    expect(await found('zoe%')).toEqual(['zoe%'])
    expect(await found('zoe_')).toEqual(['zoe_1'])
    expect(await found('조')).toEqual(['조에', '조에2'])
    expect(await found('zz')).toEqual([])
    expect(await codeOf(on.gate.users.search(' '))).toBe('ERR_IDENTIFIER_INVALID')
    const { next } = await on.gate.users.search('zoe', { limit: 1 })
    expect(await codeOf(on.gate.users.search('조', { cursor: next! }))).toBe('ERR_CURSOR_INVALID')
    await expectEvents([])
  })
})
