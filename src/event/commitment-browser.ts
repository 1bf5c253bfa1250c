import { sha256 } from '../proof/platform-browser.ts'
import { encodeBase64url } from '../util/base64url.ts'
import { concatBytes, encodeUtf8 } from '../util/bytes.ts'
import { formatCanonical } from './canonical.ts'
import type { CommitmentClass, CommittedFields } from './commitment.ts'

/**
 * What `commitment.ts` is in Node: the same exports, without `node:crypto` and Buffer. The pages of the dashboard check with it
 * that what they show is what the log committed to.
 */
export const SALT_BYTES = 32

export function computeCommitment(kind: CommitmentClass, salt: Uint8Array, fields: CommittedFields): string {
  return computeSaltedDigest('gatebook-commit/v1', kind, salt, fields)
}

export function isOpening(
  commitment: string,
  kind: CommitmentClass,
  salt: Uint8Array,
  fields: CommittedFields,
): boolean {
  try {
    return computeCommitment(kind, salt, fields) === commitment
  } catch {
    return false
  }
}

export function computeSaltedDigest(domain: string, name: string, salt: Uint8Array, fields: CommittedFields): string {
  if (salt.length !== SALT_BYTES) throw new TypeError(`a salt has ${SALT_BYTES} bytes`)
  const input = concatBytes(encodeUtf8(`${domain}\n${name}\n`), salt, encodeUtf8(formatCanonical(fields)))
  return encodeBase64url(sha256(input))
}

export function generateSalt(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(SALT_BYTES))
}
