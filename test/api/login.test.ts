import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openGate, openOwnGate, type Person, scenario, type TestGate, WRONG_PASSWORD } from '../support/gate.ts'

describe.each(availableEngines)('log in on $name', (engine) => {
  let on: TestGate
  beforeAll(async () => {
    on = await openGate(engine)
  })
  afterAll(() => on.close())

  async function registered(gate = on): Promise<Person & { readonly userId: string; readonly deviceToken: string }> {
    const person = gate.person()
    const { userId, deviceToken } = await gate.gate.register(person, person.context)
    return { ...person, userId, deviceToken }
  }

  /** What every refused log-in is answered with, whatever the log says. */
  async function answerTo(call: Promise<unknown>): Promise<unknown> {
    const error = await call.then(
      () => new Error('it succeeded'),
      (thrown) => thrown,
    )
    return { code: error.code, message: error.message, members: error.members, retry: error.retryAfterSeconds }
  }

  test('starts a session', async () => {
    const anna = await registered()
    const { expectEvents } = await scenario(on)
    const tokens = await on.gate.login(anna, anna.context)
    await expectEvents([
      {
        event: 'login.succeeded success',
        actor: 'self',
        subject: anna.userId,
        identifier: 'clear',
        session: tokens.sessionId,
        from: anna.from,
        data: { known_device: false, rehashed: false },
      },
    ])
    expect(tokens).toMatchObject({
      tokenType: 'Bearer',
      expiresIn: 600,
      refreshExpiresIn: 14 * 86_400,
      userId: anna.userId,
    })
    expect(await on.gate.sessions.find(tokens.sessionId)).toMatchObject({
      userId: anna.userId,
      createdAt: on.clock.now(),
      endedAt: null,
      ip: anna.context.ip,
      userAgent: 'test/1',
      method: 'password',
    })
    const [event] = (await on.gate.log.search({ session: tokens.sessionId })).items
    expect(event).toMatchObject({
      method: 'password',
      userAgent: 'test/1',
      requestId: anna.context.requestId,
      at: on.clock.now(),
    })
    const { tokenId, authenticatedAt } = await on.gate.tokens.verify(tokens.accessToken)
    expect(event?.tokenId).toBe(tokenId)
    expect(authenticatedAt).toBe(Math.floor(on.clock.now() / 1000) * 1000)
  })

  test('takes any spelling of the name, and the password in either Unicode form', async () => {
    const person = { ...on.person('Zoë'), password: 'pass phrase with é in it' }
    await on.gate.register(person)
    const spelled = { identifier: ` ${person.identifier.toUpperCase()}`, password: person.password.normalize('NFD') }
    expect(await codeOf(on.gate.login(spelled))).toBe('no error')
  })

  test('that is refused has one answer and four reasons', async () => {
    const { gate } = on
    const anna = await registered()
    const bert = await registered()
    await gate.users.disable(bert.userId)
    const { expectEvents } = await scenario(on)
    const answers = [
      await answerTo(gate.login({ ...anna, password: WRONG_PASSWORD }, anna.context)),
      await answerTo(gate.login({ ...anna, identifier: 'nobody@example.org' }, anna.context)),
      await answerTo(gate.login({ ...anna, identifier: 'not an address' }, anna.context)),
      await answerTo(gate.login(bert, anna.context)),
      await answerTo(gate.login({ ...bert, password: WRONG_PASSWORD }, anna.context)),
      await answerTo(gate.login({ ...anna, password: '' }, anna.context)),
      await answerTo(gate.login({ ...anna, password: 'x'.repeat(10_000) }, anna.context)),
    ]
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect(answers[0]).toMatchObject({ code: 'ERR_LOGIN_REFUSED', members: {}, retry: undefined })
    const refused = { actor: 'anonymous', from: anna.from }
    const known = { ...refused, subject: anna.userId, identifier: 'clear' } as const
    await expectEvents([
      { ...known, event: 'login.failed failure wrong-password' },
      { ...refused, event: 'login.failed failure unknown-user', identifier: 'masked' },
      { ...refused, event: 'login.failed failure unknown-user', identifier: 'digest' },
      { ...refused, event: 'login.failed failure disabled', subject: bert.userId, identifier: 'clear' },
      { ...refused, event: 'login.failed failure wrong-password', subject: bert.userId, identifier: 'clear' },
      { ...known, event: 'login.failed failure wrong-password' },
      { ...known, event: 'login.failed failure wrong-password' },
    ])
  })

  test('never puts in clear what belongs to nobody', async () => {
    const { gate } = on
    const typed = 'berta@mail.example.org'
    await codeOf(gate.login({ identifier: typed, password: WRONG_PASSWORD }))
    const [event] = (await gate.log.search({ identifier: ' BERTA@mail.example.org' })).items
    expect(event).toMatchObject({ identifier: null, identifierMask: 'b***@m***.org', subject: null })
    expect(event?.identifierHmac).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })

  test('is throttled after five failures, known user or not, with the same answer', async () => {
    const { gate, clock } = on
    const anna = await registered()
    const { expectEvents } = await scenario(on)
    for (const [name, subject] of [
      [anna.identifier, anna.userId],
      ['nobody-at-all@example.org', undefined],
    ] as const) {
      const { context, from } = on.person()
      const who = {
        actor: 'anonymous',
        from,
        identifier: subject === undefined ? 'masked' : 'clear',
        ...(subject !== undefined && { subject }),
      } as const
      const wrong = { identifier: name, password: WRONG_PASSWORD }
      for (let count = 0; count < 5; count++) expect(await codeOf(gate.login(wrong, context))).toBe('ERR_LOGIN_REFUSED')
      // The right password changes nothing: no password is looked at.
      const answer = await answerTo(gate.login({ ...wrong, password: anna.password }, context))
      expect(answer).toMatchObject({ code: 'ERR_THROTTLED', retry: 1, members: {} })
      const reason = subject === undefined ? 'unknown-user' : 'wrong-password'
      await expectEvents([
        ...Array.from({ length: 5 }, () => ({ ...who, event: `login.failed failure ${reason}` })),
        { ...who, event: 'login.failed denied throttled', data: { scope: 'pair', retry_after: 1 } },
      ])
      clock.advance(1000)
      expect(await codeOf(gate.login(wrong, context))).toBe('ERR_LOGIN_REFUSED')
      expect(await answerTo(gate.login(wrong, context))).toMatchObject({ retry: 2 })
      await expectEvents([
        { ...who, event: `login.failed failure ${reason}` },
        { ...who, event: 'login.failed denied throttled', data: { scope: 'pair', retry_after: 2 } },
      ])
    }
  })

  test('that succeeds sets the count of its account and address back', async () => {
    const { gate } = on
    const anna = await registered()
    const wrong = { ...anna, password: WRONG_PASSWORD }
    for (let round = 0; round < 3; round++) {
      for (let count = 0; count < 4; count++) {
        expect(await codeOf(gate.login(wrong, anna.context))).toBe('ERR_LOGIN_REFUSED')
      }
      expect(await codeOf(gate.login(anna, anna.context))).toBe('no error')
    }
  })

  test('from a known device is not locked out by what others do to the account', async () => {
    const own = await openOwnGate(engine, { throttleAccountFailures: 6 })
    const anna = await registered(own)
    const device = { ...anna.context, deviceToken: anna.deviceToken }
    const { expectEvents } = await scenario(own)
    const failed = {
      event: 'login.failed failure wrong-password',
      actor: 'anonymous',
      subject: anna.userId,
      identifier: 'clear',
    } as const
    const wrong = { ...anna, password: WRONG_PASSWORD }
    const attackers = [own.person(), own.person()]
    for (const { context } of attackers) {
      for (let count = 0; count < 3; count++)
        expect(await codeOf(own.gate.login(wrong, context))).toBe('ERR_LOGIN_REFUSED')
    }
    await expectEvents([
      ...attackers.flatMap(({ from }) => [0, 1, 2].map(() => ({ ...failed, from }))),
      {
        ...failed,
        event: 'throttle.locked success',
        from: attackers[1]!.from,
        data: { scope: 'account', until: own.clock.now() + 86_400_000 },
      },
    ])
    const stranger = await own.gate.login(anna, anna.context).catch((error) => error)
    expect(stranger).toMatchObject({ code: 'ERR_THROTTLED', retryAfterSeconds: 86_400 })
    await expectEvents([
      {
        ...failed,
        event: 'login.failed denied throttled',
        from: anna.from,
        data: { scope: 'account', retry_after: 86_400 },
      },
    ])
    const tokens = await own.gate.login(anna, device)
    await expectEvents([
      {
        event: 'login.succeeded success',
        actor: 'self',
        subject: anna.userId,
        identifier: 'clear',
        session: tokens.sessionId,
        from: anna.from,
        data: { known_device: true, rehashed: false },
      },
    ])
    expect(tokens.deviceToken).toBe(anna.deviceToken)
    // The device has failures of its own to give away, and no more of them than an address.
    for (let count = 0; count < 5; count++)
      expect(await codeOf(own.gate.login(wrong, device))).toBe('ERR_LOGIN_REFUSED')
    expect(await codeOf(own.gate.login(anna, device))).toBe('ERR_THROTTLED')
    await expectEvents([
      ...Array.from({ length: 5 }, () => ({ ...failed, from: anna.from })),
      { ...failed, event: 'login.failed denied throttled', from: anna.from, data: { scope: 'pair', retry_after: 1 } },
    ])
  })

  test('does not take another user’s device, nor one that was made up', async () => {
    const own = await openOwnGate(engine, { throttleAccountFailures: 1 })
    const [anna, bert] = [await registered(own), await registered(own)]
    await codeOf(own.gate.login({ ...anna, password: WRONG_PASSWORD }, own.person().context))
    for (const deviceToken of [bert.deviceToken, `${anna.deviceToken.slice(0, -2)}AA`, 'gbd_', '', 'x'.repeat(5000)]) {
      expect(await codeOf(own.gate.login(anna, { ...own.person().context, deviceToken }))).toBe('ERR_THROTTLED')
    }
  })

  test('is possible again after an unlock', async () => {
    const { gate } = on
    const anna = await registered()
    const wrong = { ...anna, password: WRONG_PASSWORD }
    for (let count = 0; count < 5; count++) await codeOf(gate.login(wrong, anna.context))
    const { expectEvents } = await scenario(on)
    const operator = { actor: { kind: 'system', id: 'cli' } } as const
    expect(await gate.users.unlock(anna.identifier.toUpperCase(), operator)).toBe(2)
    expect(await gate.users.unlock(anna.identifier, operator)).toBe(0)
    await expectEvents([
      {
        event: 'throttle.unlocked success',
        actor: 'system cli',
        subject: anna.userId,
        identifier: 'clear',
        data: { counters: 2 },
      },
    ])
    const { sessionId } = await gate.login(anna, anna.context)
    await expectEvents([
      {
        event: 'login.succeeded success',
        actor: 'self',
        subject: anna.userId,
        identifier: 'clear',
        session: sessionId,
        from: anna.from,
        data: { known_device: false, rehashed: false },
      },
    ])
  })

  test('hashes the password again when the parameters have changed', async () => {
    const anna = await registered()
    const stronger = await on.another({ argon2Iterations: 2 })
    const readHash = () =>
      on.direct.kysely
        .selectFrom('gatebook_credential')
        .select('password_hash')
        .where('user_id', '=', anna.userId)
        .executeTakeFirstOrThrow()
    expect((await readHash()).password_hash).toContain('t=1')
    const { expectEvents } = await scenario(on)
    const login = {
      event: 'login.succeeded success',
      actor: 'self',
      subject: anna.userId,
      identifier: 'clear',
      from: anna.from,
    } as const
    const first = await stronger.login(anna, anna.context)
    expect((await readHash()).password_hash).toContain('t=2')
    const second = await stronger.login(anna, anna.context)
    await expectEvents([
      { ...login, session: first.sessionId, data: { known_device: false, rehashed: true } },
      { ...login, session: second.sessionId, data: { known_device: false, rehashed: false } },
    ])
    expect(await codeOf(stronger.login({ ...anna, password: WRONG_PASSWORD }))).toBe('ERR_LOGIN_REFUSED')
    await expectEvents([
      { event: 'login.failed failure wrong-password', actor: 'anonymous', subject: anna.userId, identifier: 'clear' },
    ])
  })

  test('adds the claims of the application, or fails as a whole when they do not fit', async () => {
    const claims = ({ userId }: { userId: string }) => ({ tenant: `of ${userId}`, plan: { seats: 3 } })
    const own = await openOwnGate(engine, { claims })
    const anna = await registered(own)
    const { accessToken } = await own.gate.login(anna)
    expect((await own.gate.tokens.verify(accessToken)).claims).toEqual({
      tenant: `of ${anna.userId}`,
      plan: { seats: 3 },
    })
    const greedy = await own.another({ claims: () => ({ text: 'x'.repeat(1900) }), accessTokenMaxBytes: 1024 })
    await scenario(own)
    const before = await own.gate.sessions.list(anna.userId)
    expect(await codeOf(greedy.login(anna))).toBe('ERR_TOKEN_TOO_LARGE')
    expect(await own.gate.sessions.list(anna.userId)).toEqual(before)
    const forging = await own.another({ claims: () => ({ sub: 'somebody else' }) })
    expect(await codeOf(forging.login(anna))).toBe('ERR_CLAIMS_INVALID')
  })
})
