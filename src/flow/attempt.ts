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
import type { IdentifierView, NewEvent } from '../event/event.ts'
import { type CheckedGrant, checkGrant } from '../session/session-grant.ts'
import type { Transaction } from '../store/transaction.ts'
import type { Refusal, Reservation } from '../throttle/throttle.ts'
import { normalizeIdentifier } from '../user/identifier.ts'
import { type Profile, readProfile } from '../user/profile.ts'
import { type LockedSubject, lockSubject } from '../user/subject.ts'
import { parseApplicationUserId } from '../user/user-id.ts'
import type { DeviceId } from '../util/id.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'
import { collectClaims, mergeRoles, startSession } from './start-session.ts'

/** An attempt as `login.ts` needs it: with what it found out about the user itself. */
export interface OpenAttempt {
  fail(reason: LoginFailureReason): Promise<void>
  /** `profile`: as it was when the password was checked; a password that has changed since does not log in. */
  succeed(profile: Profile, grant: CheckedGrant, rehash?: (tx: Transaction) => Promise<void>): Promise<SessionTokens>
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
  target: AttemptTarget,
  context: RequestContext,
): Promise<OpenAttempt> {
  const { store, throttle, log, refusals, settings, identifiers } = parts
  const { userId } = target
  const identifier = identifiers.describe(target.identifier, target.identifierKey, userId !== null)
  const knownDeviceId = await findKnownDevice(parts, context, userId)
  const outcome = await throttle.reserve({
    account: accountOf(userId, target.identifierKey),
    ip: eventSource(context, { kind: 'anonymous' }).network?.ip,
    ...(knownDeviceId !== null && { knownDeviceId }),
  })
  const failure = (reason: LoginFailureReason, more: Partial<NewEvent> = {}): NewEvent =>
    failedEvent(context, { userId, identifier, knownDeviceId }, reason, more)
  if ('refusal' in outcome) {
    await refusals.append(failure('throttled', refusalData(outcome.refusal)))
    throw throttled(outcome.refusal)
  }
  const { reservation } = outcome

  return {
    async fail(reason) {
      await refusals.append(failure(reason), lockEvents(reservation, failure(reason)))
    },

    async succeed(profile, grant, rehash) {
      for (let current = profile; ; current = await readProfile(store, profile.id)) {
        const roles = mergeRoles(current.roles, grant.roles)
        const prepared = {
          profile: current,
          grant,
          roles,
          claims: await collectClaims(parts, { userId: profile.id, roles }, grant.claims),
          knownDeviceId,
          context,
          loginEvent: { identifier, data: { known_device: knownDeviceId !== null, rehashed: rehash !== undefined } },
        }
        const result = await store.transaction(async (tx) => {
          const subject = await lockSubject(tx, profile.id, settings.clock.now())
          const refusal = refusalOf(subject, profile)
          if (refusal !== null) {
            await log.append(tx, [failure(refusal)])
            return 'refused'
          }
          // The roles are other ones by now; they have to be read again, and the application asked again.
          if (subject.generation !== current.generation) return 'changed'
          await rehash?.(tx)
          const tokens = await startSession(parts, tx, subject, prepared)
          await throttle.release(tx, reservation, 'succeeded')
          return tokens
        })
        if (result === 'refused') throw new GatebookError('ERR_LOGIN_REFUSED')
        if (result !== 'changed') return result
      }
    },
  }
}

/** `gate.attempts.begin`: for applications that check the password themselves. */
export async function beginAttempt(
  parts: FlowParts,
  input: AttemptInput,
  context: RequestContext = {},
): Promise<Attempt> {
  const userId = input.userId === undefined ? null : parseApplicationUserId(input.userId)
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
      if (userId !== null && id !== userId) {
        throw new GatebookError('ERR_USER_ID_INVALID', { detail: 'the attempt was begun for another user' })
      }
      const checked = checkGrant(grant)
      settle()
      return attempt.succeed(await readProfile(parts.store, id), checked)
    },
  }
}

function refusalOf(subject: LockedSubject, checked: Profile): LoginFailureReason | null {
  if (subject.disabledAt !== null) return 'disabled'
  return subject.credentialVersion === checked.credentialVersion ? null : 'wrong-password'
}

async function findKnownDevice(
  parts: FlowParts,
  context: RequestContext,
  userId: string | null,
): Promise<DeviceId | null> {
  if (context.deviceToken === undefined || userId === null) return null
  const deviceId = parts.deviceTokens.open(context.deviceToken, userId)
  if (deviceId === null) return null
  const row = await parts.store.read((db) =>
    db
      .selectFrom('gatebook_device')
      .select('id')
      .where('id', '=', deviceId)
      .where('subject_id', '=', userId)
      .executeTakeFirst(),
  )
  return row === undefined ? null : deviceId
}

interface FailedWho {
  readonly userId: string | null
  readonly identifier: IdentifierView
  readonly knownDeviceId: DeviceId | null
}

function failedEvent(
  context: RequestContext,
  who: FailedWho,
  reason: LoginFailureReason,
  more: Partial<NewEvent>,
): NewEvent {
  return {
    ...eventSource(context, { kind: 'anonymous' }, who.knownDeviceId ?? undefined),
    type: 'login.failed',
    outcome: reason === 'throttled' ? 'denied' : 'failure',
    reason,
    identifier: who.identifier,
    ...(who.userId !== null && { subject: who.userId }),
    ...more,
  }
}

export function refusalData({ scope, retryAfterSeconds }: Refusal): Pick<NewEvent, 'data'> {
  return { data: { scope, retry_after: retryAfterSeconds } }
}

export function throttled({ retryAfterSeconds }: Refusal): GatebookError {
  return new GatebookError('ERR_THROTTLED', { retryAfterSeconds })
}

/** One `throttle.locked` for each counter whose last free failure this was. */
export function lockEvents({ locks }: Reservation, failure: NewEvent): NewEvent[] {
  const { reason: _reason, data: _data, ...rest } = failure
  return locks.map(({ scope, until }) => ({
    ...rest,
    type: 'throttle.locked',
    outcome: 'success',
    data: { scope, until },
  }))
}
