import { createHash } from 'node:crypto'
import { GatebookError } from '../errors.ts'

/** The members that make up a key of each kind, in the order of RFC 7638 §3.2 (and RFC 8037 §2). */
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
  oct: ['k', 'kty'],
}

/** RFC 7638: SHA-256 over the members that are the key, base64url. The same for the private and the public half. Throws ERR_KEY_INVALID. */
export function jwkThumbprint(jwk: Readonly<Record<string, unknown>>): string {
  const members = REQUIRED[String(jwk.kty)]
  if (members === undefined || members.some((name) => typeof jwk[name] !== 'string')) {
    throw new GatebookError('ERR_KEY_INVALID', { detail: 'a member of the key is missing' })
  }
  const text = JSON.stringify(Object.fromEntries(members.map((name) => [name, jwk[name]])))
  return createHash('sha256').update(text, 'utf8').digest('base64url')
}
