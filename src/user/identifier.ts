import { createHmac } from 'node:crypto'
import { GatebookError } from '../errors.ts'
import type { IdentifierView } from '../event/event.ts'
import { CAPS, isPrintable, maskEmail } from '../event/redact.ts'
import type { MasterSecret } from '../secret/master-secret.ts'
import { encodeBase64url } from '../util/base64url.ts'

/** Joiners, variation selectors, soft hyphens: with them two names look like one. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u

const IDEOGRAPHIC_STOP = '\u3002'

/**
 * The key under which an identifier is found: NFKC (which makes one of full and half width), lower case, without white
 * space at the ends and dots at the end; dots of East Asian keyboards count as dots in a domain. It stands beside the typed form, and its column compares byte by byte on every engine, so that no collation decides who is the same user.
 * Throws ERR_IDENTIFIER_INVALID.
 */
export function normalizeIdentifier(typed: string): string {
  if (typed.length > CAPS.identifier || !isPrintable(typed) || INVISIBLE.test(typed)) {
    throw new GatebookError('ERR_IDENTIFIER_INVALID')
  }
  const folded = typed.normalize('NFKC').toLowerCase().normalize('NFKC').trim()
  const at = folded.lastIndexOf('@') + 1
  const domain = at === 0 ? '' : folded.slice(at).replaceAll(IDEOGRAPHIC_STOP, '.')
  // `example.org.` is `example.org`, and a name must not differ from another one by what a sentence ends with.
  const key = (at === 0 ? folded : folded.slice(0, at) + domain).replace(/[.\s]+$/u, '')
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
