import { hash, randomFillSync } from 'node:crypto'
import { type CanonicalValue, formatCanonical } from './canonical.ts'

/** `id` is erased on request (subject, identifier, actor); `net` expires (address, user agent, device). */
export type CommitmentClass = 'id' | 'net'

export const SALT_BYTES = 32

const DOMAIN = 'gatebook-commit/v1'

/** Fields of one class in clear. Undefined members are not part of the commitment. */
export type CommittedFields = { readonly [member: string]: CanonicalValue | undefined }

/**
 * SHA-256("gatebook-commit/v1\n" ‖ class ‖ "\n" ‖ salt ‖ canonical fields). The salt has a fixed length, which makes the
 * concatenation injective; `spec/entry.md` is normative. Base64url, as it stands in the leaf.
 */
export function computeCommitment(kind: CommitmentClass, salt: Uint8Array, fields: CommittedFields): string {
  return computeSaltedDigest(DOMAIN, kind, salt, fields)
}

/** False also for a salt or values that no leaf can commit to. */
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

/**
 * What is digested for one purpose can never be taken for what is digested for another: neither name has a line break, and
 * both are ASCII. Base64url.
 */
export function computeSaltedDigest(domain: string, name: string, salt: Uint8Array, fields: CommittedFields): string {
  if (salt.length !== SALT_BYTES) throw new TypeError(`a salt has ${SALT_BYTES} bytes`)
  const prefix = `${domain}\n${name}\n`
  const text = formatCanonical(fields)
  // One piece of memory and one call of the hash: an audit does this twice for each event.
  const input = Buffer.allocUnsafe(prefix.length + SALT_BYTES + Buffer.byteLength(text))
  input.write(prefix, 'latin1')
  input.set(salt, prefix.length)
  input.write(text, prefix.length + SALT_BYTES)
  return hash('sha256', input, 'base64url')
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
