import { equalBytes } from '../util/bytes.ts'
import { computeNodeHash, requireHash } from './hash.ts'
import { type HashReader, type LeafRange, readRanges, splitPoint } from './hash-reader.ts'
import { ProofError, requireCount } from './proof-error.ts'

/** What an inclusion proof is about. */
export interface Inclusion {
  /** Of the leaf, from 0. */
  readonly index: number
  /** Of the tree. */
  readonly size: number
  readonly leafHash: Uint8Array
  readonly rootHash: Uint8Array
}

/**
 * Throws unless the proof shows that the leaf stands at this index of the tree with this size and root. RFC 9162 §2.1.3.2.
 * A tree of size 0 has no leaf, so nothing is included in it: ERR_PROOF_SIZE.
 */
export function verifyInclusion({ index, size, leafHash, rootHash }: Inclusion, proof: readonly Uint8Array[]): void {
  requireIndex(index, size)
  for (const hash of [leafHash, rootHash, ...proof]) requireHash(hash)
  let [node, last, hash] = [index, size - 1, leafHash]
  for (const sibling of proof) {
    if (last === 0) throw new ProofError('ERR_PROOF_LENGTH', `${proof.length} hashes are too many`)
    if (node % 2 === 1 || node === last) {
      hash = computeNodeHash(sibling, hash)
      // The last node of a level that is alone goes up as it is.
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)]
    } else {
      hash = computeNodeHash(hash, sibling)
    }
    ;[node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  }
  if (last !== 0) throw new ProofError('ERR_PROOF_LENGTH', `${proof.length} hashes are too few`)
  if (!equalBytes(hash, rootHash)) throw new ProofError('ERR_PROOF_ROOT')
}

/** The siblings from the leaf up to the root, from O(log size) tiles. RFC 6962 §2.1.1, PATH(index, D[size]). */
export async function computeInclusionProof(reader: HashReader, index: number, size: number): Promise<Uint8Array[]> {
  requireIndex(index, size)
  const ranges: LeafRange[] = []
  for (let [start, end] = [0, size]; end - start > 1; ) {
    const middle = start + splitPoint(end - start)
    if (index < middle) {
      ranges.push([middle, end])
      end = middle
    } else {
      ranges.push([start, middle])
      start = middle
    }
  }
  return readRanges(reader, size, ranges.reverse())
}

function requireIndex(index: number, size: number): void {
  requireCount(index, 'the index')
  requireCount(size, 'the size')
  if (index >= size) throw new ProofError('ERR_PROOF_SIZE', `index ${index} in a tree of size ${size}`)
}
