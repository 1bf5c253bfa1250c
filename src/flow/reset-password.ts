/**
 * Set a new password without the old one, with a one-time token.
 *
 * request   `password.reset-requested`: success for a user, failure (unknown-user, disabled) otherwise, denied (throttled).
 *           Known and unknown names cost the same statements and get the same answer; only a success sends anything.
 * issue     `password.reset-requested`: by an operator or the application, who hand the token over themselves.
 * complete  `password.reset`, `session.ended` (password-changed) for each of the user's sessions, and `throttle.unlocked`
 *           when the account had been guessed at; or `password.reset-failed` (invalid, expired, used, superseded, disabled).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { IssuedToken, RequestContext } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { ResetFailureReason } from '../event/catalogue.ts'
import type { NewEvent } from '../event/event.ts'
import { lockLiveSessions } from '../session/session-row.ts'
import { generateOneTimeToken } from '../token/one-time.ts'
import {
  findOneTimeToken,
  insertOneTimeToken,
  lockOneTimeToken,
  type OneTimeRow,
  problemOf,
  spendOneTimeToken,
} from '../token/one-time-row.ts'
import { isEmailAddress } from '../user/email-address.ts'
import { normalizeIdentifier } from '../user/identifier.ts'
import { findLoginProfile, type LoginProfile } from '../user/profile.ts'
import { lockSubject } from '../user/subject.ts'
import { accountOf } from './attempt.ts'
import { countMail } from './counted-attempt.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'
import { writePassword } from './write-password.ts'

/** Every answer to the wish for a reset is held back by up to so long. */
const HIDING_MILLISECONDS = 50

export async function requestPasswordReset(
  parts: FlowParts,
  input: { readonly identifier: string },
  context: RequestContext = {},
): Promise<void> {
  const { settings, store, log, identifiers, mails } = parts
  const { sendReset } = settings
  if (sendReset === null) throw new GatebookError('ERR_MAIL_UNAVAILABLE', { detail: 'set sendReset' })
  const identifierKey = normalizeIdentifier(input.identifier)
  const user = await findLoginProfile(store, { identifierKey })
  const source = eventSource(context, { kind: 'anonymous' })
  const asked = {
    ...source,
    type: 'password.reset-requested',
    identifier: identifiers.describe(input.identifier, identifierKey, user !== null),
    ...(user !== null && { subject: user.id }),
  } as const
  const throttled: NewEvent = { ...asked, outcome: 'denied', reason: 'throttled' }
  // The rows of a user are some bytes longer, and no hash hides that here.
  const pause = sleep(Math.random() * HIDING_MILLISECONDS)
  const attempt = await countMail(
    parts,
    { purpose: 'reset', account: accountOf(user?.id ?? null, identifierKey), ip: source.network?.ip },
    throttled,
  )
  if (attempt === null) return
  const { token, digest } = generateOneTimeToken('reset')
  const now = settings.clock.now()
  const expiresAt = now + settings.resetSeconds * 1000
  const recipient = user?.disabledAt === null ? user : null
  await store.transaction(async (tx) => {
    await insertOneTimeToken(tx, parts.seal, {
      purpose: 'reset',
      secret_digest: digest,
      created_at: now,
      expires_at: expiresAt,
      ...(recipient !== null && { subject_id: recipient.id, credential_version: recipient.credentialVersion }),
    })
    await log.append(tx, [
      recipient === null
        ? { ...asked, outcome: 'failure', reason: user === null ? 'unknown-user' : 'disabled' }
        : { ...asked, outcome: 'success' },
    ])
    await attempt.keepIn(tx, throttled)
  })
  await pause
  if (recipient === null) return
  // Never to what was typed: that can be another mailbox whose name is folded to the same key.
  const { id: userId, identifier } = recipient
  mails.add({
    kind: 'reset',
    names: [userId, identifierKey],
    send: () => sendReset({ userId, identifier, language: context.language ?? null, expiresAt }, token),
  })
}

