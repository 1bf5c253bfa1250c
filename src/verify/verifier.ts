import type { AccessClaims } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { type CheckedClaims, checkAccessHeader, readAccessClaims } from '../token/access-claims.ts'
import type { VerificationAlgorithmName } from '../token/algorithms.ts'
import { type CompactJws, openCompact, parseCompact, refused, type VerificationKey } from '../token/compact.ts'
import { createVerifiedTokens } from '../token/verified-tokens.ts'
import { type KeySource, localKeys } from './key-source.ts'
import { remoteKeys } from './remote-keys.ts'
import {
  type RemoteRevocations,
  type RevocationOptions,
  type RevocationState,
  remoteRevocations,
} from './remote-revocations.ts'

export interface VerifierOptions {
  /** `iss`, exactly. */
  readonly issuer: string
  /** `aud`, exactly; default the issuer. */
  readonly audience?: string
  /** Default: `/.well-known/jwks.json` of the issuer. https, or this machine. */
  readonly jwksUrl?: string | URL
  /** Instead of a URL: keys that are known, from `importVerificationKey` or `importSharedKey`. */
  readonly keys?: readonly VerificationKey[]
  /** What may sign; default ES256, EdDSA and RS256. HS256 counts only with `keys`. */
  readonly algorithms?: readonly VerificationAlgorithmName[]
  /** By how much the clocks of issuer and verifier may differ: 0 to 60, default 10. */
  readonly clockSkewSeconds?: number
  /** Longest life of a token, from `iat` to `exp`: 1 to 86,400, default 3,600, which is the most that Gatebook issues. */
  readonly maxLifetimeSeconds?: number
  /** Tokens whose signature is checked once: 0 to 100,000, default 1,000. */
  readonly verifiedTokens?: number
  /** Without it, a token is good until it expires, whatever becomes of its session meanwhile. */
  readonly revocations?: RevocationOptions
  readonly fetch?: typeof fetch
  /** Epoch milliseconds; default Date.now. */
  readonly now?: () => number
}

export interface Verifier {
  /**
   * The content of an access token, frozen. Throws ERR_TOKEN_INVALID, ERR_TOKEN_EXPIRED, or ERR_KEYS_UNAVAILABLE while the
   * keys cannot be had; with `revocations` also ERR_TOKEN_REVOKED (with `members.end_reason`), ERR_TOKEN_STALE, or
   * ERR_REVOCATIONS_UNAVAILABLE. No error holds a part of the token.
   */
  verify(accessToken: string): Promise<AccessClaims>
  /** Settles when tokens can be judged. Throws ERR_KEYS_UNAVAILABLE or ERR_REVOCATIONS_UNAVAILABLE. */
  ready(): Promise<void>
  /** Null without `revocations`. */
  revocationState(): RevocationState | null
  /** Ends the questions about revocations, which keep a process alive. */
  close(): void
}

const DEFAULT_ALGORITHMS: readonly VerificationAlgorithmName[] = ['ES256', 'EdDSA', 'RS256']

