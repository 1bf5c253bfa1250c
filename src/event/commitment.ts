import { createHash, randomFillSync } from 'node:crypto'
import { concatBytes, encodeUtf8 } from '../util/bytes.ts'
import { type CanonicalValue, encodeCanonical } from './canonical.ts'

/** `id` is erased on request (subject, identifier, actor); `net` expires (address, user agent, device). */
export type CommitmentClass = 'id' | 'net'

export const SALT_BYTES = 32

const DOMAIN = 'gatebook-commit/v1'

/** Fields of one class in clear. Undefined members are not part of the commitment. */
export type CommittedFields = { readonly [member: string]: CanonicalValue | undefined }

/**
 * SHA-256("gatebook-commit/v1\n" ‖ class ‖ "\n" ‖ salt ‖ canonical fields). The salt has a fixed length, which makes the
 * concatenation injective; `spec/entry.md` is normative.
 */
export function computeCommitment(kind: CommitmentClass, salt: Uint8Array, fields: CommittedFields): Uint8Array {
  if (salt.length !== SALT_BYTES) throw new TypeError(`a salt has ${SALT_BYTES} bytes`)
  return createHash('sha256')
    .update(concatBytes(encodeUtf8(`${DOMAIN}\n${kind}\n`), salt, encodeCanonical(fields)))
    .digest()
}

const pool = new Uint8Array(4096)
let poolAt = pool.length

/** Independent random bytes for each class: a salt that followed from another one could not be erased by itself. */
export function generateSalt(): Uint8Array {
  if (poolAt + SALT_BYTES > pool.length) {
    randomFillSync(pool)
    poolAt = 0
  }
  const salt = pool.slice(poolAt, poolAt + SALT_BYTES)
  pool.fill(0, poolAt, poolAt + SALT_BYTES)
  poolAt += SALT_BYTES
  return salt
}
