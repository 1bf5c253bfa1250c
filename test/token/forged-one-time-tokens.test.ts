import { describe, expect, test } from 'vitest'
import { generateOneTimeToken, type OneTimePurpose } from '../../src/token/one-time.ts'
import { generateId } from '../../src/util/id.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openOwnGate, scenario, type TestGate } from '../support/gate.ts'

const NEW_PASSWORD = 'yet another pass phrase'

/** A row for a token that whoever writes it knows. */
async function forge({ direct, clock }: TestGate, purpose: OneTimePurpose, columns: object): Promise<string> {
  const { token, digest } = generateOneTimeToken(purpose)
  const now = clock.now()
  await direct.kysely
    .insertInto('gatebook_one_time_token')
    .values({
      id: generateId(purpose === 'invite' ? 'invitation' : 'oneTimeToken', now),
      purpose,
      secret_digest: digest,
      created_at: now,
      expires_at: now + 600_000,
      mac: Buffer.alloc(32, 1),
      ...columns,
    })
    .execute()
  return token
}

describe.each(availableEngines)('a one-time token that somebody has written into the database on $name', (engine) => {
  test('sets no password', async () => {
    const on = await openOwnGate(engine)
    const anna = on.person()
    const { userId } = await on.gate.register(anna, anna.context)
    const told = await scenario(on)
    const forged = await forge(on, 'reset', { subject_id: userId, credential_version: 1 })
    const { token: own } = await on.gate.passwordResets.issue(userId)
    // A digest of a token that is right, in a row that was made for another one.
    const { kysely } = on.direct
    await kysely
      .updateTable('gatebook_one_time_token')
      .set({ expires_at: 9e12 })
      .where('created_by', 'is not', null)
      .execute()
    for (const token of [forged, own]) {
      const call = on.gate.passwordResets.complete({ token, newPassword: NEW_PASSWORD }, anna.context)
      expect(await codeOf(call)).toBe('ERR_RESET_INVALID')
    }
    await told.expectEvents([
      { event: 'password.reset-requested success', actor: 'application', subject: userId },
      { event: 'password.reset-failed failure invalid', actor: 'anonymous', from: anna.from },
      { event: 'password.reset-failed failure invalid', actor: 'anonymous', from: anna.from },
    ])
  })

  test('registers nobody and gives no role', async () => {
    const on = await openOwnGate(engine, { registration: 'invite' })
    const anna = on.person()
    const { token: small } = await on.gate.invitations.create()
    const told = await scenario(on)
    const forged = await forge(on, 'invite', { roles: '["admin"]', created_by: 'usr_somebody' })
    await on.direct.kysely.updateTable('gatebook_one_time_token').set({ roles: '["admin"]' }).execute()
    for (const invitation of [forged, small]) {
      const call = on.gate.register({ ...anna, invitation }, anna.context)
      expect(await codeOf(call)).toBe('ERR_INVITATION_INVALID')
    }
    const refused = { event: 'registration.refused denied invitation-invalid', actor: 'anonymous', from: anna.from }
    await told.expectEvents([
      { ...refused, identifier: 'masked' },
      { ...refused, identifier: 'masked' },
    ])
  })
})