export async function issuePasswordReset(
  parts: FlowParts,
  userId: string,
  context: RequestContext = {},
): Promise<IssuedToken> {
  const { settings, store, log } = parts
  const user = await findLoginProfile(store, { userId })
  if (user === null) throw new GatebookError('ERR_USER_NOT_FOUND')
  const { token, digest } = generateOneTimeToken('reset')
  const now = settings.clock.now()
  const expiresAt = now + settings.resetSeconds * 1000
  const source = eventSource(context, { kind: 'application' })
  await store.transaction(async (tx) => {
    await insertOneTimeToken(tx, parts.seal, {
      purpose: 'reset',
      secret_digest: digest,
      created_at: now,
      expires_at: expiresAt,
      subject_id: userId,
      credential_version: user.credentialVersion,
      created_by: source.actor.id ?? source.actor.kind,
    })
    await log.append(tx, [{ ...source, type: 'password.reset-requested', outcome: 'success', subject: userId }])
  })
  return { token, expiresAt }
}

export async function completePasswordReset(
  parts: FlowParts,
  input: { readonly token: string; readonly newPassword: string },
  context: RequestContext = {},
): Promise<void> {
  const { settings, store, passwords, log, throttle } = parts
  const slot = passwords.reserve()
  try {
    const find = () => findOneTimeToken(parts, 'reset', input.token)
    const row = await find()
    const user = row?.subjectId == null ? null : await findLoginProfile(store, { userId: row.subjectId })
    const failed = (reason: ResetFailureReason): NewEvent => ({
      ...eventSource(context, { kind: 'anonymous' }),
      type: 'password.reset-failed',
      outcome: 'failure',
      reason,
      ...(user !== null && { subject: user.id }),
    })
    let early = failureOf(row, user, settings.clock.now())
    // Whoever used it between the two reads has changed the password too; only the row tells the two reasons apart.
    if (early === 'superseded') early = failureOf(await find(), user, settings.clock.now())
    if (row === null || user === null || early !== null) {
      await parts.refusals.append(failed(early ?? 'invalid'))
      throw new GatebookError('ERR_RESET_INVALID')
    }
    // A password that may not be chosen does not cost the token.
    await passwords.checkNew(input.newPassword, user.identifier)
    const passwordHash = await passwords.hash(input.newPassword, slot)
    const source = eventSource(context, { kind: 'user', id: user.id })
    const failure = await store.transaction(async (tx) => {
      const now = settings.clock.now()
      const subject = await lockSubject(tx, user.id, now)
      const late = failureOf(
        await lockOneTimeToken(tx, parts.seal, row.id),
        subject.erasedAt === null ? subject : null,
        now,
      )
      if (late !== null) return late
      await spendOneTimeToken(tx, row.id, user.id, now)
      const state = { credential: await writePassword(parts, tx, user.id, passwordHash) }
      // Only who reads the mailbox can have had a token that was sent there.
      const confirmed = row.createdBy === null && isEmailAddress(user.identifier)
      if (confirmed) {
        await tx.db
          .updateTable('gatebook_user')
          .set({ confirmed_at: now })
          .where('id', '=', user.id)
          .where('confirmed_at', 'is', null)
          .execute()
      }
      await log.append(tx, [
        { ...source, type: 'password.reset', outcome: 'success', subject: user.id, data: { confirmed }, state },
      ])
      await parts.sessionEnder.end(tx, await lockLiveSessions(tx, user.id), 'password-changed', source)
      // What was guessed at is not the password any more.
      const counters = await throttle.unlock(tx, accountOf(user.id, ''))
      if (counters > 0) {
        await log.append(tx, [
          { ...source, type: 'throttle.unlocked', outcome: 'success', subject: user.id, data: { counters } },
        ])
      }
      return null
    })
    if (failure !== null) {
      await parts.refusals.append(failed(failure))
      throw new GatebookError('ERR_RESET_INVALID')
    }
  } finally {
    slot.release()
  }
}

/** Before the work as they were read, and once more as they are when both are locked. */
function failureOf(
  row: OneTimeRow | null,
  user: Pick<LoginProfile, 'credentialVersion' | 'disabledAt'> | null,
  now: number,
): ResetFailureReason | null {
  if (row === null || user === null) return 'invalid'
  const problem = problemOf(row, now)
  if (problem !== null) return problem === 'revoked' ? 'invalid' : problem
  if (row.credentialVersion !== user.credentialVersion) return 'superseded'
  return user.disabledAt === null ? null : 'disabled'
}
