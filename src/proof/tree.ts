import { concatBytes } from '../util/bytes.ts'
import { computeNodeHash, EMPTY_ROOT, HASH_BYTES, requireHash, splitHashes } from './hash.ts'
import { ProofError, requireCount } from './proof-error.ts'

/**
 * The right edge of a tree: the roots of its complete subtrees, one for each bit that is set in `size`, the largest first.
 * That is all of a tree that is needed to compute its root and to append to it. It is never changed in place.
 */
export interface Frontier {
  readonly size: number
  readonly hashes: readonly Uint8Array[]
}

export const EMPTY_FRONTIER: Frontier = { size: 0, hashes: [] }

/** The frontier after appending the leaves with these hashes. O(1) hashes a leaf, on average. */
export function extendFrontier(frontier: Frontier, leafHashes: readonly Uint8Array[]): Frontier {
  const builder = createTreeBuilder(frontier)
  builder.append(leafHashes)
  return builder.frontier()
}

/** The root hash (RFC 6962 §2.1) of the tree with this frontier; {@link EMPTY_ROOT} without leaves. */
export function computeRoot(frontier: Frontier): Uint8Array {
  requireFrontier(frontier)
  const { hashes } = frontier
  if (hashes.length === 0) return EMPTY_ROOT.slice()
  return hashes.reduceRight((right, left) => computeNodeHash(left, right))
}

/** The hashes one after the other, the largest subtree first: 32 bytes for each bit that is set in the size. */
export function encodeFrontier(frontier: Frontier): Uint8Array {
  requireFrontier(frontier)
  return concatBytes(...frontier.hashes)
}

/** The inverse of {@link encodeFrontier}. Throws ERR_FRONTIER_MALFORMED when the bytes are not as many as the size demands. */
export function decodeFrontier(size: number, bytes: Uint8Array): Frontier {
  requireCount(size, 'the size of the frontier')
  if (bytes.length !== countBits(size) * HASH_BYTES) {
    throw new ProofError('ERR_FRONTIER_MALFORMED', `${bytes.length} bytes for size ${size}`)
  }
  return { size, hashes: splitHashes(bytes.slice()) }
}

/** A hash that stands in a tile: the `index`-th of all hashes of `level`. */
export interface TileHash {
  readonly level: number
  readonly index: number
  readonly hash: Uint8Array
}

/** Appends leaves to a tree and tells which hashes of tiles are complete by that. */
export interface TreeBuilder {
  /** What has become complete: for each leaf its own hash (level 0), and behind it those of the levels above. */
  append(leafHashes: readonly Uint8Array[]): TileHash[]
  size(): number
  frontier(): Frontier
  /** As of now: the root at any size on the way can be had. */
  root(): Uint8Array
}

export function createTreeBuilder(start: Frontier = EMPTY_FRONTIER): TreeBuilder {
  requireFrontier(start)
  let { size } = start
  const hashes = [...start.hashes]
  const frontier = (): Frontier => ({ size, hashes: [...hashes] })
  return {
    append(leafHashes) {
      requireCount(size + leafHashes.length, 'the size of the tree')
      const complete: TileHash[] = []
      for (const leafHash of leafHashes) {
        requireHash(leafHash)
        complete.push({ level: 0, index: size, hash: leafHash })
        let hash = leafHash
        // Each bit that is set at the low end stands for a subtree that the new one completes to one of twice the size.
        let [left, height] = [size, 0]
        while (left % 2 === 1) {
          hash = computeNodeHash(hashes.pop()!, hash)
          left = (left - 1) / 2
          height += 1
          if (height % 8 === 0) complete.push({ level: height / 8, index: left, hash })
        }
        hashes.push(hash)
        size += 1
      }
      return complete
    },
    size: () => size,
    frontier,
    root: () => computeRoot({ size, hashes }),
  }
}

function requireFrontier({ size, hashes }: Frontier): void {
  requireCount(size, 'the size of the frontier')
  if (hashes.length !== countBits(size)) {
    throw new ProofError('ERR_FRONTIER_MALFORMED', `${hashes.length} hashes for size ${size}`)
  }
  hashes.forEach(requireHash)
}

/** How many bits are set. Not with shifts: these cut at 32 bits. */
function countBits(value: number): number {
  let count = 0
  for (let left = value; left > 0; left = Math.floor(left / 2)) count += left % 2
  return count
}
