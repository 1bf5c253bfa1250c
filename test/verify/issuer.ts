import { createHmac, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { importVerificationKey, type VerificationKey } from '../../src/verify/index.ts'

export const ISSUER = 'https://app.example'
export const ALGORITHM_NAMES = ['ES256', 'EdDSA', 'RS256', 'HS256'] as const
export type AlgorithmName = (typeof ALGORITHM_NAMES)[number]

/** Signs what a test wants signed, right or wrong. */
export interface Issuer {
  readonly algorithm: AlgorithmName
  readonly kid: string
  /** As it stands in a key set; of HS256 the secret itself. */
  readonly jwk: Readonly<Record<string, string>>
  readonly key: VerificationKey
  sign(header: unknown, payload: unknown): string
  /** Header and payload as Gatebook writes them, with changes; `undefined` takes a member out. */
  token(payload?: Record<string, unknown>, header?: Record<string, unknown>): string
}

const SIGN: Readonly<Record<AlgorithmName, (input: Buffer, key: KeyObject | Buffer) => Buffer>> = {
  ES256: (input, key) => sign('sha256', input, { key: key as KeyObject, dsaEncoding: 'ieee-p1363' }),
  EdDSA: (input, key) => sign(null, input, key as KeyObject),
  RS256: (input, key) => sign('sha256', input, key as KeyObject),
  HS256: (input, key) =>
    createHmac('sha256', key as Buffer)
      .update(input)
      .digest(),
}

const PAIRS = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
  RS256: (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength }),
}

export function createIssuer(
  algorithm: AlgorithmName,
  kid = `key-${randomBytes(6).toString('hex')}`,
  rsaBits = 2048,
): Issuer {
  const made = algorithm === 'HS256' ? null : PAIRS[algorithm](rsaBits)
  const secret = randomBytes(32)
  const own = made === null ? { kty: 'oct', k: secret.toString('base64url') } : made.publicKey.export({ format: 'jwk' })
  const jwk = { ...own, alg: algorithm, use: 'sig', kid } as Record<string, string>
  const key = importVerificationKey(jwk)

  function signAll(header: unknown, payload: unknown): string {
    const input = `${encode(header)}.${encode(payload)}`
    return `${input}.${SIGN[algorithm](Buffer.from(input), made?.privateKey ?? secret).toString('base64url')}`
  }

  return {
    algorithm,
    kid,
    jwk,
    key,
    sign: signAll,
    token: (payload = {}, header = {}) =>
      signAll({ alg: algorithm, typ: 'at+jwt', kid, ...header }, { ...claimsAt(Date.now()), ...payload }),
  }
}

/** What is no text is written as JSON. */
function encode(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64url')
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
}

export function claimsAt(now: number): Record<string, unknown> {
  const iat = Math.floor(now / 1000)
  return {
    plan: 'gold',
    iss: ISSUER,
    sub: 'usr_01k9zzzzzzzzzzzzzzzzzzzzzz',
    aud: ISSUER,
    client_id: 'gatebook',
    sid: 'ses_01k9zzzzzzzzzzzzzzzzzzzzzz',
    gen: 0,
    auth_time: iat,
    jti: 'tok_01k9zzzzzzzzzzzzzzzzzzzzzz',
    iat,
    exp: iat + 600,
    roles: ['reader'],
  }
}
