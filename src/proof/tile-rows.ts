import { equalBytes } from '../util/bytes.ts'
import { ProofError } from './proof-error.ts'
import { decodeTile, encodeTile, formatTilePath, TILE_WIDTH, type Tile } from './tile.ts'
import type { TileHash } from './tree.ts'

/** A tile and its bytes. */
export interface TileContent {
  readonly tile: Tile
  readonly bytes: Uint8Array
}

/**
 * Puts the hashes that a tree builder finds together to tiles: what an export writes, and what an audit compares with what
 * was written. It holds one tile of each level.
 */
export interface TileRows {
  /** The tiles that are full by these. Throws ERR_TILE_LENGTH when hashes before these are missing. */
  append(hashes: readonly TileHash[]): TileContent[]
  /** The partial tiles at the right edge, as of now, from the lowest level on. */
  partial(): TileContent[]
}

/** `partial`: the partial tiles of the tree that is gone on with; none for a tree that is walked from its first leaf on. */
export function createTileRows(partial: readonly TileContent[] = []): TileRows {
  const rows: { index: number; hashes: Uint8Array[] }[] = []
  for (const { tile, bytes } of partial) rows[tile.level] = { index: tile.index, hashes: decodeTile(bytes, tile.width) }
  const content = (level: number, index: number, hashes: readonly Uint8Array[]): TileContent => ({
    tile: { level, index, width: hashes.length },
    bytes: encodeTile(hashes),
  })
  return {
    append(hashes) {
      const full: TileContent[] = []
      for (const { level, index, hash } of hashes) {
        const place = index % TILE_WIDTH
        if (place === 0) rows[level] = { index: index / TILE_WIDTH, hashes: [] }
        const row = rows[level]
        if (row === undefined || row.hashes.length !== place || row.index !== (index - place) / TILE_WIDTH) {
          throw new ProofError('ERR_TILE_LENGTH', `hash ${index} of level ${level} does not follow`)
        }
        row.hashes.push(hash)
        if (row.hashes.length === TILE_WIDTH) full.push(content(level, row.index, row.hashes))
      }
      return full
    },
    partial: () =>
      rows.flatMap(({ index, hashes }, level) => (hashes.length === TILE_WIDTH ? [] : [content(level, index, hashes)])),
  }
}

/** Throws unless what was stored as a tile is what follows from the entries: ERR_TILE_LENGTH, or ERR_TILE_HASH and which. */
export function verifyTile(stored: Uint8Array, { tile, bytes }: TileContent): void {
  const wanted = decodeTile(bytes, tile.width)
  const wrong = decodeTile(stored, tile.width).findIndex((hash, at) => !equalBytes(hash, wanted[at]!))
  if (wrong >= 0) throw new ProofError('ERR_TILE_HASH', `${formatTilePath(tile)}, hash ${wrong}`)
}
