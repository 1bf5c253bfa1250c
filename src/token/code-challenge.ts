import { createHash, timingSafeEqual } from 'node:crypto'

const CHALLENGE = /^[A-Za-z0-9_-]{43}$/
const VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/

/** RFC 7636 §4.2, of the method `S256`; there is no other here (RFC 9700 §2.1.1). */
export function isCodeChallenge(text: string): boolean {
  return CHALLENGE.test(text)
}

/** RFC 7636 §4.6. */
export function matchesChallenge(verifier: string, challenge: string): boolean {
  if (!VERIFIER.test(verifier)) return false
  const digest = createHash('sha256').update(verifier, 'ascii').digest()
  const expected = Buffer.from(challenge, 'base64url')
  return digest.length === expected.length && timingSafeEqual(digest, expected)
}
