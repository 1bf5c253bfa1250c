import type { KeyObject } from 'node:crypto'
import { ACCESS_TOKEN_TYPE } from './access-claims.ts'
import type { Algorithm } from './algorithms.ts'

/** What signs and what verifies, with the algorithm that belongs to the key (RFC 8725 §3.1). */
export interface TokenKey {
  readonly kid: string
  readonly algorithm: Algorithm
  readonly key: KeyObject
}

/** RFC 7515 §7.1 compact serialisation, typed as an access token (RFC 9068 §2.1). */
export function signAccessJwt(payload: Readonly<Record<string, unknown>>, { kid, algorithm, key }: TokenKey): string {
  const header = encodeJson({ alg: algorithm.name, typ: ACCESS_TOKEN_TYPE, kid })
  const input = `${header}.${encodeJson(payload)}`
  return `${input}.${algorithm.sign(Buffer.from(input, 'ascii'), key).toString('base64url')}`
}

function encodeJson(value: unknown): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url')
}
