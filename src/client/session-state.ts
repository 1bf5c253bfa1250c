import type { HeldSession } from './held-session.ts'

/** What an application shows: who is signed in, as far as this tab knows. */
export interface SessionState {
  /** `unknown` until the storage has been read, or, in cookies mode, until the server has said it. */
  readonly status: 'signed-in' | 'signed-out' | 'unknown'
  readonly userId: string | null
  readonly sessionId: string | null
  /** End of the access token, not of the session, in epoch milliseconds of this machine; null where it is not known. */
  readonly expiresAt: number | null
  /** Why the session is over: `logout`, `expired`, `ended-by-admin` and the other reasons of `session.ended`; else null. */
  readonly reason: string | null
}

export const UNKNOWN: SessionState = Object.freeze({
  status: 'unknown',
  userId: null,
  sessionId: null,
  expiresAt: null,
  reason: null,
})

export function signedOut(reason: string | null): SessionState {
  return { ...UNKNOWN, status: 'signed-out', reason }
}

export function signedIn({ userId, sessionId, expiresIn, obtainedAt }: HeldSession): SessionState {
  const expiresAt = expiresIn === null ? null : obtainedAt + expiresIn * 1000
  return { status: 'signed-in', userId, sessionId, expiresAt, reason: null }
}
