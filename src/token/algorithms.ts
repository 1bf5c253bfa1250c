import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto'

/** What Gatebook signs with. */
export type AlgorithmName = 'ES256' | 'EdDSA' | 'RS256' | 'HS256'
/** RFC 7518 §3.1, RFC 8037 §3.1. What can be verified: those, and what others sign with. */
export type VerificationAlgorithmName = AlgorithmName | 'ES384' | 'ES512'

export type Jwk = Readonly<Record<string, string>>

export interface VerificationAlgorithm {
  readonly name: VerificationAlgorithmName
  /** `input`: ASCII. */
  verify(input: string, signature: Buffer, key: KeyObject): boolean
}

/** One row per signature algorithm. A key record names its row; nothing that a token says chooses one. */
export interface Algorithm extends VerificationAlgorithm {
  readonly name: AlgorithmName
  sign(input: Buffer, key: KeyObject): Buffer
  /** A new private key; null where the secret is configured instead. */
  readonly generate: (() => KeyObject) | null
}

// RFC 7518 §3.4: the signature is R ‖ S, not the DER form.
const P1363 = { dsaEncoding: 'ieee-p1363' } as const

export const ALGORITHMS: Readonly<Record<AlgorithmName, Algorithm>> = {
  ES256: {
    name: 'ES256',
    sign: (input, key) => sign('sha256', input, { key, ...P1363 }),
    verify: (input, signature, key) =>
      signature.length === 64 && verify('sha256', bytesOf(input), { key, ...P1363 }, signature),
    generate: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  },
  // RFC 8037 §3.1, Ed25519.
  EdDSA: {
    name: 'EdDSA',
    sign: (input, key) => sign(null, input, key),
    verify: (input, signature, key) => signature.length === 64 && verify(null, bytesOf(input), key, signature),
    generate: () => generateKeyPairSync('ed25519').privateKey,
  },
  RS256: {
    name: 'RS256',
    sign: (input, key) => sign('sha256', input, key),
    verify: (input, signature, key) => verify('sha256', bytesOf(input), key, signature),
    // ASVS 11.2.3 asks for 128 bits of security.
    generate: () => generateKeyPairSync('rsa', { modulusLength: 3072 }).privateKey,
  },
  HS256: {
    name: 'HS256',
    sign: (input, key) => createHmac('sha256', key).update(input).digest(),
    verify(input, signature, key) {
      const expected = createHmac('sha256', key).update(input, 'latin1').digest()
      return signature.length === expected.length && timingSafeEqual(signature, expected)
    },
    generate: null,
  },
}

export const VERIFICATION_ALGORITHMS: Readonly<Record<VerificationAlgorithmName, VerificationAlgorithm>> = {
  ...ALGORITHMS,
  ES384: {
    name: 'ES384',
    verify: (input, signature, key) =>
      signature.length === 96 && verify('sha384', bytesOf(input), { key, ...P1363 }, signature),
  },
  ES512: {
    name: 'ES512',
    verify: (input, signature, key) =>
      signature.length === 132 && verify('sha512', bytesOf(input), { key, ...P1363 }, signature),
  },
}

function bytesOf(input: string): Buffer {
  return Buffer.from(input, 'latin1')
}

/** The public half as a JWK with `alg`, `use` and `kid` (RFC 7517 §4). */
export function exportPublicJwk(privateKey: KeyObject, algorithm: AlgorithmName, kid: string): Jwk {
  const { kty, crv, x, y, n, e } = createPublicKey(privateKey).export({ format: 'jwk' })
  const members = { kty, crv, x, y, n, e, alg: algorithm, use: 'sig', kid }
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Jwk
}

export function importPublicJwk(jwk: Jwk): KeyObject {
  return createPublicKey({ key: jwk, format: 'jwk' })
}

export function exportPrivateKey(privateKey: KeyObject): Buffer {
  return privateKey.export({ format: 'der', type: 'pkcs8' })
}

export function importPrivateKey(der: Buffer): KeyObject {
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}

export function importSharedSecret(secret: string): KeyObject {
  return createSecretKey(Buffer.from(secret, 'utf8'))
}
