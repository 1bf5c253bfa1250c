import { decodeBase64url, encodeBase64url } from './base64url.ts'

/** RFC 4648 §4, with padding. */
export function encodeBase64(bytes: Uint8Array): string {
  const text = encodeBase64url(bytes).replaceAll('-', '+').replaceAll('_', '/')
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=')
}

/**
 * The exact inverse of {@link encodeBase64}: null for missing padding, for white space, for other alphabets and for set
 * bits behind the last byte, so that one value has one spelling (RFC 4648 §3.5).
 */
export function decodeBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0 || /[-_]/.test(text)) return null
  return decodeBase64url(
    text
      .replace(/={1,2}$/, '')
      .replaceAll('+', '-')
      .replaceAll('/', '_'),
  )
}
