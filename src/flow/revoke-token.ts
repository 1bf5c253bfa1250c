/**
 * End the session of a token, at the wish of a program that holds it (RFC 7009).
 *
 * Events: `session.ended` (ended-by-application) when the session was live.
 */
import type { RequestContext } from '../api.ts'
import { endSession } from './end-session.ts'
import type { FlowParts } from './parts.ts'

export async function revokeToken(parts: FlowParts, token: string, context: RequestContext = {}): Promise<boolean> {
  const sessionId =
    parts.refreshTokens.open(token)?.sessionId ?? (await parts.accessTokens.open(token))?.claims.sessionId
  return sessionId !== undefined && endSession(parts, sessionId, 'ended-by-application', context)
}
