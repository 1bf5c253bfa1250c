import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { GatebookError } from '../errors.ts'
import { VERIFICATION_ALGORITHMS, type VerificationAlgorithmName } from '../token/algorithms.ts'
import type { VerificationKey } from '../token/compact.ts'

/** RFC 7517 §4, as much of it as is looked at. */
export interface VerificationJwk {
  readonly kty?: unknown
  readonly kid?: unknown
  readonly alg?: unknown
  readonly use?: unknown
  readonly crv?: unknown
  readonly d?: unknown
  readonly k?: unknown
}

/** kty and crv of each algorithm (RFC 7518 §6, RFC 8037 §2). */
const KINDS: Readonly<Record<VerificationAlgorithmName, readonly [kty: string, crv: string | undefined]>> = {
  ES256: ['EC', 'P-256'],
  ES384: ['EC', 'P-384'],
  ES512: ['EC', 'P-521'],
  EdDSA: ['OKP', 'Ed25519'],
  RS256: ['RSA', undefined],
  HS256: ['oct', undefined],
}
const RSA_BITS_LEAST = 2048
/** RFC 7518 §3.2: as long as the hash. */
const SECRET_BYTES_LEAST = 32

/**
 * A key for `verifyCompact` and for the `keys` of a verifier. The algorithm is the one that the JWK names, or `algorithm`
 * where it names none; a key is never good for two. Throws ERR_KEY_INVALID, whose detail says why and holds no part of it.
 */
export function importVerificationKey(jwk: VerificationJwk, algorithm?: VerificationAlgorithmName): VerificationKey {
  const name = jwk.alg ?? algorithm
  if (typeof name !== 'string' || !Object.hasOwn(KINDS, name))
    throw invalid('alg is missing or none of those known here')
  if (algorithm !== undefined && name !== algorithm) throw invalid(`alg is not ${algorithm}`)
  const [kty, crv] = KINDS[name as VerificationAlgorithmName]
  if (jwk.kty !== kty || jwk.crv !== crv) throw invalid(`kty or crv is not that of ${name}`)
  if (jwk.use !== undefined && jwk.use !== 'sig') throw invalid('use is not sig')
  if (jwk.kid !== undefined && typeof jwk.kid !== 'string') throw invalid('kid is no string')
  if (kty !== 'oct' && (jwk.d !== undefined || jwk.k !== undefined)) throw invalid('it is a private key')
  return {
    kid: jwk.kid ?? null,
    algorithm: VERIFICATION_ALGORITHMS[name as VerificationAlgorithmName],
    key: kty === 'oct' ? importSecret(jwk.k) : importPublicKey(jwk),
  }
}

/** The shared secret of HS256, 32 bytes at least. Throws ERR_KEY_INVALID. */
export function importSharedKey(secret: string | Uint8Array, kid: string | null = null): VerificationKey {
  const bytes = typeof secret === 'string' ? Buffer.from(secret, 'utf8') : secret
  if (bytes.length < SECRET_BYTES_LEAST) throw invalid(`a shared secret has at least ${SECRET_BYTES_LEAST} bytes`)
  return { kid, algorithm: VERIFICATION_ALGORITHMS.HS256, key: createSecretKey(bytes) }
}

function importSecret(k: unknown): KeyObject {
  if (typeof k !== 'string') throw invalid('k is no string')
  return importSharedKey(Buffer.from(k, 'base64url')).key
}

function importPublicKey(jwk: object): KeyObject {
  let key: KeyObject
  try {
    // Node checks that the point is on its curve.
    key = createPublicKey({ key: jwk as import('node:crypto').JsonWebKey, format: 'jwk' })
  } catch {
    throw invalid('the numbers are not those of a key')
  }
  if ((key.asymmetricKeyDetails?.modulusLength ?? RSA_BITS_LEAST) < RSA_BITS_LEAST) {
    throw invalid(`an RSA key has at least ${RSA_BITS_LEAST} bits`)
  }
  return key
}

function invalid(detail: string): GatebookError {
  return new GatebookError('ERR_KEY_INVALID', { detail })
}
