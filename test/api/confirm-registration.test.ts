import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openGate, openOwnGate, PASSWORD, scenario, type TestGate, WRONG_PASSWORD } from '../support/gate.ts'
import { createMailbox, type Mailbox } from '../support/mailbox.ts'

const DAY = 86_400_000

describe.each(availableEngines)('registration with a confirmed address on $name', (engine) => {
  let on: TestGate
  let mailbox: Mailbox
  beforeAll(async () => {
    mailbox = createMailbox()
    on = await openGate(engine, { ...mailbox.options, registration: 'confirm', mailsPerHour: 2 })
  })
  afterAll(() => on.close())

  test('sends a token, and makes the user when it comes back with the password', async () => {
    const anna = on.person()
    const { expectEvents } = await scenario(on)
    await on.gate.registrations.request({ ...anna, identifier: ` ${anna.identifier} ` }, anna.context)
    await expectEvents([
      { event: 'registration.requested success', actor: 'anonymous', identifier: 'masked', from: anna.from },
    ])
    expect(await on.gate.users.findByIdentifier(anna.identifier)).toBeNull()
    expect(await codeOf(on.gate.login(anna, { ip: '192.0.2.1' }))).toBe('ERR_LOGIN_REFUSED')
    const mail = await mailbox.next()
    expect(mail).toEqual({
      kind: 'confirm',
      userId: null,
      identifier: anna.identifier,
      language: null,
      expiresAt: on.clock.now() + DAY,
      token: expect.stringMatching(/^gbc_[\w-]{43}$/),
    })
    const tokens = await on.gate.registrations.confirm({ token: mail.token!, password: PASSWORD }, anna.context)
    const { userId: subject, sessionId: session } = tokens
    await expectEvents([
      {
        event: 'login.failed failure unknown-user',
        actor: 'anonymous',
        identifier: 'masked',
        from: '192.0.2.1 application',
      },
      {
        event: 'user.registered success',
        actor: 'self',
        subject,
        identifier: 'clear',
        from: anna.from,
        data: { confirmed: true },
      },
      {
        event: 'login.succeeded success',
        actor: 'self',
        subject,
        session,
        identifier: 'clear',
        from: anna.from,
        data: { known_device: false },
      },
    ])
    expect(await on.gate.users.find(subject)).toMatchObject({
      identifier: anna.identifier,
      confirmedAt: on.clock.now(),
    })
    expect(await on.gate.tokens.verify(tokens.accessToken)).toMatchObject({ userId: subject })
  })

  test('tells the owner of an address that it has an account, and nobody else', async () => {
    const anna = on.person()
    const { id: subject } = await on.gate.users.create(anna)
    const { expectEvents } = await scenario(on)
    const typed = { identifier: anna.identifier.toUpperCase(), password: WRONG_PASSWORD }
    expect(await on.gate.registrations.request(typed, { ...anna.context, language: 'en-GB' })).toBeUndefined()
    await expectEvents([
      {
        event: 'registration.refused denied identifier-taken',
        actor: 'anonymous',
        identifier: 'clear',
        from: anna.from,
      },
    ])
    expect(await mailbox.next()).toMatchObject({
      userId: subject,
      identifier: anna.identifier,
      language: 'en-GB',
      token: null,
    })
  })

  test('asks for the password again: who reads the mail cannot be given the password of who asked for it', async () => {
    const victim = on.person()
    const attacker = on.person()
    await on.gate.registrations.request({ ...victim, password: 'the pass phrase of an attacker' }, attacker.context)
    const theirs = (await mailbox.next()).token!
    await on.gate.registrations.request(victim, victim.context)
    const own = (await mailbox.next()).token!
    const { expectEvents } = await scenario(on)
    expect(await codeOf(on.gate.registrations.confirm({ token: theirs, password: PASSWORD }, victim.context))).toBe(
      'ERR_PASSWORD_WRONG',
    )
    const { userId: subject, sessionId: session } = await on.gate.registrations.confirm(
      { token: own, password: PASSWORD },
      victim.context,
    )
    expect(
      await codeOf(
        on.gate.registrations.confirm({ token: theirs, password: 'the pass phrase of an attacker' }, attacker.context),
      ),
    ).toBe('ERR_IDENTIFIER_TAKEN')
    const refused = { actor: 'anonymous', identifier: 'masked' } as const
    await expectEvents([
      { event: 'registration.refused denied wrong-password', ...refused, from: victim.from },
      {
        event: 'user.registered success',
        actor: 'self',
        subject,
        identifier: 'clear',
        from: victim.from,
        data: { confirmed: true },
      },
      {
        event: 'login.succeeded success',
        actor: 'self',
        subject,
        session,
        identifier: 'clear',
        from: victim.from,
        data: { known_device: false },
      },
      {
        event: 'registration.refused denied identifier-taken',
        actor: 'anonymous',
        identifier: 'clear',
        from: attacker.from,
      },
    ])
  })

  test('is good once and for a day', async () => {
    const anna = on.person()
    await on.gate.registrations.request(anna, anna.context)
    const first = (await mailbox.next()).token!
    const bert = on.person()
    await on.gate.registrations.request(bert, bert.context)
    const second = (await mailbox.next()).token!
    await on.gate.registrations.confirm({ token: first, password: PASSWORD })
    const { expectEvents } = await scenario(on)
    on.clock.advance(DAY)
    for (const token of [first, second, 'gbc_', `gbp_${'A'.repeat(43)}`]) {
      expect(await codeOf(on.gate.registrations.confirm({ token, password: PASSWORD }))).toBe(
        'ERR_CONFIRMATION_INVALID',
      )
    }
    const refused = { event: 'registration.refused denied confirmation-invalid', actor: 'anonymous' }
    await expectEvents([{ ...refused, identifier: 'masked' }, { ...refused, identifier: 'masked' }, refused, refused])
    expect(await on.gate.users.findByIdentifier(bert.identifier)).toBeNull()
  })

  test('sends an address so many mails an hour, and says so in the log only', async () => {
    const anna = on.person()
    const places = [on.person(), on.person(), on.person()]
    const { expectEvents } = await scenario(on)
    for (const { context } of places) expect(await on.gate.registrations.request(anna, context)).toBeUndefined()
    const asked = { event: 'registration.requested success', actor: 'anonymous', identifier: 'masked' } as const
    await expectEvents([
      { ...asked, from: places[0]!.from },
      { ...asked, from: places[1]!.from },
      {
        event: 'registration.refused denied throttled',
        actor: 'anonymous',
        identifier: 'masked',
        from: places[2]!.from,
        data: { scope: 'mail', retry_after: 3600 },
      },
    ])
    await mailbox.next()
    await mailbox.next()
  })

  test.each([
    ['a name', 'anna'],
    ['two addresses', 'a@example.org,b@example.org'],
    ['a display name', 'Anna <anna@example.org>'],
    ['a quoted local part', '"anna"@example.org'],
    ['a comment', 'anna(x)@example.org'],
    ['a route', 'anna%example.org@example.net'],
    ['two at signs', 'anna@evil.example@example.org'],
    ['dots in a row', 'anna..b@example.org'],
    ['an empty domain', 'anna@'],
  ])('refuses %s, to which no mail can be sent', async (_, identifier) => {
    await scenario(on)
    expect(await codeOf(on.gate.registrations.request({ identifier, password: PASSWORD }))).toBe(
      'ERR_IDENTIFIER_NOT_EMAIL',
    )
  })

  test('refuses a password that may not be chosen before anything is sent', async () => {
    await scenario(on)
    const anna = on.person()
    expect(await codeOf(on.gate.registrations.request({ ...anna, password: 'short' }))).toBe('ERR_PASSWORD_TOO_SHORT')
  })

  test('is the only way in: registering at once is refused, and so is confirming when it is closed', async () => {
    const { expectEvents } = await scenario(on)
    const anna = on.person()
    expect(await codeOf(on.gate.register(anna, anna.context))).toBe('ERR_CONFIRMATION_REQUIRED')
    const closed = await on.another({ registration: 'closed' })
    expect(await codeOf(closed.registrations.request(anna, anna.context))).toBe('ERR_REGISTRATION_CLOSED')
    await expectEvents([
      { event: 'registration.refused denied closed', actor: 'anonymous', identifier: 'masked', from: anna.from },
    ])
  })

  test('cannot be configured without a way to send', async () => {
    const { database } = on
    const opened = openOwnGate({ ...engine, createDatabase: async () => database }, { registration: 'confirm' })
    expect(await opened.catch((error) => error)).toMatchObject({
      code: 'ERR_OPTION_INVALID',
      detail: expect.stringContaining('registration: confirm needs a way to send'),
    })
  })
})
