/**
 * Register where an address is confirmed first: `request` sends a mail, `confirm` makes the user.
 *
 * request  `registration.requested`, or `registration.refused` (identifier-taken); throttled: `registration.refused`
 *          (throttled). The answer is the same, and so are the statements and the work: what the mail says depends on
 *          whether the address has an account, and only who reads it learns that.
 * confirm  `user.registered` and `login.succeeded`; or `registration.refused` (confirmation-invalid, wrong-password,
 *          identifier-taken, throttled).
 *
 * The password is asked for again at the end. Otherwise somebody could register the address of somebody else with a password
 * of their own, and wait until the owner follows the link.
 */
import type { RequestContext, SessionTokens } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { RegistrationRefusalReason } from '../event/catalogue.ts'
import type { NewEvent } from '../event/event.ts'
import { generateOneTimeToken } from '../token/one-time.ts'
import {
  findOneTimeToken,
  insertOneTimeToken,
  lockOneTimeToken,
  problemOf,
  spendOneTimeToken,
} from '../token/one-time-row.ts'
import { isEmailAddress } from '../user/email-address.ts'
import { normalizeIdentifier } from '../user/identifier.ts'
import { findLoginProfile } from '../user/profile.ts'
import { generateId } from '../util/id.ts'
import { accountOf } from './attempt.ts'
import { countAttempt, countMail } from './counted-attempt.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'
import { startFirstSession } from './start-first-session.ts'

export interface RequestRegistrationInput {
  readonly identifier: string
  readonly password: string
}

export async function requestRegistration(
  parts: FlowParts,
  input: RequestRegistrationInput,
  context: RequestContext = {},
): Promise<void> {
  const { settings, store, log, identifiers, mails } = parts
  const { sendConfirmation } = settings
  const identifier = input.identifier.trim()
  const identifierKey = normalizeIdentifier(input.identifier)
  const source = eventSource(context, { kind: 'anonymous' })
  const refusal = (reason: RegistrationRefusalReason): NewEvent => ({
    ...source,
    type: 'registration.refused',
    outcome: 'denied',
    reason,
    identifier: identifiers.describe(input.identifier, identifierKey, reason === 'identifier-taken'),
  })
  const requested: NewEvent = {
    ...source,
    type: 'registration.requested',
    outcome: 'success',
    identifier: identifiers.describe(input.identifier, identifierKey, false),
  }
  if (settings.registration === 'closed') {
    await parts.refusals.append(refusal('closed'))
    throw new GatebookError('ERR_REGISTRATION_CLOSED')
  }
  if (settings.registration === 'invite') {
    await parts.refusals.append(refusal('invitation-missing'))
    throw new GatebookError('ERR_INVITATION_REQUIRED')
  }
  if (sendConfirmation === null) throw new GatebookError('ERR_MAIL_UNAVAILABLE', { detail: 'set sendConfirmation' })
  if (!isEmailAddress(identifier)) throw new GatebookError('ERR_IDENTIFIER_NOT_EMAIL')
  await parts.passwords.checkNew(input.password, identifierKey)
  const slot = parts.passwords.reserve()
  try {
    const owner = await findLoginProfile(store, { identifierKey })
    const attempt = await countMail(
      parts,
      { purpose: 'confirmation', account: accountOf(null, identifierKey), ip: source.network?.ip },
      refusal('throttled'),
    )
    if (attempt === null) return
    const passwordHash = await parts.passwords.hash(input.password, slot)
    const { token, digest } = generateOneTimeToken('confirm')
    const now = settings.clock.now()
    const expiresAt = now + settings.confirmationSeconds * 1000
    const waiting = { identifier, identifier_key: identifierKey, password_hash: passwordHash }
    await store.transaction(async (tx) => {
      await insertOneTimeToken(tx, parts.seal, {
        purpose: 'confirm',
        secret_digest: digest,
        created_at: now,
        expires_at: expiresAt,
        ...(owner === null && waiting),
      })
      await log.append(tx, [owner === null ? requested : refusal('identifier-taken')])
      await attempt.keepIn(tx, refusal('throttled'))
    })
    // To the address that has the account, which is not always spelled like the one that was typed.
    const recipient = { userId: owner?.id ?? null, identifier: owner?.identifier ?? identifier, expiresAt }
    mails.add({
      kind: 'confirm',
      names: [recipient.userId, identifierKey],
      send: () => sendConfirmation({ ...recipient, language: context.language ?? null }, owner === null ? token : null),
    })
  } finally {
    slot.release()
  }
}

export interface ConfirmRegistrationInput {
  readonly token: string
  readonly password: string
}

export async function confirmRegistration(
  parts: FlowParts,
  input: ConfirmRegistrationInput,
  context: RequestContext = {},
): Promise<SessionTokens> {
  const { settings, store, identifiers, passwords } = parts
  const slot = passwords.reserve()
  try {
    const source = eventSource(context, { kind: 'anonymous' })
    const row = await findOneTimeToken(parts, 'confirm', input.token)
    const refusal = (reason: RegistrationRefusalReason): NewEvent => ({
      ...source,
      type: 'registration.refused',
      outcome: 'denied',
      reason,
      ...(row?.identifier != null &&
        row.identifierKey !== null && {
          identifier: identifiers.describe(row.identifier, row.identifierKey, reason === 'identifier-taken'),
        }),
    })
    const attempt = await countAttempt(
      parts,
      { purpose: 'registration', account: null, ip: source.network?.ip },
      refusal('throttled'),
    )
    const now = settings.clock.now()
    const good = row !== null && problemOf(row, now) === null && settings.registration !== 'closed'
    if (!good || row.identifier === null || row.identifierKey === null) {
      await attempt.fail(refusal('confirmation-invalid'))
      throw new GatebookError('ERR_CONFIRMATION_INVALID')
    }
    if (!(await passwords.verify(slot, row.passwordHash, input.password))) {
      await attempt.fail(refusal('wrong-password'))
      throw new GatebookError('ERR_PASSWORD_WRONG')
    }
    const user = {
      userId: generateId('user', now),
      identifier: row.identifier,
      identifierKey: row.identifierKey,
      passwordHash: row.passwordHash!,
      createdAt: now,
      roles: [],
      confirmedAt: now,
    }
    try {
      return await startFirstSession(parts, user, context, async (tx) => {
        const locked = await lockOneTimeToken(tx, parts.seal, row.id)
        if (locked === null || problemOf(locked, now) !== null) throw new GatebookError('ERR_CONFIRMATION_INVALID')
        await spendOneTimeToken(tx, row.id, user.userId, now)
        return () => attempt.keepIn(tx, refusal('throttled'))
      })
    } catch (error) {
      if (error instanceof GatebookError && error.code === 'ERR_CONFIRMATION_INVALID') {
        await attempt.fail(refusal('confirmation-invalid'))
      }
      if (!store.traits.isUniqueViolation(error)) throw error
      await attempt.fail(refusal('identifier-taken'))
      throw new GatebookError('ERR_IDENTIFIER_TAKEN')
    }
  } finally {
    slot.release()
  }
}
