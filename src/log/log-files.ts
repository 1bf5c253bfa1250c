import { sql } from 'kysely'
import type { AnchorHead, LogCheckpoint, LogHead, PublishedCheckpoint } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { encodeBundle } from '../proof/bundle.ts'
import type { Checkpoint } from '../proof/checkpoint.ts'
import { computeLeafHash, HASH_BYTES } from '../proof/hash.ts'
import { type HashReader, type LeafRange, readRanges, splitPoint } from '../proof/hash-reader.ts'
import { verifyInclusion } from '../proof/inclusion.ts'
import { ProofError } from '../proof/proof-error.ts'
import {
  encodeTile,
  formatTilePath,
  parseBundlePath,
  parseTilePath,
  TILE_WIDTH,
  type Tile,
  tileWidth,
} from '../proof/tile.ts'
import type { Store } from '../store/store.ts'
import type { AnchorTable, CheckpointTable } from '../store/tables.ts'
import { encodeBase64 } from '../util/base64.ts'
import { concatBytes, encodeUtf8 } from '../util/bytes.ts'
import { listAnchorRows } from './anchor-row.ts'
import { findNewestCheckpoint, findPublishedCheckpoint, listPublishedCheckpoints } from './checkpoint-row.ts'
import { createKeptProofs } from './kept-proof.ts'
import type { LogKeys } from './log-keys.ts'
import { orTampered, tampered } from './tampered.ts'
import { createTreeReader } from './tree-reader.ts'

/** Entries that are read at once for an export. */
const READ_AT_ONCE = 4 * TILE_WIDTH
const CHECKPOINTS_AT_ONCE = 200

/** The log in the files of C2SP tlog-tiles, out of the database. */
export interface LogFiles {
  head(): Promise<LogHead>
  /**
   * The newest published checkpoint at `checkpoint`, what that covers at `tile/…`, and null for everything else. It is signed,
   * or part of the tree that was signed: what is not is ERR_LOG_TAMPERED, since whoever gets it may keep it for ever.
   */
  read(path: string): Promise<Uint8Array | null>
  /** The leaves from one index to another one, in the groups in which bundles have them. They are not verified. */
  leaves(from: number, to: number): AsyncGenerator<readonly Uint8Array[], void, void>
  /** What was published, by epoch and size, behind this one. They are not verified. */
  checkpoints(after: { readonly epoch: number; readonly size: number }): AsyncGenerator<PublishedCheckpoint, void, void>
}

export function createLogFiles(store: Pick<Store, 'read'>, keys: LogKeys): LogFiles {
  const reader = createTreeReader(store.read)

  async function readState(): Promise<{ readonly size: number; readonly pruned: number }> {
    const row = await store.read((db) =>
      db.selectFrom('gatebook_log_state').select(['size', 'pruned']).where('id', '=', 1).executeTakeFirstOrThrow(),
    )
    return { size: Number(row.size), pruned: Number(row.pruned) }
  }

  async function open(row: CheckpointTable): Promise<LogCheckpoint> {
    const checkpoint = await orTampered(`the checkpoint of size ${row.size}`, () => keys.open(row))
    const { origin, rootHash } = checkpoint
    return { ...toPublished(row), origin, rootHash: encodeBase64(rootHash) }
  }

  async function readLeaves(from: number, to: number): Promise<Uint8Array[]> {
    const rows = await store.read((db) =>
      db
        .selectFrom('gatebook_entry')
        .select(['log_index', 'leaf'])
        .where('log_index', '>=', from)
        .where('log_index', '<', to)
        .orderBy('log_index')
        .limit(sql.lit(READ_AT_ONCE))
        .execute(),
    )
    const gap = rows.findIndex((row, at) => Number(row.log_index) !== from + at)
    if (gap >= 0 || rows.length < to - from) {
      const missing = from + (gap < 0 ? rows.length : gap)
      if (missing < (await readState()).pruned) {
        throw new GatebookError('ERR_ENTRY_PRUNED', { detail: `Entry ${missing}.` })
      }
      throw tampered(`entry ${missing} is missing.`)
    }
    return rows.map(({ leaf }) => leaf)
  }

  /** All hashes that the tile has under the checkpoint; null when it has fewer than are asked for, or was pruned. */
  async function readVerified(
    { level, index, width }: Tile,
    checkpoint: Checkpoint,
    readHashes: (width: number) => Promise<Uint8Array>,
  ): Promise<Uint8Array | null> {
    const available = tileWidth(level, index, checkpoint.size)
    if (available < width) return null
    const about = formatTilePath({ level, index, width: available })
    const end = (index + 1) * TILE_WIDTH ** (level + 1)
    try {
      const bytes = await readHashes(available)
      await orTampered(about, () => verifyTile(reader, { level, index, width: available }, bytes, checkpoint))
      return bytes
    } catch (error) {
      // Whatever is amiss with a tile that may be gone, it is gone.
      if (end <= (await readState()).pruned) return null
      throw error
    }
  }

  return {
    async head() {
      const [signed, published, state, anchors] = await Promise.all([
        findNewestCheckpoint(store),
        findPublishedCheckpoint(store),
        readState(),
        listAnchorRows(store),
      ])
      return {
        ...state,
        signed: signed === null ? null : await open(signed),
        published: published === null ? null : await open(published),
        verifierKeys: await keys.list(signed?.epoch ?? 1),
        anchors: anchors.map(toAnchorHead),
      }
    },

    async read(path) {
      const found = parsePath(path)
      const row = found === null && path !== 'checkpoint' ? null : await findPublishedCheckpoint(store)
      if (row === null) return null
      const checkpoint = await orTampered(`the checkpoint of size ${row.size}`, () => keys.open(row))
      if (found === null) return encodeUtf8(row.note)
      const { tile, isBundle } = found
      const { level, index, width } = tile
      if (!isBundle) {
        const bytes = await readVerified(tile, checkpoint, (available) => reader.readTile(level, index, available))
        return bytes === null ? null : bytes.subarray(0, width * HASH_BYTES)
      }
      let leaves: readonly Uint8Array[] = []
      const hashes = await readVerified(tile, checkpoint, async (available) => {
        leaves = await readLeaves(index * TILE_WIDTH, index * TILE_WIDTH + available)
        return encodeTile(leaves.map(computeLeafHash))
      })
      return hashes === null ? null : encodeBundle(leaves.slice(0, width))
    },

    async *leaves(from, to) {
      for (let at = from; at < to; ) {
        // Up to a multiple of what is read at once, so that groups begin where bundles do.
        const until = Math.min(to, at - (at % READ_AT_ONCE) + READ_AT_ONCE)
        const leaves = await readLeaves(at, until)
        for (let start = at; start < until; ) {
          const end = Math.min(until, start - (start % TILE_WIDTH) + TILE_WIDTH)
          yield leaves.slice(start - at, end - at)
          start = end
        }
        at = until
      }
    },

    async *checkpoints(after) {
      // Of one moment: the proofs of one export have to lead to one size.
      const { pruned } = await readState()
      const kept = createKeptProofs(reader)
      const proveFrom = async (row: CheckpointTable): Promise<Uint8Array | null> => {
        if (row.size >= pruned) return null
        const about = `the proof from the checkpoint of size ${row.size} to ${pruned}`
        const hashes = await orTampered(about, () => kept.prove(row, pruned))
        return hashes === null ? null : concatBytes(...hashes)
      }
      for (let last = after; ; ) {
        const rows = await listPublishedCheckpoints(store, last, CHECKPOINTS_AT_ONCE)
        for (const row of rows) yield { ...toPublished(row), consistency: await proveFrom(row) }
        if (rows.length < CHECKPOINTS_AT_ONCE) return
        last = rows.at(-1)!
      }
    },
  }
}

