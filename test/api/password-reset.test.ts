import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openGate, openOwnGate, scenario, type TestGate, WRONG_PASSWORD } from '../support/gate.ts'
import { createMailbox, type Mailbox } from '../support/mailbox.ts'

const NEW_PASSWORD = 'a brand new pass phrase'
const MINUTE = 60_000

describe.each(availableEngines)('password reset on $name', (engine) => {
  let on: TestGate
  let mailbox: Mailbox
  beforeAll(async () => {
    mailbox = createMailbox()
    on = await openGate(engine, { ...mailbox.options, mailsPerHour: 3 })
  })
  afterAll(() => on.close())

  /** A user, and the token that they were sent. */
  async function requested(name?: string) {
    const person = on.person(name)
    const { userId, sessionId } = await on.gate.register(person, person.context)
    await on.gate.passwordResets.request(person, person.context)
    const { token } = await mailbox.next()
    return { person, userId, sessionId, token: token! }
  }

  const failed = (reason: string, about: { from?: string; subject?: string } = {}) => ({
    event: `password.reset-failed failure ${reason}`,
    actor: 'anonymous',
    ...about,
  })

  test('sends a token, which is good for a new password and ends every session', async () => {
    const anna = on.person()
    const { userId: subject, sessionId: first, accessToken } = await on.gate.register(anna, anna.context)
    on.clock.advance(1000)
    const { sessionId: second } = await on.gate.login(anna, anna.context)
    const { expectEvents } = await scenario(on)
    await on.gate.passwordResets.request(
      { identifier: ` ${anna.identifier.toUpperCase()}` },
      { ...anna.context, language: 'ko' },
    )
    await expectEvents([
      {
        event: 'password.reset-requested success',
        actor: 'anonymous',
        subject,
        identifier: 'clear',
        from: anna.from,
      },
    ])
    const mail = await mailbox.next()
    expect(mail).toEqual({
      kind: 'reset',
      userId: subject,
      identifier: anna.identifier,
      language: 'ko',
      expiresAt: on.clock.now() + 30 * MINUTE,
      token: expect.stringMatching(/^gbp_[\w-]{43}$/),
    })

    await on.gate.passwordResets.complete({ token: mail.token!, newPassword: NEW_PASSWORD }, anna.context)
    const ended = { event: 'session.ended success password-changed', actor: 'self', subject, from: anna.from }
    await expectEvents([
      { event: 'password.reset success', actor: 'self', subject, from: anna.from, data: { confirmed: true } },
      { ...ended, session: first },
      { ...ended, session: second },
    ])
    expect(await codeOf(on.gate.tokens.verify(accessToken))).toBe('ERR_TOKEN_REVOKED')
    expect((await on.gate.users.find(subject))?.confirmedAt).toBe(on.clock.now())
    const { sessionId: session } = await on.gate.login({ ...anna, password: NEW_PASSWORD }, anna.context)
    expect(await codeOf(on.gate.login(anna, anna.context))).toBe('ERR_LOGIN_REFUSED')
    await expectEvents([
      {
        event: 'login.succeeded success',
        actor: 'self',
        subject,
        session,
        identifier: 'clear',
        from: anna.from,
        data: { known_device: false, rehashed: false },
      },
      {
        event: 'login.failed failure wrong-password',
        actor: 'anonymous',
        subject,
        identifier: 'clear',
        from: anna.from,
      },
    ])
  })

  test('answers a name that nobody has like any other, and sends nothing', async () => {
    const { expectEvents } = await scenario(on)
    const nobody = on.person('nobody')
    const before = mailbox.mails.length
    expect(await on.gate.passwordResets.request(nobody, nobody.context)).toBeUndefined()
    await expectEvents([
      {
        event: 'password.reset-requested failure unknown-user',
        actor: 'anonymous',
        identifier: 'masked',
        from: nobody.from,
      },
    ])
    await new Promise((resolve) => setTimeout(resolve, 1300))
    expect(mailbox.mails.length).toBe(before)
  })

  test('sends nothing to a disabled user, whose token is void too', async () => {
    const { person, userId: subject, token } = await requested()
    await on.gate.users.disable(subject)
    const { expectEvents } = await scenario(on)
    await on.gate.passwordResets.request(person, person.context)
    expect(await codeOf(on.gate.passwordResets.complete({ token, newPassword: NEW_PASSWORD }, person.context))).toBe(
      'ERR_RESET_INVALID',
    )
    await expectEvents([
      {
        event: 'password.reset-requested failure disabled',
        actor: 'anonymous',
        subject,
        identifier: 'clear',
        from: person.from,
      },
      failed('disabled', { subject, from: person.from }),
    ])
  })

  test('is good once, for as long as it lives, and not after another change of the password', async () => {
    const { person, userId: subject, token } = await requested()
    const complete = (presented: string) =>
      codeOf(on.gate.passwordResets.complete({ token: presented, newPassword: NEW_PASSWORD }))
    await on.gate.passwordResets.request(person, person.context)
    const second = (await mailbox.next()).token!
    await on.gate.passwordResets.request(person, person.context)
    const third = (await mailbox.next()).token!
    expect(await complete(token)).toBe('no error')
    const { expectEvents } = await scenario(on)
    expect(await complete(token)).toBe('ERR_RESET_INVALID')
    expect(await complete(second)).toBe('ERR_RESET_INVALID')
    on.clock.advance(30 * MINUTE)
    expect(await complete(third)).toBe('ERR_RESET_INVALID')
    await expectEvents([failed('used', { subject }), failed('superseded', { subject }), failed('expired', { subject })])
  })

  test.each([
    ['nothing', ''],
    ['white space', '   '],
    ['another kind of token', `gbi_${'A'.repeat(43)}`],
    ['an invented one', `gbp_${'A'.repeat(43)}`],
    ['one that is too long', `gbp_${'A'.repeat(4000)}`],
    ['a NUL', `gbp_${'A'.repeat(42)}\0`],
    ['SQL', "gbp_' OR 1=1 --"],
  ])('refuses %s', async (_, token) => {
    const { expectEvents } = await scenario(on)
    expect(await codeOf(on.gate.passwordResets.complete({ token, newPassword: NEW_PASSWORD }))).toBe(
      'ERR_RESET_INVALID',
    )
    await expectEvents([failed('invalid')])
  })

  test('keeps the token when the new password may not be chosen', async () => {
    const { person, userId, sessionId, token } = await requested('somebody-with-a-long-name')
    const { expectEvents } = await scenario(on)
    for (const [code, newPassword] of [
      ['ERR_PASSWORD_TOO_SHORT', 'short'],
      ['ERR_PASSWORD_COMMON', 'passwordpassword'],
      ['ERR_PASSWORD_MATCHES_IDENTIFIER', person.identifier],
    ] as const) {
      expect(await codeOf(on.gate.passwordResets.complete({ token, newPassword }))).toBe(code)
    }
    await expectEvents([])
    // As it comes out of a mail program or a terminal.
    await on.gate.passwordResets.complete({ token: ` ${token}\n`, newPassword: NEW_PASSWORD })
    await expectEvents([
      { event: 'password.reset success', actor: 'self', subject: userId, data: { confirmed: true } },
      {
        event: 'session.ended success password-changed',
        actor: 'self',
        subject: userId,
        session: sessionId,
      },
    ])
  })

  test('is sent to the address that registered, not to one that is folded to it', async () => {
    const victim = on.person('mike')
    const { userId } = await on.gate.register(victim, victim.context)
    await on.gate.passwordResets.request({ identifier: victim.identifier.replace('k', '\u212a') }, victim.context)
    expect(await mailbox.next()).toMatchObject({ userId, identifier: victim.identifier })
  })

  test('sends an account so many mails an hour and no more, whoever asks; the answer does not tell', async () => {
    const anna = on.person()
    const { userId: subject } = await on.gate.register(anna, anna.context)
    const nobody = on.person('nobody')
    const places = Array.from({ length: 4 }, () => on.person())
    const { expectEvents } = await scenario(on)
    for (const who of [anna, nobody]) {
      for (const { context } of places) {
        expect(await on.gate.passwordResets.request(who, context)).toBeUndefined()
      }
    }
    const sent = [await mailbox.next(), await mailbox.next(), await mailbox.next()]
    expect(new Set(sent.map(({ token }) => token)).size).toBe(3)
    const about = (known: boolean) => ({
      actor: 'anonymous',
      identifier: known ? ('clear' as const) : ('masked' as const),
      ...(known && { subject }),
    })
    const enough = {
      event: 'password.reset-requested denied throttled',
      data: { scope: 'mail', retry_after: 3600 },
      from: places[3]!.from,
    }
    const asked = (event: string, known: boolean) =>
      places.slice(0, 3).map(({ from }) => ({ event, ...about(known), from }))
    await expectEvents([
      ...asked('password.reset-requested success', true),
      { ...enough, ...about(true) },
      ...asked('password.reset-requested failure unknown-user', false),
      { ...enough, ...about(false) },
    ])
  })

  test('is throttled by address, which does not depend on who has an account', async () => {
    const own = await openOwnGate(engine, { ...createMailbox().options, throttleAddressFailures: 2 })
    const { context, from } = own.person()
    const { expectEvents } = await scenario(own)
    const asked = { event: 'password.reset-requested failure unknown-user', actor: 'anonymous', from }
    await own.gate.passwordResets.request(own.person(), context)
    await own.gate.passwordResets.request(own.person(), context)
    expect(await codeOf(own.gate.passwordResets.request(own.person(), context))).toBe('ERR_THROTTLED')
    await expectEvents([
      { ...asked, identifier: 'masked' },
      { ...asked, identifier: 'masked' },
      {
        event: 'throttle.locked success',
        actor: 'anonymous',
        identifier: 'masked',
        from,
        data: { scope: 'address', until: own.clock.now() + 600_000 },
      },
      {
        event: 'password.reset-requested denied throttled',
        actor: 'anonymous',
        identifier: 'masked',
        from,
        data: { scope: 'address', retry_after: 600 },
      },
    ])
  })

  test('lets in an owner whose account somebody else has locked', async () => {
    const own = await openOwnGate(engine, { throttleAccountFailures: 1 })
    const anna = own.person()
    const { userId, sessionId } = await own.gate.register(anna, anna.context)
    const attacker = own.person()
    expect(await codeOf(own.gate.login({ ...anna, password: WRONG_PASSWORD }, attacker.context))).toBe(
      'ERR_LOGIN_REFUSED',
    )
    expect(await codeOf(own.gate.login(anna, anna.context))).toBe('ERR_THROTTLED')
    const { token } = await own.gate.passwordResets.issue(userId, { actor: { kind: 'admin', id: 'usr_root' } })
    const { expectEvents } = await scenario(own)
    await own.gate.passwordResets.complete({ token, newPassword: NEW_PASSWORD }, anna.context)
    const about = { actor: 'self', subject: userId, from: anna.from }
    await expectEvents([
      { ...about, event: 'password.reset success', data: { confirmed: false } },
      { ...about, event: 'session.ended success password-changed', session: sessionId },
      { ...about, event: 'throttle.unlocked success', data: { counters: 2 } },
    ])
    const { sessionId: session } = await own.gate.login({ ...anna, password: NEW_PASSWORD }, anna.context)
    await expectEvents([
      {
        ...about,
        event: 'login.succeeded success',
        identifier: 'clear',
        session,
        data: { known_device: false, rehashed: false },
      },
    ])
    expect((await own.gate.users.find(userId))?.confirmedAt).toBeNull()
  })

  test('is issued by an operator, who does not learn the password', async () => {
    const anna = on.person()
    const { id: subject } = await on.gate.users.create(anna)
    const { expectEvents } = await scenario(on)
    const issued = await on.gate.passwordResets.issue(subject, { actor: { kind: 'admin', id: 'usr_root' } })
    expect(issued).toEqual({ token: expect.stringMatching(/^gbp_/), expiresAt: on.clock.now() + 30 * MINUTE })
    await expectEvents([{ event: 'password.reset-requested success', actor: 'admin usr_root', subject }])
    expect(await codeOf(on.gate.passwordResets.issue('usr_01k00000000000000000000001'))).toBe('ERR_USER_NOT_FOUND')
    await on.gate.passwordResets.complete({ token: issued.token, newPassword: NEW_PASSWORD })
    await expectEvents([{ event: 'password.reset success', actor: 'self', subject, data: { confirmed: false } }])
  })

  test('cannot be asked for where nothing can be sent', async () => {
    const own = await openOwnGate(engine)
    await scenario(own)
    expect(await codeOf(own.gate.passwordResets.request(own.person()))).toBe('ERR_MAIL_UNAVAILABLE')
  })
})
