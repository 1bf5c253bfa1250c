import type {
  AccessClaims,
  AuthenticatedRequest,
  AuthenticationRequirements,
  Gatebook,
  HeaderReader,
  RequestContext,
} from '../api.ts'
import { type ErrorCode, GatebookError, isGatebookError } from '../errors.ts'
import type { TokenRefusalReason } from '../event/catalogue.ts'
import { networkOf } from '../flow/event-source.ts'
import type { TokenRefusals } from '../log/token-refusals.ts'
import type { AccessTokens } from '../token/access.ts'
import type { Clock } from '../util/clock.ts'
import { isId } from '../util/id.ts'
import { parseBearer } from './bearer.ts'
import type { Cookies } from './cookie.ts'

export interface AuthenticatorParts {
  readonly tokens: Pick<AccessTokens, 'verify' | 'verifyKnown'>
  readonly refusals: TokenRefusals
  readonly clock: Clock
  /** Null where the option is off. */
  readonly cookies: Cookies | null
}

/** Everything else that can be thrown is no refusal of this request. */
const REASONS: Readonly<Partial<Record<ErrorCode, TokenRefusalReason>>> = {
  ERR_TOKEN_MISSING: 'missing',
  ERR_TOKEN_INVALID: 'invalid',
  ERR_TOKEN_EXPIRED: 'expired',
  ERR_TOKEN_REVOKED: 'revoked',
  ERR_TOKEN_STALE: 'stale',
  ERR_FORBIDDEN: 'forbidden',
  ERR_FRESH_REQUIRED: 'not-fresh',
  ERR_CSRF: 'cross-site',
}

export interface Authenticator {
  /**
   * Throws ERR_TOKEN_MISSING, ERR_CSRF, what `tokens.verify` throws, ERR_FRESH_REQUIRED when the log-in is too long ago
   * (RFC 9470), or ERR_FORBIDDEN when the role is not there; each of them is counted.
   */
  readonly authenticate: Gatebook['authenticate']
  /**
   * The same for the account of the user and for the admin API: ERR_FORBIDDEN for the token of an application that the user was handed
   * over to, whose session is all that it may end or ask about.
   */
  authenticateOwn(
    request: AuthenticatedRequest,
    requirements: AuthenticationRequirements,
    context: RequestContext,
  ): Promise<AccessClaims>
  /**
   * The same without requirements and at once, for a token in the Authorization header that was verified before; null for
   * every other request, which may be a good one.
   */
  authenticateKnown(headers: HeaderReader, context: RequestContext): AccessClaims | null
  /** The access token that a request shows, of which nothing is verified. Throws ERR_TOKEN_INVALID and ERR_CSRF. */
  findToken(request: AuthenticatedRequest): string | null
}

const BEARER = 'Bearer '

export function createAuthenticator({ tokens, refusals, clock, cookies }: AuthenticatorParts): Authenticator {
  async function check(token: string, role?: string, maxAgeSeconds?: number): Promise<AccessClaims> {
    const claims = await tokens.verify(token)
    if (role !== undefined && !claims.roles.includes(role)) throw new GatebookError('ERR_FORBIDDEN')
    if (maxAgeSeconds !== undefined && clock.now() - claims.authenticatedAt > maxAgeSeconds * 1000) {
      throw new GatebookError('ERR_FRESH_REQUIRED', { members: { max_age: maxAgeSeconds } })
    }
    return claims
  }

  function findToken(request: AuthenticatedRequest): string | null {
    const authorization = request.headers.get('authorization')
    // Whoever shows something there means it, and nobody else can have put it there.
    return authorization === null ? (cookies?.findAccessToken(request) ?? null) : parseBearer(authorization)
  }

  async function authenticate(
    request: AuthenticatedRequest,
    { role, maxAgeSeconds, optional = false }: AuthenticationRequirements & { readonly optional?: boolean } = {},
    context: RequestContext | (() => RequestContext) = {},
  ): Promise<AccessClaims | null> {
    try {
      const token = findToken(request)
      if (token === null && optional) return null
      if (token === null) throw new GatebookError('ERR_TOKEN_MISSING')
      return await check(token, role, maxAgeSeconds)
    } catch (error) {
      throw counted(error, context)
    }
  }

  function counted(error: unknown, context: RequestContext | (() => RequestContext)): unknown {
    const reason = isGatebookError(error) ? REASONS[error.code] : undefined
    if (reason !== undefined) refusals.count(reason, describe(context))
    return error
  }

  return {
    async authenticateOwn(request, requirements, context) {
      const claims = await (authenticate as Gatebook['authenticate'])(request, requirements, context)
      if (isId('client', claims.clientId)) throw counted(new GatebookError('ERR_FORBIDDEN'), context)
      return claims
    },
    findToken,
    // An implementation has no overloads: that null is only for `optional` stands in the type of the method.
    authenticate: authenticate as Gatebook['authenticate'],
    authenticateKnown(headers, context) {
      const authorization = headers.get('authorization')
      if (authorization === null || !authorization.startsWith(BEARER)) return null
      try {
        return tokens.verifyKnown(authorization.slice(BEARER.length))
      } catch (error) {
        throw counted(error, context)
      }
    },
  }
}

function describe(given: RequestContext | (() => RequestContext)): Parameters<TokenRefusals['count']>[1] {
  const context = typeof given === 'function' ? given() : given
  return {
    network: networkOf(context),
    ...(context.requestId !== undefined && { requestId: context.requestId }),
  }
}
