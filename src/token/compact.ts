import type { KeyObject } from 'node:crypto'
import { GatebookError } from '../errors.ts'
import { decodeUtf8 } from '../util/bytes.ts'
import { parseStrictJson } from '../util/strict-json.ts'
import type { VerificationAlgorithm, VerificationAlgorithmName } from './algorithms.ts'

/** What verifies: a key, and the one algorithm that it is for (RFC 8725 §3.1). */
export interface VerificationKey {
  /** Null where keys have no names: then it verifies what names none. */
  readonly kid: string | null
  readonly algorithm: VerificationAlgorithm
  readonly key: KeyObject
}

/** The members that have a meaning here. Any other (crit, jwk, jku, x5u, zip, b64 …) is refused, and nothing reads it. */
export interface CompactHeader {
  readonly alg: string
  readonly kid: string | null
  readonly typ: string | null
}

/** RFC 7515 §7.1, with nothing verified yet. */
export interface CompactJws {
  readonly header: CompactHeader
  /** The first two segments with their dot. */
  readonly input: string
  readonly headerSegment: string
  readonly payloadSegment: string
  readonly signature: Buffer
}

/** Characters of a token. What is longer is not looked at. */
const LENGTH_MAX = 8192
const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]+)$/
const KID = /^[A-Za-z0-9_.:-]{1,128}$/
const MEMBERS: ReadonlySet<string> = new Set(['alg', 'kid', 'typ', 'cty'])

/** Headers of tokens whose signature was right: all tokens of one key have the same. Nobody else can fill it. */
const headers = new Map<string, CompactHeader>()
const HEADERS_MAX = 64

/** In this order: length, characters, canonical base64url, header. Throws ERR_TOKEN_INVALID. */
export function parseCompact(jws: string): CompactJws {
  const parts = jws.length > LENGTH_MAX ? null : COMPACT.exec(jws)
  if (parts === null) throw refused('form')
  const [, headerSegment, payloadSegment, signatureSegment] = parts as unknown as [string, string, string, string]
  const header = headers.get(headerSegment) ?? parseHeader(headerSegment)
  const signature = decodeSegment(signatureSegment)
  if (signature === null) throw refused('signature encoding')
  const input = jws.slice(0, jws.length - signatureSegment.length - 1)
  return { header, input, headerSegment, payloadSegment, signature }
}

/** The bytes of the payload, once the signature is right. Throws ERR_TOKEN_INVALID. */
export function openCompact(jws: CompactJws, key: VerificationKey): Buffer {
  if (jws.header.alg !== key.algorithm.name) throw refused('alg')
  if (!key.algorithm.verify(jws.input, jws.signature, key.key)) throw refused('signature')
  if (headers.size < HEADERS_MAX) headers.set(jws.headerSegment, jws.header)
  const payload = decodeSegment(jws.payloadSegment)
  if (payload === null) throw refused('payload encoding')
  return payload
}

export interface VerifiedCompact {
  readonly header: CompactHeader
  readonly payload: Uint8Array
  readonly key: VerificationKey
}

/**
 * The signature layer by itself (RFC 7515 §5.2): who signed these bytes, and nothing about what they say. A header without
 * `kid` goes with a key without one; where it fits several keys, it is refused. Throws ERR_TOKEN_INVALID, whose `detail`
 * names the check and never holds a part of the token.
 */
export function verifyCompact(
  jws: string,
  keys: readonly VerificationKey[],
  { algorithms }: { readonly algorithms: readonly VerificationAlgorithmName[] },
): VerifiedCompact {
  const parsed = parseCompact(jws)
  const { alg, kid } = parsed.header
  if (!(algorithms as readonly string[]).includes(alg)) throw refused('alg')
  const fitting = keys.filter((key) => key.algorithm.name === alg && (key.kid === kid || key.kid === null))
  const [key] = fitting
  if (key === undefined || fitting.length > 1) throw refused('no key, or several')
  return { header: parsed.header, payload: openCompact(parsed, key), key }
}

function parseHeader(segment: string): CompactHeader {
  const bytes = decodeSegment(segment)
  if (bytes === null) throw refused('header encoding')
  let value: unknown
  try {
    value = parseStrictJson(decodeUtf8(bytes))
  } catch {
    throw refused('header JSON')
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw refused('header JSON')
  if (!Object.keys(value).every((member) => MEMBERS.has(member))) throw refused('header member')
  const { alg, kid = null, typ = null } = value as Record<string, unknown>
  if (typeof alg !== 'string') throw refused('alg')
  if (kid !== null && (typeof kid !== 'string' || !KID.test(kid))) throw refused('kid')
  if (typ !== null && typeof typ !== 'string') throw refused('typ')
  return { alg, kid, typ }
}

/** Last characters behind which no bits are left over, by the length of the segment modulo 4. */
const LAST: Readonly<Record<number, RegExp>> = { 2: /[AQgw]$/, 3: /[AEIMQUYcgkosw048]$/ }

/**
 * Null unless it is the one spelling of its bytes (RFC 4648 §3.5): a token must not have two forms. The characters have been
 * looked at.
 */
function decodeSegment(segment: string): Buffer | null {
  const rest = segment.length % 4
  if (rest === 1 || LAST[rest]?.test(segment) === false) return null
  return Buffer.from(segment, 'base64url')
}

export function refused(check: string): GatebookError {
  return new GatebookError('ERR_TOKEN_INVALID', { detail: `access token refused: ${check}` })
}
