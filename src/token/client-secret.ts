import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { encodeBase64url } from '../util/base64url.ts'

const PREFIX = 'gbk_'
const FORM = /^gbk_[A-Za-z0-9_-]{43}$/

/** 256 random bits behind a prefix. Only the digest is stored: who reads the table cannot use what is in it. */
export function generateClientSecret(): { readonly secret: string; readonly digest: string } {
  const secret = PREFIX + encodeBase64url(randomBytes(32))
  return { secret, digest: digestOf(secret) }
}

/** Takes as long whatever is wrong. */
export function isClientSecret(presented: string, digest: string): boolean {
  const right = Buffer.from(digest)
  const found = Buffer.from(digestOf(FORM.test(presented) ? presented : ''))
  return right.length === found.length && timingSafeEqual(right, found)
}

function digestOf(secret: string): string {
  return encodeBase64url(createHash('sha256').update(secret, 'utf8').digest())
}
