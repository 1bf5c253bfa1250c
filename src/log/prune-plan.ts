/**
 * How much of the beginning of the log may go, and that this is what was signed.
 *
 * Everything is decided by the leaves, in blocks of 256: columns can be changed, and events may have expired. The tree over the
 * leaves has to have the hashes that the tiles have, and to lead to the newest published checkpoint: so nobody can have
 * something else deleted by changing what it is taken for.
 */
import { setImmediate as letOthers } from 'node:timers/promises'
import type { PruningLimit } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { isLasting } from '../event/lasting.ts'
import { type Leaf, LeafError, parseLeaf } from '../event/parse-leaf.ts'
import type { Settings } from '../options.ts'
import { computeConsistencyProof, verifyConsistency } from '../proof/consistency.ts'
import { computeLeafHash, HASH_BYTES } from '../proof/hash.ts'
import { type HashReader, readFrontier } from '../proof/hash-reader.ts'
import { TILE_WIDTH, tileWidth } from '../proof/tile.ts'
import { computeRoot, createTreeBuilder, type Frontier, type TileHash } from '../proof/tree.ts'
import type { RowSeal } from '../secret/row-seal.ts'
import { chunks } from '../store/chunks.ts'
import type { Store } from '../store/store.ts'
import type { IdentifierKeys } from '../user/identifier.ts'
import { equalBytes } from '../util/bytes.ts'
import { largest } from '../util/largest.ts'
import { findPublishedCheckpoint } from './checkpoint-row.ts'
import { type EntryRow, readEntries } from './entry-walk.ts'
import { createHoldCheck, type HoldableRow, type HoldRow } from './hold.ts'
import type { HoldReader } from './hold-reader.ts'
import { rememberTiles } from './kept-proof.ts'
import type { LogKeys } from './log-keys.ts'
import { type Read, readPrunedSize } from './pruned.ts'
import { boundaryOf, readPolicy } from './retention-policy.ts'
import { orTampered, tampered } from './tampered.ts'
import { createTreeReader } from './tree-reader.ts'

export interface PlanParts {
  readonly store: Store
  readonly settings: Settings
  readonly identifiers: IdentifierKeys
  readonly seal: RowSeal
  readonly holds: HoldReader
  readonly keys: LogKeys
}

export interface PrunePlan {
  readonly from: number
  /** A multiple of 256; `from` when nothing may go. */
  readonly first: number
  readonly lasting: number
  /** Behind the instant of everything that goes; 0 when nothing may. */
  readonly before: number
  readonly limit: PruningLimit
  readonly hold: string | null
  /** Root of the tree of the first `first` entries. */
  readonly rootHash: Uint8Array
  /** Epoch of the newest published checkpoint. */
  readonly epoch: number
  readonly holds: readonly HoldRow[]
}

/** Throws ERR_LOG_TAMPERED, and ERR_CLOSED when the signal is aborted. */
export async function planPruning(
  parts: PlanParts,
  { before = Number.MAX_SAFE_INTEGER, signal }: { readonly before?: number | undefined; readonly signal: AbortSignal },
): Promise<PrunePlan> {
  const { store, settings, keys } = parts
  const reader = rememberTiles(createTreeReader(store.read))
  const from = await readPrunedSize(store.read)
  const holds = await store.read(parts.holds.read)
  const published = await findPublishedCheckpoint(store)
  const start = await orTampered(`the tiles of the first ${from} entries`, () => readFrontier(reader, from))
  const nothing = { from, first: from, lasting: 0, before: 0, hold: null, rootHash: computeRoot(start), holds }
  if (published === null) return { ...nothing, limit: 'checkpoint', epoch: 0 }
  const { epoch, size } = published
  const checkpoint = await orTampered(`the checkpoint of size ${size}`, () => keys.open(published))
  const anchored = await readAnchored(store, settings, epoch)
  const end = Math.min(size, anchored ?? size)
  const boundary = Math.min(before, await readFloor(parts))
  const walk = createWalk(start)
  let stopped: Stop | null = null
  while (stopped === null) {
    // On SQLite a read is done before it returns: without this nobody else in the process would have a turn.
    await letOthers()
    if (signal.aborted) throw new GatebookError('ERR_CLOSED')
    stopped = await takeNext(parts, walk, { end, boundary, holds, reader })
  }
  const { first, frontier, lasting, newest } = walk.safe()
  const limit = first < walk.size() ? 'epoch' : stopped.limit === 'checkpoint' && end < size ? 'anchor' : stopped.limit
  const hold = limit === 'hold' ? stopped.hold : null
  if (first === from) return { ...nothing, limit, hold, epoch }
  const rootHash = computeRoot(frontier)
  await orTampered(`the first ${first} entries under the checkpoint of size ${size}`, async () =>
    verifyConsistency({ size: first, rootHash }, checkpoint, await computeConsistencyProof(reader, first, size)),
  )
  return { from, first, lasting, before: newest + 1, limit, hold, rootHash, epoch, holds }
}

/** The end of the longest period of all, in UTC; 0 where something is kept for ever. */
async function readFloor(parts: PlanParts): Promise<number> {
  const periods = Object.values(await readPolicy(parts))
  const days = periods.includes(0) ? 0 : Math.max(...periods)
  return boundaryOf({ days }, parts.settings.clock.now())
}

