/**
 * Register: a user, a password, and the first session.
 *
 * Events: `user.registered`, `role.granted` for each role of an invitation and `login.succeeded`; or `registration.refused`
 * (closed, identifier-taken, invitation-missing, invitation-invalid, throttled), with `throttle.locked` when it was the last
 * free attempt of the address.
 *
 * The answer tells whether a name is taken; so each registration of an address counts, taken or not, like the failures of
 * its log-ins but apart from them. Where an address is confirmed first, `confirm-registration.ts` answers instead.
 */
import type { RequestContext, SessionTokens } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { RegistrationRefusalReason } from '../event/catalogue.ts'
import type { NewEvent } from '../event/event.ts'
import type { Transaction } from '../store/transaction.ts'
import {
  findOneTimeToken,
  lockOneTimeToken,
  type OneTimeRow,
  problemOf,
  spendOneTimeToken,
} from '../token/one-time-row.ts'
import { normalizeIdentifier } from '../user/identifier.ts'
import { generateId } from '../util/id.ts'
import { countAttempt } from './counted-attempt.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'
import { startFirstSession } from './start-first-session.ts'

export interface RegisterInput {
  readonly identifier: string
  readonly password: string
  readonly invitation?: string
}

export async function register(
  parts: FlowParts,
  input: RegisterInput,
  context: RequestContext = {},
): Promise<SessionTokens> {
  const { settings, store, identifiers } = parts
  const identifierKey = normalizeIdentifier(input.identifier)
  const source = eventSource(context, { kind: 'anonymous' })
  const refusal = (reason: RegistrationRefusalReason): NewEvent => ({
    ...source,
    type: 'registration.refused',
    outcome: 'denied',
    reason,
    identifier: identifiers.describe(input.identifier, identifierKey, reason === 'identifier-taken'),
  })
  if (settings.registration === 'closed') {
    await parts.refusals.append(refusal('closed'))
    throw new GatebookError('ERR_REGISTRATION_CLOSED')
  }
  if (input.invitation === undefined && settings.registration === 'confirm') {
    throw new GatebookError('ERR_CONFIRMATION_REQUIRED', { detail: 'use registrations.request' })
  }
  if (input.invitation === undefined && settings.registration === 'invite') {
    await parts.refusals.append(refusal('invitation-missing'))
    throw new GatebookError('ERR_INVITATION_REQUIRED')
  }
  await parts.passwords.checkNew(input.password, identifierKey)
  const slot = parts.passwords.reserve()
  try {
    const attempt = await countAttempt(
      parts,
      { purpose: 'registration', account: null, ip: source.network?.ip },
      refusal('throttled'),
    )
    const now = settings.clock.now()
    const invitation = input.invitation === undefined ? null : await findOneTimeToken(parts, 'invite', input.invitation)
    if (input.invitation !== undefined && !isFor(parts, invitation, identifierKey, now)) {
      await attempt.fail(refusal('invitation-invalid'))
      throw new GatebookError('ERR_INVITATION_INVALID')
    }
    const userId = generateId('user', now)
    const user = {
      userId,
      identifier: input.identifier,
      identifierKey,
      passwordHash: await parts.passwords.hash(input.password, slot),
      createdAt: now,
      roles: invitation?.roles ?? [],
      // Whoever invited this address vouches for it.
      confirmedAt: invitation?.identifierKey === identifierKey ? now : null,
      ...(invitation !== null && { invitation: invitation.id }),
    }
    try {
      return await startFirstSession(parts, user, context, async (tx) => {
        if (invitation !== null && !(await spend(parts, tx, invitation, userId))) {
          throw new GatebookError('ERR_INVITATION_INVALID')
        }
        return () => attempt.keepIn(tx, refusal('throttled'))
      })
    } catch (error) {
      if (error instanceof GatebookError && error.code === 'ERR_INVITATION_INVALID') {
        await attempt.fail(refusal('invitation-invalid'))
      }
      if (!store.traits.isUniqueViolation(error)) throw error
      await attempt.fail(refusal('identifier-taken'))
      throw new GatebookError('ERR_IDENTIFIER_TAKEN')
    }
  } finally {
    slot.release()
  }
}

/** Where addresses are confirmed, only an invitation to an address stands for that. */
function isFor({ settings }: FlowParts, invitation: OneTimeRow | null, identifierKey: string, now: number): boolean {
  if (invitation === null || problemOf(invitation, now) !== null) return false
  if (invitation.identifierKey === null) return settings.registration !== 'confirm'
  return invitation.identifierKey === identifierKey
}

/** False when somebody else was faster. */
async function spend(
  { settings, seal }: FlowParts,
  tx: Transaction,
  { id }: OneTimeRow,
  userId: string,
): Promise<boolean> {
  const now = settings.clock.now()
  const locked = await lockOneTimeToken(tx, seal, id)
  if (locked === null || problemOf(locked, now) !== null) return false
  await spendOneTimeToken(tx, id, userId, now)
  return true
}
