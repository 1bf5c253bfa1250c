import { computeNodeHash, EMPTY_ROOT } from './hash.ts'
import { requireCount } from './proof-error.ts'
import { decodeTile, encodeTile, TILE_HEIGHT, TILE_WIDTH, tileWidth } from './tile.ts'
import { createTreeBuilder, type Frontier } from './tree.ts'

/**
 * Where proofs get their hashes from. What it answers is taken as it is: a wrong hash gives a proof that does not lead to the
 * root, which whoever verifies it finds out.
 */
export interface HashReader {
  /** `width` hashes of 32 bytes, from the `index * 256`-th one of this level on. See `Tile`. */
  readTile(level: number, index: number, width: number): Promise<Uint8Array>
}

/** A hash reader over all leaf hashes of a small log. */
export function createHashReader(leafHashes: readonly Uint8Array[]): HashReader {
  const levels: Uint8Array[][] = []
  for (const { level, hash } of createTreeBuilder().append(leafHashes)) {
    levels[level] ??= []
    levels[level].push(hash)
  }
  return {
    async readTile(level, index, width) {
      return encodeTile((levels[level] ?? []).slice(index * TILE_WIDTH, index * TILE_WIDTH + width))
    },
  }
}

/** The root hash of the tree of the first `size` leaves. */
export async function readRoot(reader: HashReader, size: number): Promise<Uint8Array> {
  const [root = EMPTY_ROOT.slice()] = size === 0 ? [] : await readRanges(reader, size, [[0, size]])
  return root
}

/** The frontier of the tree of the first `size` leaves. */
export async function readFrontier(reader: HashReader, size: number): Promise<Frontier> {
  requireCount(size, 'the size of the tree')
  return { size, hashes: await readNodes(reader, size, splitRange(0, size)) }
}

/** Leaves from the first on to the one before the second. */
export type LeafRange = readonly [number, number]

/**
 * The hashes of these ranges of leaves in a tree of `size` leaves, from O(log size) tiles. Each range is what RFC 6962 calls
 * D[k1:k2] and makes when it splits a tree: it begins at a multiple of the smallest power of two that is not below its length.
 */
export async function readRanges(
  reader: HashReader,
  size: number,
  ranges: readonly LeafRange[],
): Promise<Uint8Array[]> {
  const split = ranges.map(([start, end]) => splitRange(start, end))
  const hashes = await readNodes(reader, size, split.flat())
  return split.map((nodes) => hashes.splice(0, nodes.length).reduceRight((right, left) => computeNodeHash(left, right)))
}

/** The largest power of two that is below `count`, which is more than 1: where RFC 6962 splits a tree. */
export function splitPoint(count: number): number {
  let power = 1
  while (power * 2 < count) power *= 2
  return power
}

/** The root of the complete subtree of 2^height leaves that stands at this place among those of its height. */
interface Node {
  readonly height: number
  readonly place: number
}

function splitRange(start: number, end: number): Node[] {
  const nodes: Node[] = []
  for (let at = start; at < end; ) {
    let [height, leaves] = [0, 1]
    while (at + leaves * 2 <= end) [height, leaves] = [height + 1, leaves * 2]
    nodes.push({ height, place: at / leaves })
    at += leaves
  }
  return nodes
}

async function readNodes(reader: HashReader, size: number, nodes: readonly Node[]): Promise<Uint8Array[]> {
  const tiles = new Map<string, Promise<Uint8Array[]>>()
  const found = nodes.map(async ({ height, place }) => {
    const level = Math.floor(height / TILE_HEIGHT)
    const count = 2 ** (height % TILE_HEIGHT)
    const first = place * count
    const index = Math.floor(first / TILE_WIDTH)
    const key = `${level}/${index}`
    const width = tileWidth(level, index, size)
    const tile = tiles.get(key) ?? reader.readTile(level, index, width).then((bytes) => decodeTile(bytes, width))
    tiles.set(key, tile)
    return hashRow((await tile).slice(first % TILE_WIDTH, (first % TILE_WIDTH) + count))
  })
  return Promise.all(found)
}

/** The root over a power of two of hashes. */
export function hashRow(row: readonly Uint8Array[]): Uint8Array {
  let hashes = row
  while (hashes.length > 1) {
    const pairs = hashes
    hashes = Array.from({ length: pairs.length / 2 }, (_, at) => computeNodeHash(pairs[2 * at]!, pairs[2 * at + 1]!))
  }
  return hashes[0]!.slice()
}
