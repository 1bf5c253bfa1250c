/**
 * End the session of a token, at the wish of a program that holds it (RFC 7009).
 *
 * Events: `session.ended` (ended-by-application) when the session was live.
 */
import type { RequestContext } from '../api.ts'
import { readSessionClient } from '../session/session-row.ts'
import { endSession } from './end-session.ts'
import type { FlowParts } from './parts.ts'

/** `only`: of a session of this application, and no other. */
export async function revokeToken(
  parts: FlowParts,
  token: string,
  context: RequestContext = {},
  only?: string,
): Promise<boolean> {
  const sessionId =
    parts.refreshTokens.open(token)?.sessionId ?? (await parts.accessTokens.open(token))?.claims.sessionId
  if (sessionId === undefined || (only !== undefined && (await readSessionClient(parts.store, sessionId)) !== only))
    return false
  return endSession(parts, sessionId, 'ended-by-application', context)
}
