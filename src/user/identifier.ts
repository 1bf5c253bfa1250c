import { createHmac } from 'node:crypto'
import type { IdentifierView } from '../event/event.ts'
import { maskEmail } from '../event/redact.ts'
import type { MasterSecret } from '../secret/master-secret.ts'
import { encodeBase64url } from '../util/base64url.ts'
import { normalizeIdentifier } from './normalize-identifier.ts'

export { normalizeIdentifier }

/** Names identifiers in the log without telling them. */
export interface IdentifierKeys {
  /** `resolved`: it belongs to a user, so that it may stand in clear. */
  describe(typed: string, key: string, resolved: boolean): IdentifierView
  /** The digests of a typed identifier under every version of the secret, for searching. */
  digests(typed: string): readonly string[]
}

export function createIdentifierKeys(secret: MasterSecret): IdentifierKeys {
  function digest(key: string, version: number): string {
    return encodeBase64url(createHmac('sha256', secret.deriveKey('identifier', version)!).update(key, 'utf8').digest())
  }

  return {
    describe(typed, key, resolved) {
      const mask = resolved ? undefined : maskEmail(key)
      return {
        hmac: digest(key, secret.currentVersion),
        keyVersion: secret.currentVersion,
        ...(resolved && { clear: typed.trim() }),
        ...(mask !== undefined && { mask }),
      }
    },
    digests: (typed) => secret.versions.map((version) => digest(normalizeIdentifier(typed), version)),
  }
}