function toAnchorHead({ name, epoch, size, anchored_at: at, failed_at: failedAt, failure }: AnchorTable): AnchorHead {
  const has = at === null ? { epoch: null, size: null } : { epoch, size }
  return { name, ...has, anchoredAt: at, failedAt, failure }
}

/**
 * Throws a ProofError unless these are the hashes of the tile in the tree of the checkpoint. The path from the last of them up
 * to the root goes over all the others, so one proof is for the whole tile; and from the last one on nothing is ever pruned
 * that the tile is needed for.
 */
async function verifyTile(
  reader: HashReader,
  { level, index, width }: Tile,
  bytes: Uint8Array,
  { size, rootHash }: Checkpoint,
): Promise<void> {
  if (bytes.length !== width * HASH_BYTES) {
    throw new ProofError('ERR_TILE_LENGTH', `${bytes.length} bytes, width ${width}`)
  }
  const own: HashReader = {
    async readTile(otherLevel, otherIndex, otherWidth) {
      if (otherLevel !== level || otherIndex !== index) return reader.readTile(otherLevel, otherIndex, otherWidth)
      return bytes.subarray(0, otherWidth * HASH_BYTES)
    },
  }
  const span = TILE_WIDTH ** level
  const node = index * TILE_WIDTH + width - 1
  // PATH of RFC 6962 down to the subtree of the node, below which there may be nothing left.
  const siblings: LeafRange[] = []
  for (let [start, end] = [0, size]; end - start > span; ) {
    const middle = start + splitPoint(end - start)
    if (node * span < middle) {
      siblings.push([middle, end])
      end = middle
    } else {
      siblings.push([start, middle])
      start = middle
    }
  }
  const path = await readRanges(own, size, siblings.reverse())
  // With subtrees for leaves, it is a proof like any other.
  const nodes = Math.floor((size - 1) / span) + 1
  const leafHash = bytes.subarray((width - 1) * HASH_BYTES, width * HASH_BYTES)
  verifyInclusion({ index: node, size: nodes, leafHash, rootHash }, path)
}

function parsePath(path: string): { readonly tile: Tile; readonly isBundle: boolean } | null {
  try {
    const isBundle = path.startsWith('tile/entries/')
    return { tile: isBundle ? { level: 0, ...parseBundlePath(path) } : parseTilePath(path), isBundle }
  } catch {
    return null
  }
}

function toPublished(row: CheckpointTable): PublishedCheckpoint {
  return {
    epoch: row.epoch,
    size: row.size,
    note: row.note,
    signedAt: row.signed_at,
    publishedAt: row.published_at,
    consistency: null,
  }
}
