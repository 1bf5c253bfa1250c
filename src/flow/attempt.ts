/**
 * One log-in attempt, of Gatebook's users and of the application's own alike.
 *
 * begin    counts a failure, or refuses: `login.failed` (throttled)
 * fail     `login.failed` with its reason, and `throttle.locked` when it was the last free one
 * succeed  takes the failure back and starts the session: `login.succeeded`; `login.failed` (disabled) when the user has
 *          been disabled meanwhile
 */
import type { Attempt, AttemptInput, RequestContext, SessionTokens } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { LOGIN_FAILURE_REASONS, type LoginFailureReason } from '../event/catalogue.ts'
import type { NewEvent } from '../event/event.ts'
import { type CheckedGrant, checkGrant } from '../session/session-grant.ts'
import { normalizeIdentifier } from '../user/identifier.ts'
import { type Profile, readProfile } from '../user/profile.ts'
import { isErased } from '../user/subject.ts'
import { parseApplicationUserId } from '../user/user-id.ts'
import { countAttempt } from './counted-attempt.ts'
import { eventSource } from './event-source.ts'
import { findKnownDevice } from './known-device.ts'
import { logIn, type Rehash } from './log-in.ts'
import type { FlowParts } from './parts.ts'

/** An attempt as `login.ts` needs it: with what it found out about the user itself. */
export interface OpenAttempt {
  fail(reason: LoginFailureReason): Promise<void>
  succeed(profile: Profile, grant: CheckedGrant, rehash?: Rehash): Promise<SessionTokens>
}

/** Tells the counters of a user from those of a name that belongs to nobody. */
export function accountOf(userId: string | null, identifierKey: string): string {
  return userId === null ? `identifier ${identifierKey}` : `user ${userId}`
}

export interface AttemptTarget {
  readonly identifier: string
  readonly identifierKey: string
  readonly userId: string | null
}

export async function openAttempt(
  parts: FlowParts,
  { identifier, identifierKey, userId }: AttemptTarget,
  context: RequestContext,
): Promise<OpenAttempt> {
  const describe = (resolved: boolean) => parts.identifiers.describe(identifier, identifierKey, resolved)
  const knownDeviceId = await findKnownDevice(parts, context, userId)
  const source = eventSource(context, { kind: 'anonymous' }, knownDeviceId ?? undefined)
  // Of a user who was erased meanwhile, nothing may be written that names them.
  const failure = (reason: LoginFailureReason, named = userId !== null): NewEvent => ({
    ...source,
    type: 'login.failed',
    outcome: reason === 'throttled' ? 'denied' : 'failure',
    reason,
    identifier: describe(named),
    ...(named && userId !== null && { subject: userId }),
  })
  const attempt = await countAttempt(
    parts,
    {
      account: accountOf(userId, identifierKey),
      ip: source.network?.ip,
      ...(knownDeviceId !== null && { knownDeviceId }),
    },
    failure('throttled'),
  )

  return {
    fail: (reason) => attempt.fail(failure(reason)),
    succeed: (profile, grant, rehash) =>
      logIn(parts, {
        profile,
        grant,
        context,
        knownDeviceId,
        loginEvent: {
          // By now it belongs to somebody, even where `begin` was not told.
          identifier: describe(true),
          data: { known_device: knownDeviceId !== null, rehashed: false },
        },
        failure: (reason, erased) => failure(reason, userId !== null && !erased),
        attempt,
        rehash,
      }),
  }
}

/** `gate.attempts.begin`: for applications that check the password themselves. */
export async function beginAttempt(
  parts: FlowParts,
  input: AttemptInput,
  context: RequestContext = {},
): Promise<Attempt> {
  const given = input.userId === undefined ? null : parseApplicationUserId(input.userId)
  // The application may still know somebody whom it had erased here.
  const userId = given === null || (await isErased(parts.store, given)) ? null : given
  const identifierKey = normalizeIdentifier(input.identifier)
  const attempt = await openAttempt(parts, { identifier: input.identifier, identifierKey, userId }, context)
  let settled = false
  const settle = (): void => {
    if (settled) throw new GatebookError('ERR_ATTEMPT_SETTLED')
    settled = true
  }

  return {
    async fail(reason) {
      if (!LOGIN_FAILURE_REASONS.includes(reason) || (reason as string) === 'throttled') {
        throw new GatebookError('ERR_REASON_INVALID')
      }
      settle()
      await attempt.fail(reason)
    },
    async succeed(succeededUserId, grant) {
      const id = parseApplicationUserId(succeededUserId)
      if (given !== null && id !== given) {
        throw new GatebookError('ERR_USER_ID_INVALID', { detail: 'the attempt was begun for another user' })
      }
      const checked = checkGrant(grant)
      settle()
      return attempt.succeed(await readProfile(parts.store, id), checked)
    },
  }
}
