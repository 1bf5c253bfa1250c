import { pbkdf2 as pbkdf2Callback } from 'node:crypto'
import { promisify } from 'node:util'
import type { HashReader, ReadHash } from '../hash-reader.ts'
import { decodeBase64, decodeHex, isSame } from './encodings.ts'

const derive = promisify(pbkdf2Callback)

/** Bytes of the digest, which is how long a derived key is unless its kind says otherwise. */
const DIGESTS: Readonly<Record<string, number>> = { sha1: 20, sha256: 32, sha512: 64 }

/** Some seconds of one core. */
const ITERATIONS_MAX = 5_000_000
/** About what OWASP asks of HMAC-SHA-256 divided by ten. */
const WEAK_BELOW = 60_000

function reading(digest: string, iterations: number, salt: Buffer | null, hash: Buffer | null): ReadHash | null {
  if (DIGESTS[digest] === undefined || salt === null || hash === null) return null
  if (!Number.isSafeInteger(iterations) || iterations < 1 || iterations > ITERATIONS_MAX) return null
  if (salt.length === 0 || hash.length < 16 || hash.length > 128) return null
  return {
    weak: iterations < WEAK_BELOW,
    verify: async (password) => isSame(await derive(password, salt, iterations, hash.length, digest), hash),
  }
}

function readingWhole(digest: string, iterations: number, salt: Buffer, hash: Buffer | null): ReadHash | null {
  return hash?.length === DIGESTS[digest] ? reading(digest, iterations, salt, hash) : null
}

/** `pbkdf2_sha256$260000$SALT$BASE64` of Django; the salt is the text itself. */
export const pbkdf2Django: HashReader = {
  format: 'pbkdf2-django',
  read(stored) {
    const match = /^pbkdf2_(sha1|sha256|sha512)\$(\d{1,8})\$([^$]{1,128})\$([^$]+)$/.exec(stored)
    if (match === null) return null
    return readingWhole(match[1]!, Number(match[2]), Buffer.from(match[3]!, 'utf8'), decodeBase64(match[4]))
  },
}

/** `pbkdf2:sha256:260000$SALT$HEX` of Werkzeug; the salt is the text itself. */
export const pbkdf2Werkzeug: HashReader = {
  format: 'pbkdf2-werkzeug',
  read(stored) {
    const match = /^pbkdf2:(sha1|sha256|sha512):(\d{1,8})\$([^$]{1,128})\$([0-9a-f]+)$/.exec(stored)
    if (match === null) return null
    return readingWhole(match[1]!, Number(match[2]), Buffer.from(match[3]!, 'utf8'), decodeHex(match[4]))
  },
}

/** `$pbkdf2-sha256$29000$SALT$HASH` of passlib, where `$pbkdf2$` is SHA-1; what a Keycloak export is turned into. */
export const pbkdf2Passlib: HashReader = {
  format: 'pbkdf2',
  read(stored) {
    const match = /^\$pbkdf2(?:-(sha256|sha512))?\$(\d{1,8})\$([^$]+)\$([^$]+)$/.exec(stored)
    if (match === null) return null
    return reading(match[1] ?? 'sha1', Number(match[2]), decodeBase64(match[3]), decodeBase64(match[4]))
  },
}

const PRF: readonly string[] = ['sha1', 'sha256', 'sha512']

/**
 * ASP.NET Core Identity: base64 of 0x01, pseudo-random function, iterations and length of the salt (4 bytes each, big
 * endian), salt and key (version 3); or of 0x00, 16 bytes of salt and a key of 1,000 rounds of HMAC-SHA-1 (version 2).
 */
export const pbkdf2AspNet: HashReader = {
  format: 'pbkdf2-aspnet',
  read(stored) {
    const bytes = /^A[A-Za-z0-9+/]{40,}={0,2}$/.test(stored) ? decodeBase64(stored) : null
    if (bytes === null) return null
    if (bytes[0] === 0 && bytes.length === 49) return reading('sha1', 1000, bytes.subarray(1, 17), bytes.subarray(17))
    if (bytes[0] !== 1 || bytes.length < 13) return null
    const saltLength = bytes.readUInt32BE(9)
    if (saltLength < 8 || 13 + saltLength >= bytes.length) return null
    const salt = bytes.subarray(13, 13 + saltLength)
    return reading(PRF[bytes.readUInt32BE(1)] ?? '', bytes.readUInt32BE(5), salt, bytes.subarray(13 + saltLength))
  },
}