/** What a resource server needs to trust an access token (RFC 9068 §4). Throws ERR_OPTION_INVALID. */
export function createVerifier(options: VerifierOptions): Verifier {
  const { issuer, audience = issuer, now = Date.now } = options
  if (typeof issuer !== 'string' || issuer === '') throw invalid('issuer: a URL is needed')
  if (typeof audience !== 'string' || audience === '') throw invalid('audience: a text is needed')
  const skew = checkRange('clockSkewSeconds', options.clockSkewSeconds ?? 10, 0, 60)
  const lifetimeMax = checkRange('maxLifetimeSeconds', options.maxLifetimeSeconds ?? 3600, 1, 86_400)
  const verified = createVerifiedTokens(checkRange('verifiedTokens', options.verifiedTokens ?? 1000, 0, 100_000))
  const algorithms = options.algorithms ?? DEFAULT_ALGORITHMS
  const keys = openKeys(options, algorithms)
  const rules = { issuer, audience, lifetimeMax, skew }
  const revocations = openRevocations(options)
  let epoch = keys.epoch()

  function check(token: string): CheckedClaims | Promise<CheckedClaims> {
    const jws = parseCompact(token)
    const kid = checkAccessHeader(jws.header)
    if (!(algorithms as readonly string[]).includes(jws.header.alg)) throw refused('alg')
    const found = keys.find(kid)
    return found instanceof Promise ? found.then((key) => open(token, jws, key)) : open(token, jws, found)
  }

  function open(token: string, jws: CompactJws, key: VerificationKey | null): CheckedClaims {
    if (key === null) throw refused('unknown kid')
    const checked = readAccessClaims(openCompact(jws, key), rules, now())
    verified.set(token, checked)
    return checked
  }

  return {
    async verify(accessToken) {
      if (typeof accessToken !== 'string') throw refused('form')
      if (epoch !== keys.epoch()) {
        verified.clear()
        epoch = keys.epoch()
      }
      let checked = verified.get(accessToken)
      if (checked === undefined) {
        const found = check(accessToken)
        // Waiting costs a turn of the event loop's queue, and there is nothing to wait for where the key is known.
        checked = found instanceof Promise ? await found : found
      }
      const { claims } = checked
      if (claims.expiresAt + skew * 1000 <= now()) throw new GatebookError('ERR_TOKEN_EXPIRED')
      const waiting = revocations?.check(checked)
      if (waiting !== undefined) await waiting
      return claims
    },
    async ready() {
      await Promise.all([keys.find(''), revocations?.ready()])
    },
    revocationState: () => revocations?.state() ?? null,
    close: () => revocations?.close(),
  }
}

function openKeys(options: VerifierOptions, algorithms: readonly VerificationAlgorithmName[]): KeySource {
  if (options.keys !== undefined) {
    if (options.jwksUrl !== undefined) throw invalid('keys: they stand instead of jwksUrl, not beside it')
    return localKeys(options.keys)
  }
  const { issuer, jwksUrl = `${issuer.replace(/\/$/, '')}/.well-known/jwks.json` } = options
  return remoteKeys({
    url: checkUrl('jwksUrl', jwksUrl),
    algorithms,
    fetch: options.fetch ?? globalThis.fetch,
    now: options.now ?? Date.now,
  })
}

function openRevocations({ issuer, revocations: given, ...options }: VerifierOptions): RemoteRevocations | null {
  if (given === undefined) return null
  const { clientId, clientSecret, url = `${issuer.replace(/\/$/, '')}/auth/revocations`, failMode = 'closed' } = given
  for (const [name, value] of Object.entries({ clientId, clientSecret })) {
    if (typeof value !== 'string' || value === '') throw invalid(`revocations.${name}: a text is needed`)
  }
  if (failMode !== 'closed' && failMode !== 'open') throw invalid('revocations.failMode: closed or open')
  const waitSeconds = checkRange('revocations.waitSeconds', given.waitSeconds ?? 5, 0, 30)
  const maxStaleSeconds = checkRange('revocations.maxStaleSeconds', given.maxStaleSeconds ?? 60, 15, 3600)
  if (maxStaleSeconds < 2 * waitSeconds + 5) {
    throw invalid('revocations.maxStaleSeconds: 5 seconds more than twice waitSeconds at the least')
  }
  return remoteRevocations({
    clientId,
    clientSecret,
    failMode,
    waitSeconds,
    maxStaleSeconds,
    onError: given.onError ?? (() => {}),
    url: checkUrl('revocations.url', url),
    fetch: options.fetch ?? globalThis.fetch,
    now: options.now ?? Date.now,
  })
}

/** Throws for what could be read or changed on its way. */
function checkUrl(name: string, given: string | URL): URL {
  if (!URL.canParse(String(given))) throw invalid(`${name}: not a URL`)
  const url = new URL(given)
  const local = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && local)) {
    throw invalid(`${name}: https, or this machine; whoever can change the answer decides which tokens are good`)
  }
  return url
}

function checkRange(name: string, value: number, low: number, high: number): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value
  throw invalid(`${name}: a whole number from ${low} to ${high}`)
}

function invalid(detail: string): GatebookError {
  return new GatebookError('ERR_OPTION_INVALID', { detail })
}
