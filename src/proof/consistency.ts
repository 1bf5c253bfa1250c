import { equalBytes } from '../util/bytes.ts'
import { computeNodeHash, EMPTY_ROOT, requireHash } from './hash.ts'
import { type HashReader, type LeafRange, readRanges, splitPoint } from './hash-reader.ts'
import { ProofError, requireCount } from './proof-error.ts'
import { TILE_WIDTH } from './tile.ts'

/** What a consistency proof is about. Two checkpoints of one log will do. */
export interface TreeHead {
  readonly size: number
  readonly rootHash: Uint8Array
}

/**
 * Throws unless the proof shows that the newer tree begins with all leaves of the older one, in their order. RFC 9162
 * §2.1.4.2. Two trees of one size have to have one root, and an empty proof. Every tree begins with the leaves of the empty
 * one: for an older size of 0 the proof has to be empty and the older root that of the empty tree, and the newer root is
 * not looked at.
 */
export function verifyConsistency(older: TreeHead, newer: TreeHead, proof: readonly Uint8Array[]): void {
  requireOrder(older.size, newer.size)
  for (const hash of [older.rootHash, newer.rootHash, ...proof]) requireHash(hash)
  if (older.size === 0 && !equalBytes(older.rootHash, EMPTY_ROOT)) throw new ProofError('ERR_PROOF_OLD_ROOT', 'size 0')
  if (older.size === 0 || older.size === newer.size) {
    if (proof.length > 0) throw new ProofError('ERR_PROOF_LENGTH', 'nothing is to be proved')
    const same = older.size !== newer.size || equalBytes(older.rootHash, newer.rootHash)
    if (!same) throw new ProofError('ERR_PROOF_ROOT', 'two roots for one size')
    return
  }
  let [node, last] = [older.size - 1, newer.size - 1]
  while (node % 2 === 1) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  // The older tree is complete: its root stands in the newer one, and is not part of the proof.
  const [first, ...path] = node === 0 ? [older.rootHash, ...proof] : proof
  if (first === undefined) throw new ProofError('ERR_PROOF_LENGTH', 'no hash')
  let [oldHash, newHash] = [first, first]
  for (const sibling of path) {
    if (last === 0) throw new ProofError('ERR_PROOF_LENGTH', `${proof.length} hashes are too many`)
    if (node % 2 === 1 || node === last) {
      oldHash = computeNodeHash(sibling, oldHash)
      newHash = computeNodeHash(sibling, newHash)
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)]
    } else {
      newHash = computeNodeHash(newHash, sibling)
    }
    ;[node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  }
  if (last !== 0) throw new ProofError('ERR_PROOF_LENGTH', `${proof.length} hashes are too few`)
  if (!equalBytes(oldHash, older.rootHash)) throw new ProofError('ERR_PROOF_OLD_ROOT')
  if (!equalBytes(newHash, newer.rootHash)) throw new ProofError('ERR_PROOF_ROOT')
}

/** RFC 6962 §2.1.2, PROOF(oldSize, D[newSize]), from O(log newSize) tiles; empty where nothing is to be proved. */
export async function computeConsistencyProof(
  reader: HashReader,
  oldSize: number,
  newSize: number,
): Promise<Uint8Array[]> {
  requireOrder(oldSize, newSize)
  return readRanges(reader, newSize, listRanges(oldSize, newSize))
}

/**
 * The proof from `oldSize` to `newSize`, out of one from `oldSize` to any other size (`known`), when the leaves before some
 * size in between are gone. Within the tile of level 0 that the older tree ends in, all these proofs have the same hashes, as
 * long as the tile is full in the newer trees; above it they follow from tiles of higher levels, and from leaves behind it.
 * Throws ERR_PROOF_LENGTH where `known` has too few, ERR_PROOF_SIZE where the tile is not full.
 */
export async function extendConsistencyProof(
  reader: HashReader,
  oldSize: number,
  newSize: number,
  known: readonly Uint8Array[],
): Promise<Uint8Array[]> {
  requireOrder(oldSize, newSize)
  const first = oldSize - (oldSize % TILE_WIDTH)
  const end = first === oldSize ? first : first + TILE_WIDTH
  if (end > newSize)
    throw new ProofError('ERR_PROOF_SIZE', `the tile that ${oldSize} ends in is not full at ${newSize}`)
  const ranges = listRanges(oldSize, newSize)
  // From the lowest subtree up, so those within the tile are the first.
  const within = ranges.filter((range) => range[0] >= first && range[1] <= end).length
  if (known.length < within) throw new ProofError('ERR_PROOF_LENGTH', `${known.length} hashes are too few`)
  const above = await readRanges(reader, newSize, ranges.slice(within))
  return [...known.slice(0, within), ...above]
}

/** What PROOF(oldSize, D[newSize]) is made of, in its order. */
function listRanges(oldSize: number, newSize: number): LeafRange[] {
  const ranges: LeafRange[] = []
  let [start, end] = [0, newSize]
  while (oldSize > 0 && oldSize !== end) {
    const middle = start + splitPoint(end - start)
    if (oldSize <= middle) {
      ranges.push([middle, end])
      end = middle
    } else {
      ranges.push([start, middle])
      start = middle
    }
  }
  // Where the older tree is complete, the verifier knows its root.
  if (start > 0) ranges.push([start, end])
  return ranges.reverse()
}

function requireOrder(oldSize: number, newSize: number): void {
  requireCount(oldSize, 'the older size')
  requireCount(newSize, 'the newer size')
  if (oldSize > newSize)
    throw new ProofError('ERR_PROOF_SIZE', `the older tree has ${oldSize}, the newer ${newSize} leaves`)
}
