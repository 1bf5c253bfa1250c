import { expect, test } from 'vitest'
import { isCodeChallenge, matchesChallenge } from '../../src/token/code-challenge.ts'

/** RFC 7636, appendix B. */
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

test('a verifier is good for its challenge alone', () => {
  expect(matchesChallenge(VERIFIER, CHALLENGE)).toBe(true)
  expect(matchesChallenge(CHALLENGE, CHALLENGE)).toBe(false)
  expect(matchesChallenge(VERIFIER.toLowerCase(), CHALLENGE)).toBe(false)
  for (const verifier of ['', VERIFIER.slice(1), `${VERIFIER}=`, 'x'.repeat(129), `${VERIFIER.slice(1)} `]) {
    expect(matchesChallenge(verifier, CHALLENGE)).toBe(false)
  }
})

test('a challenge is 43 characters of base64url', () => {
  expect(isCodeChallenge(CHALLENGE)).toBe(true)
  for (const text of ['', VERIFIER.slice(1), `${CHALLENGE}=`, CHALLENGE.replace('-', '+')]) {
    expect(isCodeChallenge(text)).toBe(false)
  }
})
