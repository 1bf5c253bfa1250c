import type { AccessClaims } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { Settings } from '../options.ts'

import { generateId, isId } from '../util/id.ts'
import { CLOCK_SKEW_SECONDS } from './claims.ts'
import { refused, signAccessJwt, verifyAccessJwt } from './jwt.ts'
import type { RevocationList } from './revocations.ts'
import type { KeyRing } from './signing-key.ts'

export interface AccessSubject {
  readonly userId: string
  readonly sessionId: string
  readonly roles: readonly string[]
  readonly claims: Readonly<Record<string, unknown>>
  readonly generation: number
  /** Epoch milliseconds. */
  readonly authenticatedAt: number
}

export interface IssuedAccessToken {
  readonly token: string
  readonly tokenId: string
  /** Seconds. */
  readonly expiresIn: number
  /** Epoch milliseconds. */
  readonly expiresAt: number
}

export interface AccessTokens {
  /** Throws ERR_TOKEN_TOO_LARGE. */
  issue(subject: AccessSubject): IssuedAccessToken
  /** Throws ERR_TOKEN_INVALID, ERR_TOKEN_EXPIRED, ERR_TOKEN_REVOKED, ERR_TOKEN_STALE. */
  verify(token: string): Promise<AccessClaims>
  /** For logging out: everything but the expiry and the revocations is checked. */
  verifyIgnoringEnd(token: string): Promise<AccessClaims>
}

export function createAccessTokens(keys: KeyRing, revocations: RevocationList, settings: Settings): AccessTokens {
  const { issuer, audience, clientId, clock, accessTokenSeconds, accessTokenMaxBytes } = settings

  async function check(token: string): Promise<{ claims: AccessClaims; generation: number }> {
    const payload = await verifyAccessJwt(token, (kid) => keys.findVerificationKey(kid))
    const { iss, aud, sub, sid, jti, gen, iat, exp, auth_time: authTime, client_id: client, roles, ...claims } = payload
    if (iss !== issuer) throw refused('iss')
    if (aud !== audience) throw refused('aud')
    if (typeof sub !== 'string' || sub === '') throw refused('sub')
    if (typeof sid !== 'string' || !isId('session', sid)) throw refused('sid')
    if (typeof jti !== 'string' || jti === '') throw refused('jti')
    if (typeof client !== 'string') throw refused('client_id')
    if (!isInstant(iat) || !isInstant(exp) || !isInstant(authTime) || !isInstant(gen))
      throw refused('iat, exp, auth_time or gen')
    if (exp <= iat || exp - iat > accessTokenSeconds + CLOCK_SKEW_SECONDS) throw refused('lifetime')
    if (iat > clock.now() / 1000 + CLOCK_SKEW_SECONDS) throw refused('iat in the future')
    if (!Array.isArray(roles) || !roles.every((role) => typeof role === 'string')) throw refused('roles')
    return {
      claims: {
        userId: sub,
        sessionId: sid,
        roles,
        claims: Object.assign(Object.create(null), claims),
        tokenId: jti,
        clientId: client,
        authenticatedAt: authTime * 1000,
        issuedAt: iat * 1000,
        expiresAt: exp * 1000,
      },
      generation: gen,
    }
  }

  return {
    issue({ userId, sessionId, roles, claims, generation, authenticatedAt }) {
      const now = clock.now()
      const iat = Math.floor(now / 1000)
      const tokenId = generateId('token', now)
      const token = signAccessJwt(
        {
          ...claims,
          iss: issuer,
          sub: userId,
          aud: audience,
          client_id: clientId,
          sid: sessionId,
          gen: generation,
          auth_time: Math.floor(authenticatedAt / 1000),
          jti: tokenId,
          iat,
          exp: iat + accessTokenSeconds,
          roles,
        },
        keys.signingKey(),
      )
      if (token.length > accessTokenMaxBytes) {
        throw new GatebookError('ERR_TOKEN_TOO_LARGE', {
          members: { length: token.length, maximum: accessTokenMaxBytes },
        })
      }
      return { token, tokenId, expiresIn: accessTokenSeconds, expiresAt: (iat + accessTokenSeconds) * 1000 }
    },

    async verify(token) {
      const { claims, generation } = await check(token)
      if (claims.expiresAt <= clock.now()) throw new GatebookError('ERR_TOKEN_EXPIRED')
      const revocation = revocations.find(claims.sessionId)
      if (revocation?.ended === true) throw new GatebookError('ERR_TOKEN_REVOKED')
      if (revocation !== null && generation < revocation.generation) throw new GatebookError('ERR_TOKEN_STALE')
      return claims
    },

    verifyIgnoringEnd: async (token) => (await check(token)).claims,
  }
}

function isInstant(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
