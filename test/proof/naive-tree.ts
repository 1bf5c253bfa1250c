import { createHash } from 'node:crypto'

/** RFC 6962 §2.1 as it stands there, without a thought of speed: what the library is compared with. */
const sha256 = (...parts: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

/** The largest power of two smaller than n. */
const k = (n: number): number => 2 ** Math.floor(Math.log2(n - 1))

export function leafHash(leaf: Uint8Array): Uint8Array {
  return sha256(Uint8Array.of(0), leaf)
}

/** MTH, over the hashes of leaves. */
export function treeHash(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256()
  if (leaves.length === 1) return leaves[0]!
  const split = k(leaves.length)
  return sha256(Uint8Array.of(1), treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)))
}

/** PATH(m, D[n]) of §2.1.1. */
export function path(m: number, leaves: readonly Uint8Array[]): Uint8Array[] {
  if (leaves.length === 1) return []
  const split = k(leaves.length)
  return m < split
    ? [...path(m, leaves.slice(0, split)), treeHash(leaves.slice(split))]
    : [...path(m - split, leaves.slice(split)), treeHash(leaves.slice(0, split))]
}

/** PROOF(m, D[n]) of §2.1.2. */
export function proof(m: number, leaves: readonly Uint8Array[]): Uint8Array[] {
  return subproof(m, leaves, true)
}

function subproof(m: number, leaves: readonly Uint8Array[], whole: boolean): Uint8Array[] {
  if (m === leaves.length) return whole ? [] : [treeHash(leaves)]
  const split = k(leaves.length)
  return m <= split
    ? [...subproof(m, leaves.slice(0, split), whole), treeHash(leaves.slice(split))]
    : [...subproof(m - split, leaves.slice(split), false), treeHash(leaves.slice(0, split))]
}

/** Leaves that differ, and their hashes. */
export function makeLeaves(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, at) => new TextEncoder().encode(`{"n":${at}}`))
}
