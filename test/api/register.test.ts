import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openGate, openOwnGate, PASSWORD, scenario, type TestGate } from '../support/gate.ts'

describe.each(availableEngines)('register on $name', (engine) => {
  let on: TestGate
  beforeAll(async () => {
    on = await openGate(engine)
  })
  afterAll(() => on.close())

  test('makes a user and logs them in', async () => {
    const { expectEvents } = await scenario(on)
    const anna = on.person()
    const tokens = await on.gate.register(anna, anna.context)
    const { userId: subject, sessionId: session } = tokens
    await expectEvents([
      { event: 'user.registered success', actor: 'self', subject, identifier: 'clear', from: anna.from },
      {
        event: 'login.succeeded success',
        actor: 'self',
        subject,
        identifier: 'clear',
        session,
        from: anna.from,
        data: { known_device: false },
      },
    ])
    expect(await on.gate.tokens.verify(tokens.accessToken)).toMatchObject({ userId: subject, sessionId: session })
    expect(await on.gate.users.find(subject)).toEqual({
      id: subject,
      identifier: anna.identifier,
      createdAt: on.clock.now(),
      confirmedAt: null,
      disabledAt: null,
      roles: [],
    })
  })

  test('keeps the name as it was typed, without white space at its ends', async () => {
    const typed = ` ${on.person('Änne').identifier.toUpperCase()} `
    const { userId } = await on.gate.register({ identifier: typed, password: PASSWORD })
    expect((await on.gate.users.find(userId))?.identifier).toBe(typed.trim())
    expect((await on.gate.users.findByIdentifier(typed.toLowerCase()))?.id).toBe(userId)
  })

  test('refuses a name that is taken, however it is spelled', async () => {
    const anna = on.person()
    await on.gate.register(anna, anna.context)
    const { expectEvents } = await scenario(on)
    const again = { ...anna, identifier: anna.identifier.toUpperCase() }
    expect(await codeOf(on.gate.register(again, anna.context))).toBe('ERR_IDENTIFIER_TAKEN')
    await expectEvents([
      {
        event: 'registration.refused denied identifier-taken',
        actor: 'anonymous',
        identifier: 'clear',
        from: anna.from,
      },
    ])
  })

  test.each([
    ['ERR_PASSWORD_TOO_SHORT', 'short'],
    ['ERR_PASSWORD_TOO_LONG', 'x y'.repeat(100)],
    ['ERR_PASSWORD_COMMON', 'passwordpassword'],
    ['ERR_PASSWORD_MALFORMED', 'a broken \ud800 pass phrase'],
  ])('answers %s without an event, because nothing was asked of the log-in yet', async (code, password) => {
    const anna = on.person()
    await scenario(on)
    expect(await codeOf(on.gate.register({ ...anna, password }, anna.context))).toBe(code)
    expect(await on.gate.users.findByIdentifier(anna.identifier)).toBeNull()
  })

  test('refuses a password that is the name', async () => {
    const anna = on.person('somebody-with-a-long-name')
    await scenario(on)
    const input = { ...anna, password: anna.identifier }
    expect(await codeOf(on.gate.register(input, anna.context))).toBe('ERR_PASSWORD_MATCHES_IDENTIFIER')
  })

  test.each(['', '   ', 'long '.repeat(65), 'line\nbreak', '\u202eevil', '\ud800'])(
    'refuses the name %j',
    async (identifier) => {
      await scenario(on)
      expect(await codeOf(on.gate.register({ identifier, password: PASSWORD }))).toBe('ERR_IDENTIFIER_INVALID')
    },
  )

  test('reports a name that can be taken for another one', async () => {
    const anna = on.person('anna')
    const { userId: first } = await on.gate.register(anna, anna.context)
    const { expectEvents } = await scenario(on)
    // With a Cyrillic letter.
    const lookalike = { ...on.person(), identifier: anna.identifier.replace('a', '\u0430') }
    const { id: subject } = await on.gate.users.create(lookalike)
    await expectEvents([
      {
        event: 'user.registered success',
        actor: 'application',
        subject,
        identifier: 'clear',
        data: { confusable: true },
      },
    ])
    expect((await on.gate.users.lookalikes(first)).map(({ id }) => id)).toEqual([subject])
    expect((await on.gate.users.lookalikes(subject)).map(({ id }) => id)).toEqual([first])
    const bert = on.person('bert')
    expect(await on.gate.users.lookalikes((await on.gate.register(bert, bert.context)).userId)).toEqual([])
    await expectEvents([
      expect.objectContaining({ event: 'user.registered success' }),
      expect.objectContaining({ event: 'login.succeeded success' }),
    ])
  })

  test('is throttled by address, and says so in the log', async () => {
    const own = await openOwnGate(engine, { throttleAddressFailures: 3 })
    const anna = own.person()
    await own.gate.register(anna, anna.context)
    const { expectEvents } = await scenario(own)
    const taken = { event: 'registration.refused denied identifier-taken', actor: 'anonymous', from: anna.from }
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(await codeOf(own.gate.register(anna, anna.context))).toBe('ERR_IDENTIFIER_TAKEN')
    }
    own.clock.advance(1000)
    const refusal = await own.gate.register(own.person(), anna.context).catch((error) => error)
    expect(refusal).toMatchObject({ code: 'ERR_THROTTLED', retryAfterSeconds: 599 })
    await expectEvents([
      { ...taken, identifier: 'clear' },
      { ...taken, identifier: 'clear' },
      {
        event: 'throttle.locked success',
        actor: 'anonymous',
        identifier: 'clear',
        from: anna.from,
        data: { scope: 'address', until: own.clock.now() - 1000 + 600_000 },
      },
      {
        event: 'registration.refused denied throttled',
        actor: 'anonymous',
        identifier: 'masked',
        from: anna.from,
        data: { scope: 'address', retry_after: 599 },
      },
    ])
  })

  test('counts whether the name is taken or not, and apart from log-ins', async () => {
    const own = await openOwnGate(engine, { throttleAddressFailures: 2 })
    const { context } = own.person()
    const first = own.person()
    await own.gate.register(first, context)
    const { expectEvents } = await scenario(own)
    const second = own.person()
    const { sessionId, userId } = await own.gate.register(second, context)
    await expectEvents([
      {
        event: 'user.registered success',
        actor: 'self',
        subject: userId,
        identifier: 'clear',
        from: `${context.ip} socket`,
      },
      {
        event: 'login.succeeded success',
        actor: 'self',
        subject: userId,
        session: sessionId,
        identifier: 'clear',
        from: `${context.ip} socket`,
        data: { known_device: false },
      },
      {
        event: 'throttle.locked success',
        actor: 'anonymous',
        identifier: 'masked',
        from: `${context.ip} socket`,
        data: { scope: 'address', until: own.clock.now() + 600_000 },
      },
    ])
  })

  test('is refused when it is closed; an operator can still make users', async () => {
    const own = await openOwnGate(engine, { registration: 'closed' })
    const { expectEvents } = await scenario(own)
    const anna = own.person()
    expect(await codeOf(own.gate.register(anna, anna.context))).toBe('ERR_REGISTRATION_CLOSED')
    await expectEvents([
      { event: 'registration.refused denied closed', actor: 'anonymous', identifier: 'masked', from: anna.from },
    ])
    const { id: subject } = await own.gate.users.create({ ...anna, roles: ['editor', 'admin', 'editor'] })
    const granted = { event: 'role.granted success', actor: 'application', subject }
    await expectEvents([
      { event: 'user.registered success', actor: 'application', subject, identifier: 'clear' },
      { ...granted, data: { role: 'admin' } },
      { ...granted, data: { role: 'editor' } },
    ])
    expect(await codeOf(own.gate.users.create(anna))).toBe('ERR_IDENTIFIER_TAKEN')
    expect((await own.gate.users.find(subject))?.roles).toEqual(['admin', 'editor'])
  })
})
