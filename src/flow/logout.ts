/**
 * Log out: this session, the user's other ones, or all of them.
 *
 * Events: `session.ended` (logout for this one and what came of it by hand-over, logout-everywhere for the rest) for each session
 * that was live; none for one that had ended. An expired, spent or ended token is as good as a live one for ending its own session, and for nothing
 * else.
 */
import type { LogoutScope, RequestContext } from '../api.ts'
import { type ErrorCode, GatebookError } from '../errors.ts'
import type { Settings } from '../options.ts'
import { judgeRefresh, parseRotations } from '../session/refresh-rule.ts'
import { lockHandedOver, lockLiveSessions, lockSession, type SessionRow } from '../session/session-row.ts'
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
  const shown = await identify(parts, input)
  const { sessionId } = shown
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
    // What an application was handed is its own session, and nobody has asked it about the others.
    if (scope !== 'current' && session?.client_id != null) throw new GatebookError('ERR_FORBIDDEN')
    if (scope !== 'current') {
      const others = await lockLiveSessions(tx, row.subject_id, sessionId)
      // To say "logged out everywhere" and leave them alive would be worse than to refuse.
      const problem = live ? problemOf(shown, session, settings) : 'ERR_TOKEN_REVOKED'
      if (others.length > 0 && problem !== null) throw refused(problem)
      await sessionEnder.end(tx, others, 'logout-everywhere', source)
    }
    if (scope === 'others' || session === null) return
    if (live) await sessionEnder.endWithHandedOver(tx, session, 'logout', source)
    // Its time was over before theirs.
    else await sessionEnder.end(tx, await lockHandedOver(tx, session), 'logout', source)
  })
}

interface ShownToken {
  readonly sessionId: string
  /** Epoch milliseconds; of an access token. */
  readonly expiresAt?: number
  /** Of a refresh token. */
  readonly counter?: number
}

async function identify(parts: FlowParts, { accessToken, refreshToken }: LogoutInput): Promise<ShownToken> {
  if (accessToken !== undefined) return (await parts.accessTokens.check(accessToken)).claims
  if (refreshToken === undefined) throw new GatebookError('ERR_TOKEN_MISSING')
  const content = parts.refreshTokens.open(refreshToken)
  if (content === null) throw new GatebookError('ERR_REFRESH_INVALID')
  return content
}

function refused(code: ErrorCode): GatebookError {
  return new GatebookError(code, { members: code === 'ERR_REFRESH_EXPIRED' ? { end_reason: 'expired' } : {} })
}

/** Why this token is not good for more than its own session; null when it is. */
function problemOf({ expiresAt, counter }: ShownToken, session: SessionRow, settings: Settings): ErrorCode | null {
  const now = settings.clock.now()
  if (counter === undefined) return expiresAt !== undefined && expiresAt <= now ? 'ERR_TOKEN_EXPIRED' : null
  if (Number(session.expires_at) <= now) return 'ERR_REFRESH_EXPIRED'
  const rotations = parseRotations(session.rotations)
  const verdict = judgeRefresh(counter, session.refresh_counter, rotations, now, settings.refreshGraceSeconds * 1000)
  return verdict === 'rotate' || verdict === 'grace' ? null : 'ERR_REFRESH_SUPERSEDED'
}
