import { concatBytes } from '../util/bytes.ts'
import { encodeHex } from '../util/hex.ts'
import { sha256 } from './platform.ts'
import { ProofError } from './proof-error.ts'

export const HASH_BYTES = 32

/** SHA-256 of nothing: the root of the tree without leaves. RFC 6962 §2.1. */
export const EMPTY_ROOT: Uint8Array = sha256(new Uint8Array(0))

// One buffer for all: the hash function is synchronous and keeps nothing, and allocating costs a third of a hash.
const leafInput = new Uint8Array(1 + 65_535)
const nodeInput = new Uint8Array(1 + 2 * HASH_BYTES).fill(1, 0, 1)

/** SHA-256(0x00 ‖ leaf). RFC 6962 §2.1. */
export function computeLeafHash(leaf: Uint8Array): Uint8Array {
  if (leaf.length >= leafInput.length) return sha256(concatBytes(Uint8Array.of(0), leaf))
  leafInput.set(leaf, 1)
  return sha256(leafInput.subarray(0, leaf.length + 1))
}

/** SHA-256(0x01 ‖ left ‖ right). RFC 6962 §2.1. Both have 32 bytes. */
export function computeNodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.length !== HASH_BYTES || right.length !== HASH_BYTES) requireHash(left.length === HASH_BYTES ? right : left)
  nodeInput.set(left, 1)
  nodeInput.set(right, 1 + HASH_BYTES)
  return sha256(nodeInput)
}

/** Throws ERR_PROOF_HASH unless it has 32 bytes. */
export function requireHash(hash: Uint8Array): void {
  if (hash.length !== HASH_BYTES)
    throw new ProofError('ERR_PROOF_HASH', `${hash.length} bytes: ${encodeHex(hash.subarray(0, 64))}`)
}

/** The hashes of a concatenation of them, without copying. */
export function splitHashes(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length % HASH_BYTES !== 0)
    throw new ProofError('ERR_PROOF_HASH', `${bytes.length} bytes are no row of hashes`)
  return Array.from({ length: bytes.length / HASH_BYTES }, (_, at) =>
    bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES),
  )
}
