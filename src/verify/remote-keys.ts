import { GatebookError } from '../errors.ts'
import type { VerificationAlgorithmName } from '../token/algorithms.ts'
import type { VerificationKey } from '../token/compact.ts'
import { decodeUtf8 } from '../util/bytes.ts'
import { parseStrictJson } from '../util/strict-json.ts'
import type { KeySource } from './key-source.ts'
import { importVerificationKey, type VerificationJwk } from './keys.ts'
import { readBody } from './read-body.ts'

export interface RemoteKeysOptions {
  readonly url: URL
  readonly algorithms: readonly VerificationAlgorithmName[]
  readonly fetch: typeof fetch
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** Milliseconds. What the issuer says in Cache-Control counts between these two. */
const FRESH_LEAST = 60_000
const FRESH_MOST = 3_600_000
const FRESH_DEFAULT = 600_000
/** While the issuer does not answer, keys go on for so long. */
const STALE_MOST = 24 * 3_600_000
/** Between two questions because of a key that nobody knows, and after one that failed. */
const COOLDOWN = 10_000
const TIMEOUT = 5000
const BYTES_MOST = 65_536
const KEYS_MOST = 64

interface LoadedKeys {
  readonly keys: ReadonlyMap<string, VerificationKey>
  readonly at: number
  readonly freshUntil: number
}

/**
 * The keys behind a JWKS URL (RFC 7517 §5), asked for once however many wait. Old ones go on while new ones are fetched.
 * An unknown `kid` is looked for at most every ten seconds, so that nobody can make us ask by inventing names.
 */
export function remoteKeys({ url, algorithms, fetch, now }: RemoteKeysOptions): KeySource {
  let loaded: LoadedKeys | null = null
  let loading: Promise<LoadedKeys> | null = null
  let askedAt = Number.NEGATIVE_INFINITY
  let epoch = 0

  function load(): Promise<LoadedKeys> {
    askedAt = now()
    loading ??= fetchKeys(url, algorithms, fetch, now)
      .then((fresh) => {
        const before = loaded
        if (before !== null && [...before.keys].some(([kid, key]) => !isSame(fresh.keys.get(kid), key))) epoch += 1
        loaded = fresh
        return fresh
      })
      .finally(() => {
        loading = null
      })
    return loading
  }

  async function ask(kid: string): Promise<VerificationKey | null> {
    try {
      return (await (loading ?? load())).keys.get(kid) ?? null
    } catch (error) {
      throw new GatebookError('ERR_KEYS_UNAVAILABLE', {
        cause: error,
        detail: error instanceof Error ? error.message : String(error),
        retryAfterSeconds: COOLDOWN / 1000,
      })
    }
  }

  return {
    epoch: () => epoch,
    find(kid) {
      const at = now()
      const mayAsk = at - askedAt >= COOLDOWN
      if (loaded === null || at - loaded.at > STALE_MOST) {
        if (loading === null && !mayAsk) {
          throw new GatebookError('ERR_KEYS_UNAVAILABLE', {
            detail: 'The last attempt failed a moment ago.',
            retryAfterSeconds: COOLDOWN / 1000,
          })
        }
        return ask(kid)
      }
      // Nobody waits for this one, and its failure is what STALE_MOST is for.
      if (at >= loaded.freshUntil && loading === null && mayAsk) load().catch(() => undefined)
      const known = loaded.keys.get(kid)
      if (known !== undefined) return known
      return loading !== null || mayAsk ? ask(kid) : null
    },
  }
}

/** The same name for another key would be a key that has gone. */
function isSame(a: VerificationKey | undefined, b: VerificationKey): boolean {
  return a !== undefined && a.algorithm === b.algorithm && a.key.equals(b.key)
}

async function fetchKeys(
  url: URL,
  algorithms: readonly VerificationAlgorithmName[],
  fetch: typeof globalThis.fetch,
  now: () => number,
): Promise<LoadedKeys> {
  // A redirect would let whoever can answer for one path choose the keys.
  const response = await fetch(url, {
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT),
    headers: { Accept: 'application/jwk-set+json, application/json' },
  })
  if (response.status !== 200) throw new Error(`the JWKS URL answered ${response.status}`)
  const body = parseStrictJson(decodeUtf8(await readBody(response, BYTES_MOST))) as { keys?: unknown } | null
  if (!Array.isArray(body?.keys)) throw new Error('the JWKS URL did not answer with a key set')
  const at = now()
  return {
    keys: readKeys(body.keys.slice(0, KEYS_MOST), algorithms),
    at,
    freshUntil: at + lifeOf(response.headers.get('cache-control')),
  }
}

/** What cannot be used is left out: a set may hold keys for others. A name that stands twice is nobody's. */
function readKeys(jwks: readonly unknown[], algorithms: readonly string[]): Map<string, VerificationKey> {
  const keys = new Map<string, VerificationKey>()
  const twice = new Set<string>()
  for (const jwk of jwks) {
    const key = tryImport(jwk)
    if (key === null || key.kid === null || !algorithms.includes(key.algorithm.name)) continue
    if (keys.has(key.kid)) twice.add(key.kid)
    keys.set(key.kid, key)
  }
  for (const kid of twice) keys.delete(kid)
  return keys
}

function tryImport(jwk: unknown): VerificationKey | null {
  // A secret that anybody can fetch verifies nothing.
  if (typeof jwk !== 'object' || jwk === null || (jwk as VerificationJwk).kty === 'oct') return null
  try {
    return importVerificationKey(jwk)
  } catch {
    return null
  }
}

/** RFC 9111 §5.2.2.1, in milliseconds. */
function lifeOf(cacheControl: string | null): number {
  const seconds = /(?:^|,)\s*max-age=(\d{1,9})\s*(?:,|$)/i.exec(cacheControl ?? '')?.[1]
  if (seconds === undefined) return FRESH_DEFAULT
  return Math.min(Math.max(Number(seconds) * 1000, FRESH_LEAST), FRESH_MOST)
}
