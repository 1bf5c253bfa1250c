/**
 * Start a session for the application's own user without an attempt: after its own sign-up or second factor.
 *
 * Events: `login.succeeded`; for a disabled user `login.failed` (disabled), for an erased one (unknown-user).
 */
import type { RequestContext, SessionGrant, SessionTokens } from '../api.ts'
import { checkGrant } from '../session/session-grant.ts'
import { readProfile } from '../user/profile.ts'
import { eventSource } from './event-source.ts'
import { findKnownDevice } from './known-device.ts'
import { logIn } from './log-in.ts'
import type { FlowParts } from './parts.ts'

export async function startApplicationSession(
  parts: FlowParts,
  userId: string,
  given: SessionGrant | undefined,
  context: RequestContext = {},
): Promise<SessionTokens> {
  const grant = checkGrant(given)
  return logIn(parts, {
    profile: await readProfile(parts.store, userId),
    grant,
    context,
    knownDeviceId: await findKnownDevice(parts, context, userId),
    loginEvent: {},
    failure: (reason, erased) => ({
      ...eventSource(context, { kind: 'application' }),
      type: 'login.failed',
      outcome: 'failure',
      reason,
      ...(!erased && { subject: userId }),
    }),
    attempt: null,
  })
}
