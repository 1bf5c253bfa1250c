/**
 * Log out: this session, the user's other ones, or all of them.
 *
 * Events: `session.ended` (logout for this one, logout-everywhere for the rest) for each session that was live; none for
 * one that had ended. An expired or ended token is as good as a live one for ending its own session, and for nothing else.
 */
import type { LogoutScope, RequestContext } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { lockLiveSessions, lockSession } from '../session/session-row.ts'
import { lockSubject } from '../user/subject.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

export interface LogoutInput {
  readonly accessToken?: string
  readonly refreshToken?: string
  readonly scope?: LogoutScope
}

export async function logout(parts: FlowParts, input: LogoutInput, context: RequestContext = {}): Promise<void> {
  const { store, settings, sessionEnder } = parts
  const { sessionId, expired } = await identify(parts, input)
  const scope = input.scope ?? 'current'
  await store.transaction(async (tx) => {
    const row = await tx.db
      .selectFrom('gatebook_session')
      .select('subject_id')
      .where('id', '=', sessionId)
      .executeTakeFirst()
    if (row === undefined) return
    const source = eventSource(context, { kind: 'user', id: row.subject_id })
    // Always in this order, the subject before its sessions, like everything that ends several of them.
    if (scope !== 'current') await lockSubject(tx, row.subject_id, settings.clock.now())
    const session = await lockSession(tx, sessionId)
    const live = session !== null && session.ended_at === null
    if (scope !== 'current') {
      const others = await lockLiveSessions(tx, row.subject_id, sessionId)
      // To say "logged out everywhere" and leave them alive would be worse than to refuse.
      if (others.length > 0 && !live) throw new GatebookError('ERR_TOKEN_REVOKED')
      if (others.length > 0 && expired) throw new GatebookError('ERR_TOKEN_EXPIRED')
      await sessionEnder.end(tx, others, 'logout-everywhere', source)
    }
    if (scope !== 'others' && live) await sessionEnder.end(tx, [session], 'logout', source)
  })
}

async function identify(
  parts: FlowParts,
  { accessToken, refreshToken }: LogoutInput,
): Promise<{ readonly sessionId: string; readonly expired: boolean }> {
  if (accessToken !== undefined) {
    const { sessionId, expiresAt } = await parts.accessTokens.verifyIgnoringEnd(accessToken)
    return { sessionId, expired: expiresAt * 1000 <= parts.settings.clock.now() }
  }
  if (refreshToken === undefined) throw new GatebookError('ERR_TOKEN_MISSING')
  const content = parts.refreshTokens.open(refreshToken)
  if (content === null) throw new GatebookError('ERR_REFRESH_INVALID')
  return { sessionId: content.sessionId, expired: false }
}
