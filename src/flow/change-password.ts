/**
 * Change one's own password. The current one is required, and counts like a log-in when it is wrong.
 * A session of an application cannot: each hand-over would bring guesses of its own along.
 *
 * Events: `password.changed` and `session.ended` (password-changed) for each of the user's other sessions; or
 * `password.change-failed` (wrong-password, throttled), with `throttle.locked` when it was the last free failure.
 */
import type { AccessClaims, RequestContext } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { NewEvent } from '../event/event.ts'
import { lockLiveSessions, lockSession, readSessionClient } from '../session/session-row.ts'
import { findLoginProfile } from '../user/profile.ts'
import { lockLivingSubject, lockSubject } from '../user/subject.ts'
import { parseUserId } from '../user/user-id.ts'
import { isId } from '../util/id.ts'
import { accountOf } from './attempt.ts'
import { countAttempt } from './counted-attempt.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'
import { writePassword } from './write-password.ts'

export interface ChangePasswordInput {
  readonly claims: Pick<AccessClaims, 'userId' | 'sessionId'>
  readonly currentPassword: string
  readonly newPassword: string
}

export async function changePassword(
  parts: FlowParts,
  input: ChangePasswordInput,
  context: RequestContext = {},
): Promise<void> {
  const { settings, store, log, passwords } = parts
  const { sessionId } = input.claims
  const userId = parseUserId(input.claims.userId)
  if (!isId('session', sessionId)) throw new GatebookError('ERR_TOKEN_INVALID')
  const source = eventSource(context, { kind: 'user', id: userId })
  const failed = (reason: 'wrong-password' | 'throttled'): NewEvent => ({
    ...source,
    type: 'password.change-failed',
    outcome: reason === 'throttled' ? 'denied' : 'failure',
    reason,
    subject: userId,
    sessionId,
  })
  const slot = passwords.reserve()
  try {
    const profile = await findLoginProfile(store, { userId })
    if ((await readSessionClient(store, sessionId)) !== null) throw new GatebookError('ERR_FORBIDDEN')
    await passwords.checkNew(input.newPassword, profile?.identifier)
    // The session stands for a device that this user knows: what others do to the account does not concern it.
    const attempt = await countAttempt(
      parts,
      { account: accountOf(userId, ''), ip: source.network?.ip, knownDeviceId: sessionId },
      failed('throttled'),
    )
    const right = await passwords.verify(slot, profile?.passwordHash ?? null, input.currentPassword)
    if (profile === null || !right) {
      await attempt.fail(failed('wrong-password'))
      throw new GatebookError('ERR_PASSWORD_WRONG')
    }
    const passwordHash = await passwords.hash(input.newPassword).catch(async (error: unknown) => {
      await attempt.withdraw()
      throw error
    })
    const result = await store.transaction(async (tx) => {
      const subject = await lockSubject(tx, userId, settings.clock.now())
      const session = await lockSession(tx, sessionId)
      if (session === null || session.ended_at !== null || subject.disabledAt !== null || subject.erasedAt !== null) {
        await attempt.release(tx, 'withdrawn')
        return 'ended'
      }
      if (subject.credentialVersion !== profile.credentialVersion) {
        await attempt.failIn(tx, failed('wrong-password'))
        return 'wrong'
      }
      const state = { credential: await writePassword(parts, tx, userId, passwordHash) }
      await log.append(tx, [
        { ...source, type: 'password.changed', outcome: 'success', subject: userId, sessionId, state },
      ])
      const others = await lockLiveSessions(tx, userId, sessionId)
      await parts.sessionEnder.end(tx, others, 'password-changed', source)
      await attempt.release(tx, 'succeeded')
      return 'changed'
    })
    if (result === 'ended') throw new GatebookError('ERR_TOKEN_REVOKED')
    if (result === 'wrong') throw new GatebookError('ERR_PASSWORD_WRONG')
  } finally {
    slot.release()
  }
}

/**
 * Set a user's password: by an operator, without the current one.
 *
 * Events: `password.changed`, and `session.ended` (password-changed) for each of the user's sessions.
 */
export async function setPassword(
  parts: FlowParts,
  userId: string,
  password: string,
  context: RequestContext = {},
): Promise<void> {
  const { settings, store, log, passwords } = parts
  const profile = await findLoginProfile(store, { userId })
  if (profile === null) throw new GatebookError('ERR_USER_NOT_FOUND')
  await passwords.checkNew(password, profile.identifier)
  const passwordHash = await passwords.hash(password)
  const source = eventSource(context, { kind: 'application' })
  await store.transaction(async (tx) => {
    await lockLivingSubject(tx, userId, settings.clock.now())
    const state = { credential: await writePassword(parts, tx, userId, passwordHash) }
    await log.append(tx, [{ ...source, type: 'password.changed', outcome: 'success', subject: userId, state }])
    await parts.sessionEnder.end(tx, await lockLiveSessions(tx, userId), 'password-changed', source)
  })
}
