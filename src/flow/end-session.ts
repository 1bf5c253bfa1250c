/**
 * End one session, or all sessions of a user, by the user, an admin or the application.
 *
 * Events: `session.ended` with the reason that is given, for each session that was live; those of applications that came of it by
 * hand-over end with it.
 */
import type { RequestContext } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { SESSION_END_REASONS, type SessionEndReason } from '../event/catalogue.ts'
import { lockLiveSessions, lockSession } from '../session/session-row.ts'
import { lockLivingSubject } from '../user/subject.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

export async function endSession(
  parts: FlowParts,
  sessionId: string,
  reason: SessionEndReason,
  context: RequestContext = {},
): Promise<boolean> {
  checkReason(reason)
  return parts.store.transaction(async (tx) => {
    const session = await lockSession(tx, sessionId)
    if (session === null || session.ended_at !== null) return false
    await parts.sessionEnder.endWithHandedOver(tx, session, reason, eventSource(context, { kind: 'application' }))
    return true
  })
}

export async function endAllSessions(
  parts: FlowParts,
  userId: string,
  reason: SessionEndReason,
  context: RequestContext = {},
): Promise<number> {
  checkReason(reason)
  return parts.store.transaction(async (tx) => {
    await lockLivingSubject(tx, userId, parts.settings.clock.now())
    const sessions = await lockLiveSessions(tx, userId)
    await parts.sessionEnder.end(tx, sessions, reason, eventSource(context, { kind: 'application' }))
    return sessions.length
  })
}

function checkReason(reason: SessionEndReason): void {
  if (!SESSION_END_REASONS.includes(reason)) throw new GatebookError('ERR_REASON_INVALID')
}
