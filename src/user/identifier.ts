import { createHmac } from 'node:crypto'
import { GatebookError } from '../errors.ts'
import type { IdentifierView } from '../event/event.ts'
import { CAPS, isPrintable, maskEmail } from '../event/redact.ts'
import type { MasterSecret } from '../secret/master-secret.ts'
import { encodeBase64url } from '../util/base64url.ts'

/** Joiners, variation selectors, soft hyphens: with them two names look like one. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u

/**
 * The key under which an identifier is found: NFKC, lower case, without white space at the ends. It stands beside the
 * typed form, and its column compares byte by byte on every engine, so that no collation decides who is the same user.
 * Throws ERR_IDENTIFIER_INVALID.
 */
export function normalizeIdentifier(typed: string): string {
  if (typed.length > CAPS.identifier || !isPrintable(typed) || INVISIBLE.test(typed)) {
    throw new GatebookError('ERR_IDENTIFIER_INVALID')
  }
  const key = typed.normalize('NFKC').toLowerCase().normalize('NFKC').trim()
  if (key === '' || key.length > CAPS.identifier) throw new GatebookError('ERR_IDENTIFIER_INVALID')
  return key
}

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
