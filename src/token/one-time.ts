import { createHash, randomBytes } from 'node:crypto'
import { encodeBase64url } from '../util/base64url.ts'

/** What a one-time token is good for. Each has a prefix of its own, so that one is never taken for another. */
export const ONE_TIME_PREFIXES = { reset: 'gbp_', confirm: 'gbc_', invite: 'gbi_', code: 'gba_' } as const
export type OneTimePurpose = keyof typeof ONE_TIME_PREFIXES

const BODY = /^[A-Za-z0-9_-]{43}$/

/** 256 random bits behind a prefix. Only the digest is stored: who reads the table cannot use what is in it. */
export function generateOneTimeToken(purpose: OneTimePurpose): { readonly token: string; readonly digest: string } {
  const token = ONE_TIME_PREFIXES[purpose] + encodeBase64url(randomBytes(32))
  return { token, digest: digestOf(token) }
}

/** What it is found by; null for what cannot be a token of this purpose. Mails and terminals add white space at the ends. */
export function digestOneTimeToken(purpose: OneTimePurpose, presented: string): string | null {
  const prefix = ONE_TIME_PREFIXES[purpose]
  const token = presented.length > 100 ? '' : presented.trim()
  return token.startsWith(prefix) && BODY.test(token.slice(prefix.length)) ? digestOf(token) : null
}

function digestOf(token: string): string {
  return encodeBase64url(createHash('sha256').update(token, 'utf8').digest())
}
