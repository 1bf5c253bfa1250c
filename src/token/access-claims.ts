import type { AccessClaims } from '../api.ts'
import { decodeUtf8 } from '../util/bytes.ts'
import { isId } from '../util/id.ts'
import { parseCanonicalJson } from './canonical-json.ts'
import { type CompactHeader, refused } from './compact.ts'

export const ACCESS_TOKEN_TYPE = 'at+jwt'

/** What a verifier expects of an access token (RFC 9068 §4). */
export interface ClaimRules {
  readonly issuer: string
  readonly audience: string
  /** Seconds from `iat` to `exp`. */
  readonly lifetimeMax: number
  /** Seconds by which `iat` and `nbf` may be ahead. */
  readonly skew: number
}

export interface CheckedClaims {
  readonly claims: AccessClaims
  readonly generation: number
}

/** The id of the key. Throws ERR_TOKEN_INVALID for what is no access token (RFC 9068 §4; media types have no case). */
export function checkAccessHeader({ typ, kid }: CompactHeader): string {
  const type = typ?.toLowerCase()
  if (type !== ACCESS_TOKEN_TYPE && type !== `application/${ACCESS_TOKEN_TYPE}`) throw refused('typ')
  if (kid === null) throw refused('kid')
  return kid
}

/**
 * Every claim but the expiry, which has a code of its own. `now` in epoch milliseconds. What is returned is frozen, since
 * one object may be handed to many. Throws ERR_TOKEN_INVALID.
 */
export function readAccessClaims(bytes: Buffer, rules: ClaimRules, now: number): CheckedClaims {
  const { iss, aud, sub, sid, jti, gen, iat, nbf, exp, authTime, client, roles, own } = sortMembers(parsePayload(bytes))
  if (iss !== rules.issuer) throw refused('iss')
  if (aud !== rules.audience) throw refused('aud')
  if (typeof sub !== 'string' || sub === '') throw refused('sub')
  if (typeof sid !== 'string' || !isId('session', sid)) throw refused('sid')
  if (typeof jti !== 'string' || jti === '') throw refused('jti')
  if (typeof client !== 'string') throw refused('client_id')
  if (!isInstant(iat) || !isInstant(exp) || !isInstant(authTime) || !isInstant(gen))
    throw refused('iat, exp, auth_time or gen')
  if (exp <= iat || exp - iat > rules.lifetimeMax) throw refused('lifetime')
  const latest = now / 1000 + rules.skew
  if (iat > latest) throw refused('iat in the future')
  if (nbf !== undefined && (!isInstant(nbf) || nbf > latest)) throw refused('nbf')
  // RFC 8705, RFC 9449: bound to a key that nobody here has asked for.
  if ('cnf' in own) throw refused('cnf')
  if (!Array.isArray(roles) || !roles.every((role) => typeof role === 'string')) throw refused('roles')
  const claims: AccessClaims = {
    userId: sub,
    sessionId: sid,
    roles: Object.freeze(roles),
    claims: freezeDeep(own),
    tokenId: jti,
    clientId: client,
    authenticatedAt: authTime * 1000,
    issuedAt: iat * 1000,
    expiresAt: exp * 1000,
  }
  return { claims: Object.freeze(claims), generation: gen }
}

function parsePayload(bytes: Buffer): Record<string, unknown> {
  let value: unknown
  try {
    value = parseCanonicalJson(decode(bytes))
  } catch {
    throw refused('payload JSON')
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw refused('payload JSON')
  return value as Record<string, unknown>
}

/** What is not UTF-8 becomes U+FFFD, so the slower decoder, which throws, is asked only where there is one. */
function decode(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  return text.includes('\ufffd') ? decodeUtf8(bytes) : text
}

interface Members {
  iss?: unknown
  aud?: unknown
  sub?: unknown
  sid?: unknown
  jti?: unknown
  gen?: unknown
  iat?: unknown
  nbf?: unknown
  exp?: unknown
  authTime?: unknown
  client?: unknown
  roles?: unknown
  /** The claims of the application, on an object without a prototype. */
  readonly own: Record<string, unknown>
}

/** Only what stands in the payload itself, and nothing that somebody has hung on Object.prototype. */
function sortMembers(payload: Record<string, unknown>): Members {
  const members: Members = { own: Object.create(null) as Record<string, unknown> }
  for (const name of Object.keys(payload)) {
    const value = payload[name]
    switch (name) {
      case 'iss':
      case 'aud':
      case 'sub':
      case 'sid':
      case 'jti':
      case 'gen':
      case 'iat':
      case 'nbf':
      case 'exp':
      case 'roles':
        members[name] = value
        break
      case 'auth_time':
        members.authTime = value
        break
      case 'client_id':
        members.client = value
        break
      default:
        members.own[name] = value
    }
  }
  return members
}

function freezeDeep<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const member of Object.values(value)) freezeDeep(member)
  return Object.freeze(value)
}

function isInstant(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
