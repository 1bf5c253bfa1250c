import { createHmac, timingSafeEqual } from 'node:crypto'
import type { MasterSecret, SecretLabel } from '../secret/master-secret.ts'
import { decodeBase64url, encodeBase64url } from '../util/base64url.ts'
import { concatBytes, encodeUtf8 } from '../util/bytes.ts'

const MAC_BYTES = 32
const TOKEN_MAX = 256

/**
 * Opaque tokens that are not stored but recomputed: prefix, then base64url of version ‖ content ‖ HMAC-SHA256 under a key
 * that is derived from that version of the master secret. `context` is bound to the token without standing in it.
 */
export interface BearerSecret {
  issue(content: Uint8Array, context?: string): string
  /** The content of a token that this installation has issued with this context, else null. */
  open(token: string, context?: string): Uint8Array | null
}

export function createBearerSecret(secret: MasterSecret, label: SecretLabel, prefix: string): BearerSecret {
  function macOf(version: number, content: Uint8Array, context: string): Buffer | null {
    const key = secret.deriveKey(label, version)
    if (key === null) return null
    return createHmac('sha256', key)
      .update(concatBytes(Uint8Array.of(version, content.length), content, encodeUtf8(context)))
      .digest()
  }

  return {
    issue(content, context = '') {
      const version = secret.currentVersion
      return prefix + encodeBase64url(concatBytes(Uint8Array.of(version), content, macOf(version, content, context)!))
    },
    open(token, context = '') {
      if (token.length > TOKEN_MAX || !token.startsWith(prefix)) return null
      const bytes = decodeBase64url(token.slice(prefix.length))
      if (bytes === null || bytes.length <= 1 + MAC_BYTES) return null
      const content = bytes.slice(1, -MAC_BYTES)
      const mac = macOf(bytes[0]!, content, context)
      return mac !== null && timingSafeEqual(mac, bytes.subarray(-MAC_BYTES)) ? content : null
    },
  }
}
