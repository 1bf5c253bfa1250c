import { GatebookError } from '../errors.ts'
import type { CheckedClaims } from './access-claims.ts'
import { EVERY_GENERATION, type RevokedSessions } from './revoked-sessions.ts'

/** Throws ERR_TOKEN_REVOKED, with the reason of the end, or ERR_TOKEN_STALE. */
export function refuseRevoked(
  sessions: Pick<RevokedSessions, 'leastGeneration' | 'reasonOf'>,
  { claims: { sessionId }, generation }: CheckedClaims,
): void {
  const least = sessions.leastGeneration(sessionId)
  if (least === EVERY_GENERATION) {
    const reason = sessions.reasonOf(sessionId)
    throw new GatebookError('ERR_TOKEN_REVOKED', reason === null ? {} : { members: { end_reason: reason } })
  }
  if (generation < least) throw new GatebookError('ERR_TOKEN_STALE')
}
