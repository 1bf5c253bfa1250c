import { computeNodeHash, HASH_BYTES } from '../../proof/hash.ts'
import type { HashReader } from '../../proof/hash-reader.ts'
import { ProofError } from '../../proof/proof-error.ts'
import { decodeTile, encodeTile, formatTilePath, TILE_WIDTH } from '../../proof/tile.ts'

/** The folder of an exported log, or what stands for one. Names are those of `spec/checkpoint.md`, with slashes on every system. */
export interface LogDirectory {
  /** Null when there is no such file. Throws ERR_FILE for every other failure. */
  read(name: string): Promise<Uint8Array | null>
  /** Whole or not at all: nobody sees half of a file. `durable`: not before it is on the disk, with all that was written before. */
  write(name: string, bytes: Uint8Array, options?: { readonly durable?: boolean }): Promise<void>
  remove(name: string): Promise<void>
  /** Every file; nothing when there is no such folder. */
  list(): AsyncGenerator<string, void, void>
}

/** What a file is called while it is written. */
export const TEMPORARY: RegExp = /^\.writing-[0-9a-f]{16}$/

/**
 * The hashes as the tiles of the folder have them. What stands in no tile yet, because an export was interrupted before it wrote
 * the right edge, follows from the full tiles below.
 */
export function createDirectoryReader(directory: Pick<LogDirectory, 'read'>, size: () => number): HashReader {
  async function readTile(level: number, index: number, width: number): Promise<Uint8Array> {
    const full = await directory.read(formatTilePath({ level, index, width: TILE_WIDTH }))
    if (full !== null) return take(full, level, index, TILE_WIDTH, width)
    const partial = Math.min(TILE_WIDTH - 1, Math.floor(size() / TILE_WIDTH ** level) - index * TILE_WIDTH)
    const path = partial < width ? null : formatTilePath({ level, index, width: partial })
    const bytes = path === null ? null : await directory.read(path)
    if (bytes !== null) return take(bytes, level, index, partial, width)
    const name = formatTilePath({ level, index, width })
    if (level === 0) throw new ProofError('ERR_TILE_LENGTH', `${name} is missing`)
    const hashes: Uint8Array[] = []
    for (let at = 0; at < width; at++) {
      const below = await readTile(level - 1, index * TILE_WIDTH + at, TILE_WIDTH)
      hashes.push(computeTileRoot(decodeTile(below, TILE_WIDTH)))
    }
    return encodeTile(hashes)
  }
  return { readTile }
}

function take(bytes: Uint8Array, level: number, index: number, has: number, width: number): Uint8Array {
  if (bytes.length !== has * HASH_BYTES) {
    throw new ProofError('ERR_TILE_LENGTH', formatTilePath({ level, index, width: has }))
  }
  return bytes.subarray(0, width * HASH_BYTES)
}

function computeTileRoot(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length === 1) return hashes[0]!
  const half = hashes.length / 2
  return computeNodeHash(computeTileRoot(hashes.slice(0, half)), computeTileRoot(hashes.slice(half)))
}
