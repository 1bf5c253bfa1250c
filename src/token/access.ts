import type { AccessClaims } from '../api.ts'
import { GatebookError, isGatebookError } from '../errors.ts'
import type { Settings } from '../options.ts'
import { generateId } from '../util/id.ts'
import { type CheckedClaims, checkAccessHeader, readAccessClaims } from './access-claims.ts'
import { CLOCK_SKEW_SECONDS } from './claims.ts'
import { openCompact, parseCompact, refused } from './compact.ts'
import { signAccessJwt } from './jwt.ts'
import { refuseRevoked } from './refuse-revoked.ts'
import type { RevocationList } from './revocations.ts'
import type { KeyRing } from './signing-key.ts'
import { createVerifiedTokens } from './verified-tokens.ts'

export interface AccessSubject {
  readonly userId: string
  readonly sessionId: string
  readonly roles: readonly string[]
  readonly claims: Readonly<Record<string, unknown>>
  readonly generation: number
  /** Epoch milliseconds. */
  readonly authenticatedAt: number
  /** Of an application that the user was handed over to; null for a log-in at Gatebook itself. */
  readonly clientId: string | null
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
  /** At most `maxBytes`, where that is less than the option says. Throws ERR_TOKEN_TOO_LARGE. */
  issue(subject: AccessSubject, maxBytes?: number): IssuedAccessToken
  /** Throws ERR_TOKEN_INVALID, ERR_TOKEN_EXPIRED, ERR_TOKEN_REVOKED, ERR_TOKEN_STALE, ERR_REVOCATIONS_UNAVAILABLE. */
  verify(token: string): Promise<AccessClaims>
  /** The same at once, for a token that was verified before; null for every other text. */
  verifyKnown(token: string): AccessClaims | null
  /** For logging out: everything but the expiry and the revocations is checked. Throws ERR_TOKEN_INVALID. */
  check(token: string): Promise<CheckedClaims>
  /** The same; null for what is no access token of ours. */
  open(token: string): Promise<CheckedClaims | null>
}

export function createAccessTokens(keys: KeyRing, revocations: RevocationList, settings: Settings): AccessTokens {
  const { issuer, audience, clientId, clock, accessTokenSeconds, accessTokenMaxBytes } = settings
  const longestCut = Math.floor((accessTokenSeconds * settings.accessTokenJitterPercent) / 100)

  const rules = { issuer, audience, lifetimeMax: accessTokenSeconds + CLOCK_SKEW_SECONDS, skew: CLOCK_SKEW_SECONDS }
  const verified = createVerifiedTokens(settings.verifiedTokens)
  let epoch = 0
  // A program that attaches reads the revocations once, and is over soon.
  const closesWhenStale = settings.revocationFailMode === 'closed' && !settings.attach
  const staleMost = settings.revocationMaxStaleSeconds * 1000

  function findVerified(token: string): CheckedClaims | undefined {
    if (epoch !== keys.epoch()) {
      verified.clear()
      epoch = keys.epoch()
    }
    return verified.get(token)
  }

  async function check(token: string): Promise<CheckedClaims> {
    const known = findVerified(token)
    if (known !== undefined) return known
    const jws = parseCompact(token)
    const found = keys.findVerificationKey(checkAccessHeader(jws.header))
    const key = found instanceof Promise ? await found : found
    if (key === null) throw refused('unknown kid')
    const checked = readAccessClaims(openCompact(jws, key), rules, clock.now())
    verified.set(token, checked)
    return checked
  }

  function refuseEnded(checked: CheckedClaims): AccessClaims {
    const { claims } = checked
    if (claims.expiresAt <= clock.now()) throw new GatebookError('ERR_TOKEN_EXPIRED')
    refuseRevoked(revocations.sessions, checked)
    if (closesWhenStale && revocations.staleMilliseconds() > staleMost) {
      throw new GatebookError('ERR_REVOCATIONS_UNAVAILABLE', { retryAfterSeconds: 1 })
    }
    return claims
  }

  return {
    issue(
      { userId, sessionId, roles, claims, generation, authenticatedAt, clientId: client },
      maxBytes = accessTokenMaxBytes,
    ) {
      const now = clock.now()
      const iat = Math.floor(now / 1000)
      const tokenId = generateId('token', now)
      const expiresIn = accessTokenSeconds - Math.floor(Math.random() * (longestCut + 1))
      const token = signAccessJwt(
        {
          ...claims,
          iss: issuer,
          sub: userId,
          aud: audience,
          client_id: client ?? clientId,
          sid: sessionId,
          gen: generation,
          auth_time: Math.floor(authenticatedAt / 1000),
          jti: tokenId,
          iat,
          exp: iat + expiresIn,
          roles,
        },
        keys.signingKey(),
      )
      const maximum = Math.min(maxBytes, accessTokenMaxBytes)
      // Not the other way round: a limit that is not a number lets nothing through.
      if (!(token.length <= maximum)) {
        throw new GatebookError('ERR_TOKEN_TOO_LARGE', { members: { length: token.length, maximum } })
      }
      return { token, tokenId, expiresIn, expiresAt: (iat + expiresIn) * 1000 }
    },

    // Waiting costs a turn of the event loop's queue, and there is nothing to wait for.
    verify: async (token) => refuseEnded(findVerified(token) ?? (await check(token))),

    verifyKnown(token) {
      const known = findVerified(token)
      return known === undefined ? null : refuseEnded(known)
    },

    check,

    open: (token) =>
      check(token).catch((error: unknown) => {
        if (isGatebookError(error, 'ERR_TOKEN_INVALID')) return null
        throw error
      }),
  }
}
