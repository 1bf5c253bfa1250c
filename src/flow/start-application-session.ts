/**
 * Start a session for the application's own user without an attempt: after its own sign-up or second factor.
 *
 * Events: `login.succeeded`; for a disabled user `login.failed` (disabled).
 */
import type { RequestContext, SessionGrant, SessionTokens } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { checkGrant } from '../session/session-grant.ts'
import { readProfile } from '../user/profile.ts'
import { lockSubject } from '../user/subject.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'
import { collectClaims, mergeRoles, startSession } from './start-session.ts'

export async function startApplicationSession(
  parts: FlowParts,
  userId: string,
  given: SessionGrant | undefined,
  context: RequestContext = {},
): Promise<SessionTokens> {
  const { store, settings, log, deviceTokens } = parts
  const grant = checkGrant(given)
  for (;;) {
    const profile = await readProfile(store, userId)
    const roles = mergeRoles(profile.roles, grant.roles)
    const prepared = {
      profile,
      grant,
      roles,
      claims: await collectClaims(parts, { userId, roles }, grant.claims),
      knownDeviceId: context.deviceToken === undefined ? null : deviceTokens.open(context.deviceToken, userId),
      context,
      loginEvent: {},
    }
    const result = await store.transaction(async (tx) => {
      const subject = await lockSubject(tx, userId, settings.clock.now())
      if (subject.disabledAt !== null) {
        const source = eventSource(context, { kind: 'application' })
        await log.append(tx, [
          { ...source, type: 'login.failed', outcome: 'failure', reason: 'disabled', subject: userId },
        ])
        return 'refused'
      }
      if (subject.generation !== profile.generation) return 'changed'
      return startSession(parts, tx, subject, prepared)
    })
    if (result === 'refused') throw new GatebookError('ERR_LOGIN_REFUSED')
    if (result !== 'changed') return result
  }
}
