/**
 * What a token is worth at this moment, by what the database says (RFC 7662). Leaves no event.
 */
import type { AccessClaims, Introspection } from '../api.ts'
import { judgeRefresh, parseRotations } from '../session/refresh-rule.ts'
import { authenticatedAt, isLiveSession, readSession, type SessionRow } from '../session/session-row.ts'
import { readGeneration } from '../user/profile.ts'
import type { FlowParts } from './parts.ts'

const INACTIVE: Introspection = { active: false }

export async function introspect(parts: FlowParts, token: string): Promise<Introspection> {
  const content = parts.refreshTokens.open(token)
  if (content !== null) {
    const session = await findLiveSession(parts, content.sessionId)
    return session !== null && mayRefresh(parts, session, content.counter)
      ? describe(session, 'refresh', Number(session.expires_at), null)
      : INACTIVE
  }
  const checked = await parts.accessTokens.open(token)
  if (checked === null || checked.claims.expiresAt <= parts.settings.clock.now()) return INACTIVE
  const session = await findLiveSession(parts, checked.claims.sessionId)
  if (session === null || (await generationOf(parts, session)) > checked.generation) return INACTIVE
  return describe(session, 'access', checked.claims.expiresAt, checked.claims)
}

async function findLiveSession({ store, settings }: FlowParts, sessionId: string): Promise<SessionRow | null> {
  const session = await readSession(store, sessionId)
  return isLiveSession(session, settings.clock.now()) ? session : null
}

function generationOf({ store }: FlowParts, { subject_id }: SessionRow): Promise<number> {
  return store.read((db) => readGeneration({ db }, subject_id))
}

/** Whether it would be traded in, once more or for the first time. */
function mayRefresh({ settings }: FlowParts, session: SessionRow, counter: number): boolean {
  const verdict = judgeRefresh(
    counter,
    session.refresh_counter,
    parseRotations(session.rotations),
    settings.clock.now(),
    settings.refreshGraceSeconds * 1000,
  )
  return verdict === 'rotate' || verdict === 'grace'
}

function describe(
  session: SessionRow,
  kind: 'access' | 'refresh',
  expiresAt: number,
  claims: AccessClaims | null,
): Introspection {
  return {
    active: true,
    kind,
    userId: session.subject_id,
    sessionId: session.id,
    authenticatedAt: authenticatedAt(session),
    expiresAt,
    clientId: session.client_id,
    claims,
  }
}