/** As far as an anchor has the log of this epoch; null where there are none. */
async function readAnchored(store: Store, { attach, anchors }: Settings, epoch: number): Promise<number | null> {
  if (!attach && anchors.length === 0) return null
  const rows = await store.read((db) => db.selectFrom('gatebook_anchor').selectAll().execute())
  // A command beside the server has no anchors of its own, and goes by what the server has tried.
  if (anchors.length === 0 && rows.length === 0) return null
  const there = rows.filter((row) => row.anchored_at !== null && Number(row.epoch) === epoch)
  return largest(there.map(({ size }) => Number(size)))
}

interface Stop {
  readonly limit: 'retention' | 'hold' | 'checkpoint'
  readonly hold: string | null
}

interface Bounds {
  readonly end: number
  /** Everything has to be older. */
  readonly boundary: number
  readonly holds: readonly HoldRow[]
  readonly reader: HashReader
}

/** Takes the next block; what stands against it, and null when it was taken. */
async function takeNext(parts: PlanParts, walk: Walk, { end, boundary, holds, reader }: Bounds): Promise<Stop | null> {
  const at = walk.size()
  const until = Math.min(end, at + TILE_WIDTH)
  const rows = await readEntries(parts.store, at, until)
  const leaves = rows.map((row, place) => readLeafOf(row, at + place))
  if (leaves.length < until - at) throw tampered(`entry ${at + leaves.length} is missing.`)
  if (leaves.some((leaf) => leaf.at >= boundary)) return { limit: 'retention', hold: null }
  const hold = await findHold(parts, leaves, holds)
  if (hold !== null) return { limit: 'hold', hold }
  if (leaves.length < TILE_WIDTH) return { limit: 'checkpoint', hold: null }
  const hashes = walk.take(
    leaves,
    rows.map(({ leaf }) => leaf),
  )
  await compareTiles(reader, hashes)
  return null
}

function readLeafOf(row: EntryRow, index: number): Leaf {
  if (Number(row.log_index) !== index) throw tampered(`entry ${index} is missing.`)
  try {
    const leaf = parseLeaf(row.leaf)
    if (leaf.id === row.event_id) return leaf
  } catch (error) {
    if (!(error instanceof LeafError)) throw error
  }
  throw tampered(`entry ${index}: the leaf is that of another event, or is none.`)
}

/** A hold that covers one of them. Whom an event was about that is gone, nobody can tell; its time stands in the leaf. */
async function findHold(
  { store, identifiers }: PlanParts,
  leaves: readonly Leaf[],
  holds: readonly HoldRow[],
): Promise<string | null> {
  if (holds.length === 0) return null
  const isHeld = createHoldCheck(holds, identifiers)
  const rows = await readHoldable(
    store.read,
    leaves.map(({ id }) => id),
  )
  for (const { id, at } of leaves) {
    const row = rows.get(id)
    const hold = (row === undefined ? null : isHeld(row)) ?? isHeld({ at, subject_id: null })
    if (hold !== null) return hold
  }
  return null
}

export async function readHoldable(read: Read, ids: readonly string[]): Promise<ReadonlyMap<string, HoldableRow>> {
  const found = new Map<string, HoldableRow>()
  for (const chunk of chunks(ids)) {
    const rows = await read((db) =>
      db
        .selectFrom('gatebook_event')
        .select(['id', 'at', 'subject_id', 'actor_id', 'identifier_hmac'])
        .where('id', 'in', chunk)
        .execute(),
    )
    for (const row of rows) found.set(row.id, { ...row, at: Number(row.at) })
  }
  return found
}

/** Proofs are made of the tiles when the entries are gone: they have to be right before. */
async function compareTiles(reader: HashReader, hashes: readonly TileHash[]): Promise<void> {
  for (const { level, index, hash } of hashes) {
    if (level === 0) continue
    const place = Math.floor(index / TILE_WIDTH)
    const slot = index % TILE_WIDTH
    const bytes = await reader.readTile(level, place, tileWidth(level, place, (index + 1) * TILE_WIDTH ** level))
    if (!equalBytes(bytes.subarray(slot * HASH_BYTES, (slot + 1) * HASH_BYTES), hash)) {
      throw tampered(`the tile of level ${level}, place ${place}: hash ${slot} is not that of the entries.`)
    }
  }
}

interface Safe {
  readonly first: number
  readonly frontier: Frontier
  readonly lasting: number
  readonly newest: number
}

interface Walk {
  size(): number
  /** A block that may go; the hashes that it makes. */
  take(leaves: readonly Leaf[], bytes: readonly Uint8Array[]): readonly TileHash[]
  /** The largest prefix that may go. */
  safe(): Safe
}

function createWalk(start: Frontier): Walk {
  const builder = createTreeBuilder(start)
  let [lasting, newest, lost] = [0, 0, 0]
  let safe: Safe = { first: start.size, frontier: start, lasting, newest }
  return {
    size: builder.size,
    take(leaves, bytes) {
      for (const { at, type, data } of leaves) {
        newest = Math.max(newest, at)
        if (isLasting(type, data)) lasting += 1
        // What was signed and lost with a restored backup is explained by its event: that goes when none of it is looked for.
        if (type === 'log.epoch' && typeof data?.previous_size === 'number') lost = Math.max(lost, data.previous_size)
      }
      const hashes = builder.append(bytes.map(computeLeafHash))
      const first = builder.size()
      if (lost <= first) safe = { first, frontier: builder.frontier(), lasting, newest }
      return hashes
    },
    safe: () => safe,
  }
}
