import type { RequestContext, SessionTokens } from '../api.ts'
import { type ErrorCode, GatebookError, isGatebookError } from '../errors.ts'
import type { LoginFailureReason } from '../event/catalogue.ts'
import type { CommittedFields } from '../event/commitment.ts'
import type { NewEvent } from '../event/event.ts'
import type { CheckedGrant } from '../session/session-grant.ts'
import type { Transaction } from '../store/transaction.ts'
import { type Profile, readProfile } from '../user/profile.ts'
import { type LockedSubject, lockSubject } from '../user/subject.ts'
import type { DeviceId } from '../util/id.ts'
import type { CountedAttempt } from './counted-attempt.ts'
import type { FlowParts } from './parts.ts'
import { collectClaims, mergeRoles, startSession } from './start-session.ts'

/** A refusal stays counted; and where the database does not answer, there is nothing to take it back from. */
const NOT_TAKEN_BACK: ReadonlySet<ErrorCode> = new Set(['ERR_LOGIN_REFUSED', 'ERR_UNAVAILABLE', 'ERR_DATABASE_FULL'])

/**
 * Replaces the hash of the password in the transaction of the log-in that has shown it. Returns the row as the event has to have
 * it; null where another log-in was quicker.
 */
export type Rehash = (tx: Transaction) => Promise<CommittedFields | null>

export interface LogInInput {
  /** As it was when the user was found to be who they say; a password that has changed since does not log in. */
  readonly profile: Profile
  readonly grant: CheckedGrant
  readonly context: RequestContext
  readonly knownDeviceId: DeviceId | null
  readonly loginEvent: Pick<NewEvent, 'identifier' | 'data'>
  /** Must not name anybody where the user is `erased`. */
  readonly failure: (reason: LoginFailureReason, erased: boolean) => NewEvent
  /** Null where nothing was counted. */
  readonly attempt: CountedAttempt | null
  readonly rehash?: Rehash | undefined
}

/**
 * The end of every successful log-in: asks the application for its claims, locks the subject, starts the session. Leaves
 * what `startSession` leaves, or `login.failed` when the user has been disabled or erased or has another password by now; then it
 * throws ERR_LOGIN_REFUSED.
 */
export async function logIn(parts: FlowParts, input: LogInInput): Promise<SessionTokens> {
  try {
    return await startWithCurrentRoles(parts, input)
  } catch (error) {
    // Whatever failed (the application's claims, a token that grew too large), the password was right.
    if (!isGatebookError(error) || !NOT_TAKEN_BACK.has(error.code)) {
      await input.attempt?.withdraw()
    }
    throw error
  }
}

async function startWithCurrentRoles(parts: FlowParts, input: LogInInput): Promise<SessionTokens> {
  const { store, log, settings } = parts
  const { profile, grant, attempt } = input
  for (let current = profile; ; current = await readProfile(store, profile.id)) {
    const roles = mergeRoles(current.roles, grant.roles)
    const prepared = {
      grant,
      roles,
      claims: await collectClaims(parts, { userId: profile.id, roles }, grant.claims),
      knownDeviceId: input.knownDeviceId,
      context: input.context,
      loginEvent: input.loginEvent,
    }
    const result = await store.transaction(async (tx) => {
      const subject = await lockSubject(tx, profile.id, settings.clock.now())
      const reason = refusalOf(subject, profile)
      if (reason !== null) {
        const event = input.failure(reason, subject.erasedAt !== null)
        if (attempt === null) await log.append(tx, [event])
        else await attempt.failIn(tx, event)
        return 'refused'
      }
      // The roles are other ones by now; they have to be read again, and the application asked again.
      if (subject.generation !== current.generation) return 'changed'
      const credential = (await input.rehash?.(tx)) ?? null
      const tokens = await startSession(
        parts,
        tx,
        subject,
        credential === null ? prepared : { ...prepared, credential, loginEvent: rehashed(input.loginEvent) },
      )
      await attempt?.release(tx, 'succeeded')
      return tokens
    })
    if (result === 'refused') throw new GatebookError('ERR_LOGIN_REFUSED')
    if (result !== 'changed') return result
  }
}

function rehashed({ data, ...event }: LogInInput['loginEvent']): LogInInput['loginEvent'] {
  return { ...event, data: { ...data, rehashed: true } }
}

function refusalOf(subject: LockedSubject, checked: Profile): LoginFailureReason | null {
  if (subject.erasedAt !== null) return 'unknown-user'
  if (subject.disabledAt !== null) return 'disabled'
  return subject.credentialVersion === checked.credentialVersion ? null : 'wrong-password'
}
