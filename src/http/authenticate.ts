import type { AccessClaims, AuthenticationRequirements } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { Clock } from '../util/clock.ts'
import { parseBearer } from './bearer.ts'
import type { Cookies } from './cookie.ts'

/** What of a request decides who its caller is. */
export interface AuthenticatedRequest {
  readonly headers: Pick<Headers, 'get'>
  readonly method: string
}

export interface AuthenticatorParts {
  verify(accessToken: string): Promise<AccessClaims>
  readonly clock: Clock
  /** Null where the option is off. */
  readonly cookies: Cookies | null
}

export type Authenticator = (
  request: AuthenticatedRequest,
  requirements?: AuthenticationRequirements,
) => Promise<AccessClaims>

/**
 * Throws ERR_TOKEN_MISSING, ERR_CSRF, what `tokens.verify` throws, ERR_FRESH_REQUIRED when the log-in is too long ago (RFC 9470), or
 * ERR_FORBIDDEN when the role is not there.
 */
export function createAuthenticator({ verify, clock, cookies }: AuthenticatorParts): Authenticator {
  return async (request, { role, maxAgeSeconds } = {}) => {
    const authorization = request.headers.get('authorization')
    // Whoever shows something there means it, and nobody else can have put it there.
    const token = authorization === null ? (cookies?.findAccessToken(request) ?? null) : parseBearer(authorization)
    if (token === null) throw new GatebookError('ERR_TOKEN_MISSING')
    const claims = await verify(token)
    if (role !== undefined && !claims.roles.includes(role)) throw new GatebookError('ERR_FORBIDDEN')
    if (maxAgeSeconds !== undefined && clock.now() - claims.authenticatedAt > maxAgeSeconds * 1000) {
      throw new GatebookError('ERR_FRESH_REQUIRED', { members: { max_age: maxAgeSeconds } })
    }
    return claims
  }
}
