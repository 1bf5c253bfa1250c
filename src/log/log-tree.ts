import type { Checkpoint } from '../proof/checkpoint.ts'
import { readFrontier } from '../proof/hash-reader.ts'
import { ProofError } from '../proof/proof-error.ts'
import { decodeTile, encodeTile, TILE_WIDTH, tileWidth } from '../proof/tile.ts'
import { createTreeBuilder, type Frontier, type TileHash, type TreeBuilder } from '../proof/tree.ts'
import type { Store } from '../store/store.ts'
import { equalBytes } from '../util/bytes.ts'
import { walkEntries } from './entry-walk.ts'
import { rememberTiles } from './kept-proof.ts'
import { readPrunedSize } from './pruned.ts'
import { diverged } from './stopped.ts'
import { createTreeReader } from './tree-reader.ts'

/** A row of `gatebook_tile` as it has to be. */
export interface TileRow {
  readonly level: number
  readonly place: number
  readonly hashes: Uint8Array
}

/** The tree over the log, as far as it was signed: its right edge, and what of its tiles is not in the database yet. */
export interface LogTree {
  size(): number
  root(): Uint8Array
  frontier(): Frontier
  append(leafHashes: readonly Uint8Array[]): void
  /** Tiles above level 0 that have changed since they were last asked for. They count as written then. */
  takeTiles(): readonly TileRow[]
}

/** Levels above 0 of the tile that grows, by level. */
type GrowingTiles = Map<number, { place: number; hashes: Uint8Array[] }>

function createLogTree(builder: TreeBuilder, growing: GrowingTiles): LogTree {
  const changed = new Map<string, TileRow>()

  function note({ level, index, hash }: TileHash): void {
    const place = Math.floor(index / TILE_WIDTH)
    let tile = growing.get(level)
    if (tile?.place !== place) {
      tile = { place, hashes: [] }
      growing.set(level, tile)
    }
    tile.hashes.push(hash)
    changed.set(`${level}/${place}`, { level, place, hashes: encodeTile(tile.hashes) })
  }

  return {
    size: builder.size,
    root: builder.root,
    frontier: builder.frontier,
    append(leafHashes) {
      for (const hash of builder.append(leafHashes)) if (hash.level > 0) note(hash)
    },
    takeTiles() {
      const rows = [...changed.values()]
      changed.clear()
      return rows
    },
  }
}

/**
 * The tree at the size of a checkpoint that is to be believed, out of what the database says: the tiles as far as they are
 * there, the entries behind them. What does not give the root of the checkpoint throws ERR_LOG_DIVERGED.
 */
export async function readLogTree(
  store: Pick<Store, 'read'>,
  { size, rootHash }: Pick<Checkpoint, 'size' | 'rootHash'>,
): Promise<LogTree> {
  const { frontier, growing } = await readTiles(store, size)
  const tree = createLogTree(createTreeBuilder(frontier), growing)
  await extendTree(store, tree, size)
  requireRoot(tree, rootHash)
  return tree
}

/** The tree over what was pruned, out of its tiles, which alone are left of it; empty where nothing was. Throws ERR_LOG_DIVERGED. */
export async function readPrunedTree(store: Pick<Store, 'read'>): Promise<LogTree> {
  const { frontier, growing } = await readPrunedEdge(store, await readPrunedSize(store.read))
  return createLogTree(createTreeBuilder(frontier), growing)
}

/** Appends the entries up to `size`, whatever they are. Throws ERR_LOG_DIVERGED for a gap. */
export async function extendTree(store: Pick<Store, 'read'>, tree: LogTree, size: number): Promise<void> {
  for await (const entries of walkEntries(store, tree.size(), size))
    tree.append(entries.map(({ leafHash }) => leafHash))
}

/** Throws ERR_LOG_DIVERGED. */
export function requireRoot(tree: LogTree, rootHash: Uint8Array): void {
  if (!equalBytes(tree.root(), rootHash)) throw diverged('rewritten', `That is so at size ${tree.size()}.`)
}

interface Edge {
  readonly frontier: Frontier
  readonly growing: GrowingTiles
}

/** As much of a tree of at most `size` leaves as its tiles tell: a multiple of 256. */
async function readTiles(store: Pick<Store, 'read'>, size: number): Promise<Edge> {
  const written = await countWritten(store)
  const pruned = await readPrunedSize(store.read)
  if (pruned > 0 && written * TILE_WIDTH < pruned) return readPrunedEdge(store, pruned)
  const base = Math.min(written, Math.floor(size / TILE_WIDTH)) * TILE_WIDTH
  try {
    return await readEdge(store, base)
  } catch (error) {
    if (!(error instanceof ProofError)) throw error
    // A tile that is not whole: everything follows from the entries, as far as there are any.
    return readPrunedEdge(store, pruned)
  }
}

async function readPrunedEdge(store: Pick<Store, 'read'>, pruned: number): Promise<Edge> {
  try {
    return await readEdge(store, pruned)
  } catch (error) {
    if (!(error instanceof ProofError)) throw error
    throw diverged(
      'gap',
      `Its first ${pruned} entries were pruned, and the tiles that are to be left of them are not whole: bring gatebook_tile back from a backup.`,
    )
  }
}

/** The right edge of the tree of this size, which is a multiple of 256, out of its tiles. Throws a ProofError. */
async function readEdge(store: Pick<Store, 'read'>, base: number): Promise<Edge> {
  // The same bytes for the root, which is compared, and for the tiles that go on from them.
  const reader = rememberTiles(createTreeReader(store.read))
  const growing: GrowingTiles = new Map()
  const frontier = await readFrontier(reader, base)
  for (let level = 1; base >= TILE_WIDTH ** level; level++) {
    const place = Math.floor(base / TILE_WIDTH ** level / TILE_WIDTH)
    const width = tileWidth(level, place, base)
    if (width > 0) growing.set(level, { place, hashes: decodeTile(await reader.readTile(level, place, width), width) })
  }
  return { frontier, growing }
}

/** How many hashes there are at level 1. */
async function countWritten(store: Pick<Store, 'read'>): Promise<number> {
  const row = await store.read((db) =>
    db
      .selectFrom('gatebook_tile')
      .select(['place', 'hashes'])
      .where('level', '=', 1)
      .orderBy('place', 'desc')
      .limit(1)
      .executeTakeFirst(),
  )
  return row === undefined ? 0 : Number(row.place) * TILE_WIDTH + Math.floor(row.hashes.length / 32)
}
