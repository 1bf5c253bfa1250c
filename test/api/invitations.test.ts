import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openGate, scenario, type TestGate } from '../support/gate.ts'
import { createMailbox, type Mailbox } from '../support/mailbox.ts'

const ADMIN = { actor: { kind: 'admin', id: 'usr_01k00000000000000000000000' } } as const
const HOUR = 3_600_000

describe.each(availableEngines)('invitations on $name', (engine) => {
  let on: TestGate
  let mailbox: Mailbox
  beforeAll(async () => {
    mailbox = createMailbox()
    on = await openGate(engine, { ...mailbox.options, registration: 'invite' })
  })
  afterAll(() => on.close())

  const refused = (reason: string, from: string, naming: 'masked' | 'clear' | 'digest' = 'masked') => ({
    event: `registration.refused denied ${reason}`,
    actor: 'anonymous',
    identifier: naming,
    from,
  })

  test('let their holder register once, with the roles of the invitation', async () => {
    const anna = on.person()
    const { expectEvents } = await scenario(on)
    const { token, ...invitation } = await on.gate.invitations.create({ roles: ['editor', 'author', 'editor'] }, ADMIN)
    const createdAt = on.clock.now()
    const expiresAt = createdAt + 7 * 24 * HOUR
    expect(token).toMatch(/^gbi_[\w-]{43}$/)
    expect(invitation).toEqual({
      id: expect.stringMatching(/^inv_/),
      identifier: null,
      roles: ['author', 'editor'],
      createdBy: ADMIN.actor.id,
      createdAt,
      expiresAt,
      state: 'open',
      usedBy: null,
    })
    const tokens = await on.gate.register({ ...anna, invitation: token }, anna.context)
    const { userId: subject, sessionId: session } = tokens
    const about = { actor: 'self', subject, from: anna.from }
    await expectEvents([
      {
        event: 'invitation.created success',
        actor: `admin ${ADMIN.actor.id}`,
        data: { invitation: invitation.id, roles: ['author', 'editor'], expires_at: expiresAt },
      },
      { ...about, event: 'user.registered success', identifier: 'clear', data: { invitation: invitation.id } },
      { ...about, event: 'role.granted success', data: { role: 'author' } },
      { ...about, event: 'role.granted success', data: { role: 'editor' } },
      {
        ...about,
        event: 'login.succeeded success',
        identifier: 'clear',
        session,
        data: { known_device: false },
      },
    ])
    expect((await on.gate.tokens.verify(tokens.accessToken)).roles).toEqual(['author', 'editor'])
    expect((await on.gate.users.find(subject))?.confirmedAt).toBeNull()

    const bert = on.person()
    expect(await codeOf(on.gate.register({ ...bert, invitation: token }, bert.context))).toBe('ERR_INVITATION_INVALID')
    await expectEvents([refused('invitation-invalid', bert.from)])
    const [listed] = (await on.gate.invitations.list({ limit: 1 })).items
    expect(listed).toEqual({ ...invitation, state: 'used', usedBy: subject })
  })

  test('are asked for, and must be good', async () => {
    const { id, token } = await on.gate.invitations.create()
    const { token: short } = await on.gate.invitations.create({ expiresInSeconds: 60 })
    expect(await on.gate.invitations.revoke(id, ADMIN)).toBe(true)
    on.clock.advance(60_000)
    const { expectEvents } = await scenario(on)
    const anna = on.person()
    expect(await codeOf(on.gate.register(anna, anna.context))).toBe('ERR_INVITATION_REQUIRED')
    for (const invitation of [token, short, '', `gbi_${'A'.repeat(43)}`, `gbp_${token.slice(4)}`]) {
      expect(await codeOf(on.gate.register({ ...anna, invitation }, anna.context))).toBe('ERR_INVITATION_INVALID')
    }
    await expectEvents([
      refused('invitation-missing', anna.from),
      ...Array(5).fill(refused('invitation-invalid', anna.from)),
    ])
  })

  test('to one address are for nobody else, and vouch for it', async () => {
    const anna = on.person()
    const { token, id } = await on.gate.invitations.create({ identifier: anna.identifier, send: true }, ADMIN)
    expect(await mailbox.next()).toMatchObject({ kind: 'invite', identifier: anna.identifier, token })
    const { expectEvents } = await scenario(on)
    const bert = on.person()
    expect(await codeOf(on.gate.register({ ...bert, invitation: token }, bert.context))).toBe('ERR_INVITATION_INVALID')
    const typed = { ...anna, identifier: anna.identifier.toUpperCase(), invitation: token }
    const confirming = await on.another({ registration: 'confirm' })
    const { userId: subject, sessionId: session } = await confirming.register(typed, anna.context)
    const about = { actor: 'self', subject, from: anna.from }
    await expectEvents([
      refused('invitation-invalid', bert.from),
      {
        ...about,
        event: 'user.registered success',
        identifier: 'clear',
        data: { confirmed: true, invitation: id },
      },
      { ...about, event: 'login.succeeded success', identifier: 'clear', session, data: { known_device: false } },
    ])
  })

  test('to nobody in particular do not stand for a confirmation', async () => {
    const { token } = await on.gate.invitations.create()
    const { expectEvents } = await scenario(on)
    const anna = on.person()
    const confirming = await on.another({ registration: 'confirm' })
    expect(await codeOf(confirming.register({ ...anna, invitation: token }, anna.context))).toBe(
      'ERR_INVITATION_INVALID',
    )
    await expectEvents([refused('invitation-invalid', anna.from)])
  })

  test('are not spent by a name that is taken', async () => {
    const taken = on.person()
    await on.gate.users.create(taken)
    const { token, id } = await on.gate.invitations.create()
    const { expectEvents } = await scenario(on)
    expect(await codeOf(on.gate.register({ ...taken, invitation: token }, taken.context))).toBe('ERR_IDENTIFIER_TAKEN')
    await expectEvents([refused('identifier-taken', taken.from, 'clear')])
    expect((await on.gate.invitations.list()).items.find((each) => each.id === id)?.state).toBe('open')
  })

  test('help nobody where registration is closed', async () => {
    const closed = await on.another({ registration: 'closed' })
    const { token } = await closed.invitations.create()
    const { expectEvents } = await scenario(on)
    const anna = on.person()
    expect(await codeOf(closed.register({ ...anna, invitation: token }, anna.context))).toBe('ERR_REGISTRATION_CLOSED')
    await expectEvents([refused('closed', anna.from)])
  })

  test('are revoked once', async () => {
    const { id } = await on.gate.invitations.create()
    const { expectEvents } = await scenario(on)
    expect(await on.gate.invitations.revoke(id, ADMIN)).toBe(true)
    expect(await on.gate.invitations.revoke(id, ADMIN)).toBe(false)
    expect(await codeOf(on.gate.invitations.revoke('inv_01k00000000000000000000000'))).toBe('ERR_INVITATION_NOT_FOUND')
    expect(await codeOf(on.gate.invitations.revoke('x'))).toBe('ERR_INVITATION_NOT_FOUND')
    await expectEvents([
      { event: 'invitation.revoked success', actor: `admin ${ADMIN.actor.id}`, data: { invitation: id } },
    ])
  })

  test('are listed newest first, page by page', async () => {
    const made: string[] = []
    for (let count = 0; count < 5; count++) {
      on.clock.advance(1)
      made.unshift((await on.gate.invitations.create()).id)
    }
    const first = await on.gate.invitations.list({ limit: 2 })
    const second = await on.gate.invitations.list({ limit: 3, cursor: first.next! })
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(made)
    expect(await codeOf(on.gate.invitations.list({ cursor: 'AAAA' }))).toBe('ERR_CURSOR_INVALID')
    expect(await codeOf(on.gate.invitations.list({ limit: 0 }))).toBe('ERR_QUERY_INVALID')
  })

  test.each([
    ['ERR_IDENTIFIER_INVALID', { identifier: '\u202e' }],
    ['ERR_IDENTIFIER_NOT_EMAIL', { identifier: 'anna', send: true }],
    ['ERR_IDENTIFIER_NOT_EMAIL', { send: true }],
    ['ERR_ROLE_INVALID', { roles: ['No Role'] }],
    ['ERR_ROLE_INVALID', { roles: Array.from({ length: 65 }, (_, place) => `role-${place}`) }],
    ['ERR_OPTION_INVALID', { expiresInSeconds: 59 }],
    ['ERR_OPTION_INVALID', { expiresInSeconds: 1e9 }],
  ])('%s for %j', async (code, input) => {
    await scenario(on)
    expect(await codeOf(on.gate.invitations.create(input))).toBe(code)
  })
})
