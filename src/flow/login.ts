/**
 * Log in with identifier and password.
 *
 * Events: `login.succeeded`, or `login.failed` (unknown-user, wrong-password, disabled, throttled), with `throttle.locked`
 * when it was the last free failure. Refused without an event: more log-ins at once than can be held (ERR_OVERLOADED),
 * because then nothing has been looked at.
 *
 * Known and unknown users cost the same statements and the same hash, and get the same answer.
 */
import type { RequestContext, SessionTokens } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { LoginFailureReason } from '../event/catalogue.ts'
import { credentialState } from '../log/row-state.ts'
import { checkGrant } from '../session/session-grant.ts'
import { normalizeIdentifier } from '../user/identifier.ts'
import { findLoginProfile, type LoginProfile } from '../user/profile.ts'
import { openAttempt } from './attempt.ts'
import type { Rehash } from './log-in.ts'
import type { FlowParts } from './parts.ts'

export interface LoginInput {
  readonly identifier: string
  readonly password: string
}

export async function login(parts: FlowParts, input: LoginInput, context: RequestContext = {}): Promise<SessionTokens> {
  const identifierKey = normalizeIdentifier(input.identifier)
  const slot = parts.passwords.reserve()
  try {
    const profile = await findLoginProfile(parts.store, { identifierKey })
    const target = { identifier: input.identifier, identifierKey, userId: profile?.id ?? null }
    const attempt = await openAttempt(parts, target, context)
    const passwordIsRight = await parts.passwords.verify(slot, profile?.passwordHash ?? null, input.password)
    const reason = failureReason(profile, passwordIsRight)
    if (profile === null || reason !== null) {
      await attempt.fail(reason ?? 'unknown-user')
      throw new GatebookError('ERR_LOGIN_REFUSED')
    }
    return await attempt.succeed(profile, checkGrant(), await prepareRehash(parts, profile, input.password))
  } finally {
    slot.release()
  }
}

function failureReason(profile: LoginProfile | null, passwordIsRight: boolean): LoginFailureReason | null {
  if (profile === null) return 'unknown-user'
  if (!passwordIsRight) return 'wrong-password'
  return profile.disabledAt === null ? null : 'disabled'
}

/** A hash of other parameters than today's is replaced at the log-in that shows the password. */
async function prepareRehash(
  { passwords }: FlowParts,
  profile: LoginProfile,
  password: string,
): Promise<Rehash | undefined> {
  const passwordHash = await passwords.rehash(profile.passwordHash, password)
  if (passwordHash === null) return undefined
  return async (tx) => {
    const { numUpdatedRows } = await tx.db
      .updateTable('gatebook_credential')
      .set({ password_hash: passwordHash })
      .where('user_id', '=', profile.id)
      .where('password_hash', '=', profile.passwordHash)
      .executeTakeFirstOrThrow()
    return numUpdatedRows > 0n ? credentialState({ user_id: profile.id, password_hash: passwordHash }) : null
  }
}
