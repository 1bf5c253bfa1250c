import { concatBytes } from '../util/bytes.ts'
import { HASH_BYTES, requireHash, splitHashes } from './hash.ts'
import { ProofError, requireCount } from './proof-error.ts'

/** Hashes in a full tile, and entries in a full bundle. */
export const TILE_WIDTH = 256
/** So many levels of the tree lie between two levels of tiles. */
export const TILE_HEIGHT = 8
const MAX_LEVEL = 63

/** C2SP tlog-tiles: `width` consecutive hashes of subtrees with 256^level leaves, from the `index * 256`-th one on. */
export interface Tile {
  readonly level: number
  readonly index: number
  /** From 1 to 256. */
  readonly width: number
}

/** The entries whose hashes stand in the tile of level 0 with this index. */
export type BundlePlace = Omit<Tile, 'level'>

/** `tile/0/x001/234.p/5` */
export function formatTilePath({ level, index, width }: Tile): string {
  if (!Number.isInteger(level) || level < 0 || level > MAX_LEVEL)
    throw new ProofError('ERR_TILE_PATH', `level ${level}`)
  return `tile/${level}/${formatPlace(index, width)}`
}

/** The inverse of {@link formatTilePath}: one tile has one path. */
export function parseTilePath(path: string): Tile {
  const [, digits = '', place = ''] = /^tile\/(0|[1-9][0-9]?)\/(.*)$/s.exec(path) ?? []
  const level = Number(digits)
  if (digits === '' || level > MAX_LEVEL) throw new ProofError('ERR_TILE_PATH')
  return { level, ...parsePlace(place) }
}

/** `tile/entries/x001/234.p/5` */
export function formatBundlePath({ index, width }: BundlePlace): string {
  return `tile/entries/${formatPlace(index, width)}`
}

/** The inverse of {@link formatBundlePath}. */
export function parseBundlePath(path: string): BundlePlace {
  const prefix = 'tile/entries/'
  if (!path.startsWith(prefix)) throw new ProofError('ERR_TILE_PATH')
  return parsePlace(path.slice(prefix.length))
}

/** The hashes of a tile one after the other. */
export function encodeTile(hashes: readonly Uint8Array[]): Uint8Array {
  hashes.forEach(requireHash)
  return concatBytes(...hashes)
}

/** The hashes of a tile, as parts of `bytes`. Throws ERR_TILE_LENGTH. */
export function decodeTile(bytes: Uint8Array, width: number): Uint8Array[] {
  if (bytes.length !== width * HASH_BYTES)
    throw new ProofError('ERR_TILE_LENGTH', `${bytes.length} bytes, width ${width}`)
  return splitHashes(bytes)
}

/** How many hashes of a tile there are in a tree of this size, from 0 to 256. */
export function tileWidth(level: number, index: number, size: number): number {
  return Math.min(TILE_WIDTH, Math.max(0, rowLength(level, size) - index * TILE_WIDTH))
}

/**
 * The tiles of a tree of `size` leaves that one of `since` leaves does not have, level by level. A partial tile is not
 * listed again under a width at which it was listed for `since`.
 */
export function* listTiles(size: number, since = 0): Generator<Tile> {
  requireCount(size, 'the size of the tree')
  requireCount(since, 'the older size of the tree')
  for (let level = 0; rowLength(level, size) > 0; level++) {
    for (const place of listRow(rowLength(level, size), rowLength(level, since))) yield { level, ...place }
  }
}

/** The entry bundles of a log with `size` entries that one with `since` entries does not have. */
export function* listBundles(size: number, since = 0): Generator<BundlePlace> {
  requireCount(size, 'the size of the log')
  requireCount(since, 'the older size of the log')
  yield* listRow(size, since)
}

function* listRow(length: number, since: number): Generator<BundlePlace> {
  for (let index = Math.floor(since / TILE_WIDTH); index * TILE_WIDTH < length; index++) {
    const width = Math.min(TILE_WIDTH, length - index * TILE_WIDTH)
    if (index * TILE_WIDTH + width > since) yield { index, width }
  }
}

/** How many hashes a level of tiles has. A division by a power of two is exact, also beyond 32 bits. */
function rowLength(level: number, size: number): number {
  return Math.floor(size / TILE_WIDTH ** level)
}

function formatPlace(index: number, width: number): string {
  requireCount(index, 'the index of the tile')
  if (!Number.isInteger(width) || width < 1 || width > TILE_WIDTH)
    throw new ProofError('ERR_TILE_PATH', `width ${width}`)
  let path = String(index % 1000).padStart(3, '0')
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    path = `x${String(rest % 1000).padStart(3, '0')}/${path}`
  }
  return width === TILE_WIDTH ? path : `${path}.p/${width}`
}

function parsePlace(place: string): BundlePlace {
  const parts = /^((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/.exec(place)
  const index = Number(parts?.[1]?.replace(/[x/]/g, ''))
  const width = Number(parts?.[2] ?? TILE_WIDTH)
  // The second spelling of a full tile, and of an index by more digits than it needs, are found by writing it again.
  const valid = parts !== null && Number.isSafeInteger(index) && width <= TILE_WIDTH
  if (!valid || formatPlace(index, width) !== place) throw new ProofError('ERR_TILE_PATH')
  return { index, width }
}
