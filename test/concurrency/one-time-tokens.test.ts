import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gatebook } from '../../src/api.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openGate, PASSWORD, type TestGate } from '../support/gate.ts'
import { createMailbox, type Mailbox } from '../support/mailbox.ts'

const PARALLEL = 50

/** However many hold a token, and in however many processes: it is good once. */
describe.each(availableEngines)('one-time tokens on $name', (engine) => {
  let on: TestGate
  let mailbox: Mailbox
  let gates: readonly Gatebook[]
  beforeAll(async () => {
    mailbox = createMailbox()
    const options = { ...mailbox.options, registration: 'confirm', throttleAddressFailures: 1000 } as const
    on = await openGate(engine, options)
    gates = [on.gate, await on.another()]
  })
  afterAll(() => on.close())

  /** The codes of as many calls at once, and how often each event was left by them. */
  async function race(use: (gate: Gatebook, place: number) => Promise<unknown>) {
    const before = (await on.events()).length
    const codes = await Promise.all(
      Array.from({ length: PARALLEL }, (_, place) => codeOf(use(gates[place % gates.length]!, place))),
    )
    const left: Record<string, number> = {}
    for (const { type, reason } of (await on.events()).slice(before)) {
      const name = reason === null ? type : `${type} ${reason}`
      left[name] = (left[name] ?? 0) + 1
    }
    const refused = codes.filter((code) => code !== 'no error')
    return { winner: codes.indexOf('no error'), refused, left }
  }

  const times = (code: string) => Array(PARALLEL - 1).fill(code)

  test('a reset token, used 50 times at once: one password is set', async () => {
    const anna = on.person()
    await on.gate.users.create(anna)
    await on.gate.login(anna, anna.context)
    await on.gate.passwordResets.request(anna, anna.context)
    const token = (await mailbox.next()).token!
    const passwordOf = (place: number) => `a brand new pass phrase, number ${place}`
    const { winner, refused, left } = await race((gate, place) =>
      gate.passwordResets.complete({ token, newPassword: passwordOf(place) }),
    )
    expect(refused).toEqual(times('ERR_RESET_INVALID'))
    expect(left).toEqual({
      'password.reset': 1,
      'session.ended password-changed': 1,
      'password.reset-failed used': PARALLEL - 1,
    })
    expect(await codeOf(on.gate.login({ ...anna, password: passwordOf(winner) }))).toBe('no error')
  })

  test('a confirmation, used 50 times at once: one user, one session', async () => {
    const anna = on.person()
    await on.gate.registrations.request(anna, anna.context)
    const token = (await mailbox.next()).token!
    const { refused, left } = await race((gate) => gate.registrations.confirm({ token, password: PASSWORD }))
    expect(refused).toEqual(times('ERR_CONFIRMATION_INVALID'))
    expect(left).toEqual({
      'user.registered': 1,
      'login.succeeded': 1,
      'registration.refused confirmation-invalid': PARALLEL - 1,
    })
  })

  test('two confirmations of one address, at once: one user', async () => {
    const anna = on.person()
    const tokens: string[] = []
    for (const { context } of [on.person(), on.person()]) {
      await on.gate.registrations.request(anna, context)
      tokens.push((await mailbox.next()).token!)
    }
    const { refused, left } = await race((gate, place) =>
      place < 2
        ? gate.registrations.confirm({ token: tokens[place]!, password: PASSWORD })
        : Promise.reject({ code: 'not tried' }),
    )
    expect(refused.filter((code) => code !== 'not tried')).toEqual(['ERR_IDENTIFIER_TAKEN'])
    expect(left).toEqual({ 'user.registered': 1, 'login.succeeded': 1, 'registration.refused identifier-taken': 1 })
  })

  test('an invitation, used 50 times at once: one user', async () => {
    const { id, token } = await on.gate.invitations.create({ roles: ['editor'] })
    const people = Array.from({ length: PARALLEL }, () => on.person())
    const open = await on.another({ registration: 'invite' })
    const { winner, refused, left } = await race((_, place) => open.register({ ...people[place]!, invitation: token }))
    expect(refused).toEqual(times('ERR_INVITATION_INVALID'))
    expect(left).toEqual({
      'user.registered': 1,
      'role.granted': 1,
      'login.succeeded': 1,
      'registration.refused invitation-invalid': PARALLEL - 1,
    })
    const user = await on.gate.users.findByIdentifier(people[winner]!.identifier)
    expect((await on.gate.invitations.list()).items.find((each) => each.id === id)).toMatchObject({
      state: 'used',
      usedBy: user?.id,
    })
  })
})
