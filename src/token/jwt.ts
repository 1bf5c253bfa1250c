import type { KeyObject } from 'node:crypto'
import { GatebookError } from '../errors.ts'
import { decodeBase64url } from '../util/base64url.ts'
import { decodeUtf8 } from '../util/bytes.ts'
import type { Algorithm } from './algorithms.ts'

/** What signs and what verifies, with the algorithm that belongs to the key (RFC 8725 §3.1). */
export interface TokenKey {
  readonly kid: string
  readonly algorithm: Algorithm
  readonly key: KeyObject
}

export const ACCESS_TOKEN_TYPE = 'at+jwt'
const LENGTH_MAX = 8192
const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/
const KID = /^[A-Za-z0-9_-]{1,64}$/
const HEADER_MEMBERS = new Set(['alg', 'kid', 'typ'])

/** RFC 7515 §7.1 compact serialisation, typed as an access token (RFC 9068 §2.1). */
export function signAccessJwt(payload: Readonly<Record<string, unknown>>, { kid, algorithm, key }: TokenKey): string {
  const header = encodeJson({ alg: algorithm.name, typ: ACCESS_TOKEN_TYPE, kid })
  const input = `${header}.${encodeJson(payload)}`
  return `${input}.${algorithm.sign(Buffer.from(input, 'ascii'), key).toString('base64url')}`
}

function encodeJson(value: unknown): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url')
}

/**
 * The payload of a token whose signature is right. In this order: length, characters, header, key, signature, payload; what
 * is not ours is refused before anything is looked up. Throws ERR_TOKEN_INVALID, whose `detail` names the check and never
 * holds a part of the token.
 */
export async function verifyAccessJwt(
  token: string,
  findKey: (kid: string) => TokenKey | null | Promise<TokenKey | null>,
): Promise<Readonly<Record<string, unknown>>> {
  const parts = token.length > LENGTH_MAX ? null : COMPACT.exec(token)
  if (parts === null) throw refused('form')
  const header = parseJson(parts[1]!, 'header')
  // Only what we write ourselves: crit, jwk, jku, x5u, zip and the like have no meaning here, so they have no place.
  if (!Object.keys(header).every((member) => HEADER_MEMBERS.has(member))) throw refused('header member')
  if (typeof header.typ !== 'string' || !isAccessTokenType(header.typ)) throw refused('typ')
  if (typeof header.kid !== 'string' || !KID.test(header.kid)) throw refused('kid')
  const key = await findKey(header.kid)
  if (key === null) throw refused('unknown kid')
  if (header.alg !== key.algorithm.name) throw refused('alg')
  const signature = decodeBase64url(parts[3]!)
  if (signature === null) throw refused('signature encoding')
  const input = Buffer.from(token.slice(0, token.lastIndexOf('.')), 'ascii')
  if (!key.algorithm.verify(input, Buffer.from(signature), key.key)) throw refused('signature')
  return parseJson(parts[2]!, 'payload')
}

// RFC 9068 §4; media types are compared without case.
function isAccessTokenType(typ: string): boolean {
  const type = typ.toLowerCase()
  return type === ACCESS_TOKEN_TYPE || type === `application/${ACCESS_TOKEN_TYPE}`
}

/**
 * Strict: canonical base64url, UTF-8, and JSON exactly as JSON.stringify writes it, which leaves no room for a member that
 * stands twice (RFC 8725 §2.4) or for two spellings of one value.
 */
function parseJson(part: string, place: string): Record<string, unknown> {
  const bytes = decodeBase64url(part)
  if (bytes === null) throw refused(`${place} encoding`)
  let value: unknown
  let text: string
  try {
    text = decodeUtf8(bytes)
    value = JSON.parse(text)
  } catch {
    throw refused(`${place} JSON`)
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value) || JSON.stringify(value) !== text) {
    throw refused(`${place} JSON`)
  }
  return Object.assign(Object.create(null), value) as Record<string, unknown>
}

export function refused(check: string): GatebookError {
  return new GatebookError('ERR_TOKEN_INVALID', { detail: `access token refused: ${check}` })
}
