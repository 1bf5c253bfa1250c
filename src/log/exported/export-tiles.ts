import type { Gatebook, LogHead, PublishedCheckpoint, RequestContext } from '../../api.ts'
import { GatebookError } from '../../errors.ts'
import { encodeBundle } from '../../proof/bundle.ts'
import type { Checkpoint } from '../../proof/checkpoint.ts'
import { verifyConsistency } from '../../proof/consistency.ts'
import { computeLeafHash, splitHashes } from '../../proof/hash.ts'
import { type HashReader, readFrontier, readRoot } from '../../proof/hash-reader.ts'
import { ProofError } from '../../proof/proof-error.ts'
import { formatBundlePath, formatTilePath, parseBundlePath, TILE_WIDTH, tileWidth } from '../../proof/tile.ts'
import { createTileRows, type TileContent } from '../../proof/tile-rows.ts'
import { computeRoot, type Frontier } from '../../proof/tree.ts'
import { createLogWalk } from '../../proof/verify.ts'
import { encodeUtf8, equalBytes } from '../../util/bytes.ts'
import { decodeNote, openByKeys, parseVerifierKeys, splitOrigin } from './epoch-keys.ts'
import { createDirectoryReader, type LogDirectory, TEMPORARY } from './log-directory.ts'

export interface ExportReport {
  readonly origin: string
  /** Entries that the folder has now, and the first one of those that were added. */
  readonly size: number
  readonly from: number
  /** The first entry that is there; more than 0 where older ones have been pruned. */
  readonly first: number
  readonly checkpoints: number
}

export interface ExportOptions {
  readonly context: RequestContext
  readonly onProgress?: (done: number, total: number) => void
}

type Log = Pick<Gatebook['log'], 'checkpoint' | 'checkpoints' | 'leaves' | 'file'>

/**
 * Writes the log up to its newest published checkpoint into a folder, or adds to the folder what is new since the last time.
 * Full tiles and bundles are written as the entries come, so an export that was interrupted goes on where it was. The
 * checkpoint comes last, and only when the entries give its root and that of every checkpoint that is already there.
 *
 * Throws ERR_LOG_UNPUBLISHED, ERR_LOG_TAMPERED, ERR_ENTRY_PRUNED, ERR_EXPORT_REFUSED, ERR_FILE.
 */
export async function exportTiles(log: Log, directory: LogDirectory, options: ExportOptions): Promise<ExportReport> {
  const head = await log.checkpoint()
  if (head.published === null) throw new GatebookError('ERR_LOG_UNPUBLISHED')
  const keys = parseVerifierKeys(head.verifierKeys.join('\n'))
  const open = (note: string): Checkpoint => openByKeys(note, keys)
  const target = open(head.published.note)
  const old = await readOld(directory, open)
  if (old !== null && old.size > target.size) {
    throw refused(
      `It has ${old.size} entries, and the newest published checkpoint of the log covers ${target.size}: a backup was restored, or the log was cut short. Keep this folder, and export into another one.`,
    )
  }
  const first = await findFirst(directory, head)
  if (old !== null && old.size === target.size && old.origin === target.origin) {
    await tidy(directory, target)
    return { origin: target.origin, size: target.size, from: target.size, first, checkpoints: 0 }
  }
  const { reader, from, partial } = await findStart(log, directory, head, { target, old, first })
  const frontier = await orRefused(() => readFrontier(reader, from))
  const kept = await withOwnProofs(directory, await collectCheckpoints(log, open, target), { target, first })
  if (first === head.pruned && (await log.checkpoint()).pruned !== first) {
    throw new GatebookError('ERR_ENTRY_PRUNED', {
      detail: 'The log was pruned while it was exported. Export it again.',
    })
  }

  const due = kept.filter(({ checkpoint }) => checkpoint.size >= from).map(({ checkpoint }) => checkpoint)
  const walk = createLogWalk([target, ...due, ...(old !== null && old.size >= from ? [old] : [])], frontier)
  const rows = createTileRows(partial)
  const write = ({ tile, bytes }: TileContent): Promise<void> => directory.write(formatTilePath(tile), bytes)
  let done = from
  for await (const leaves of log.leaves({ from, to: target.size }, options.context)) {
    for (const content of rows.append(walk.append(leaves.map(computeLeafHash)))) await write(content)
    // Behind the tiles that it fills: where a bundle is, they are.
    const index = Math.floor(done / TILE_WIDTH)
    await directory.write(formatBundlePath({ index, width: leaves.length }), encodeBundle(leaves))
    done += leaves.length
    options.onProgress?.(done, target.size)
  }
  for (const { checkpoint, matches } of walk.results()) {
    if (matches) continue
    if (checkpoint === old) {
      throw refused(
        `The entries in the database do not give the root of its checkpoint of size ${old.size}: the log was rewritten, or files of the folder were. Check the folder: gatebook log verify.`,
      )
    }
    throw new GatebookError('ERR_LOG_TAMPERED', {
      detail: `The entries do not give the root of the published checkpoint of size ${checkpoint.size}. No checkpoint was written. If the folder may have been changed, export into another one to find out.`,
    })
  }
  for (const content of rows.partial()) await write(content)
  const before = old === null || old.size >= from ? [] : [{ checkpoint: old, consistency: null }]
  await requireEarlier(
    [...kept.map(({ checkpoint, row }) => ({ checkpoint, consistency: row.consistency })), ...before],
    { reader, from, first, frontier },
  )
  const checkpoints = await writeCheckpoints(directory, kept, { target, first })
  await directory.write('vkey', encodeUtf8(`${head.verifierKeys.join('\n')}\n`))
  await directory.write('checkpoint', encodeUtf8(head.published.note), { durable: true })
  await tidy(directory, target)
  return { origin: target.origin, size: target.size, from, first, checkpoints }
}

async function readOld(directory: LogDirectory, open: (note: string) => Checkpoint): Promise<Checkpoint | null> {
  const note = await directory.read('checkpoint')
  if (note === null) return null
  try {
    return open(decodeNote(note))
  } catch (error) {
    if (!(error instanceof ProofError)) throw error
    throw refused(`Its checkpoint is not one of this log: ${error.message} Export into another folder.`)
  }
}

/** The index of the first entry that the folder has, or will have. */
async function findFirst(directory: LogDirectory, { pruned }: LogHead): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for await (const name of directory.list()) {
    if (TEMPORARY.test(name)) continue
    if (!/^(checkpoint|vkey|(tile|checkpoints|earlier|proofs)\/.*)$/.test(name)) {
      throw refused(`It has other files, such as ${name}. Export into an empty folder.`)
    }
    const index = bundleIndex(name)
    if (index !== null) least = Math.min(least, index)
  }
  return Number.isFinite(least) ? least * TILE_WIDTH : pruned
}

interface Start {
  readonly reader: HashReader
  readonly from: number
  /** What the right edge of the tiles is at `from`. */
  readonly partial: readonly TileContent[]
}

async function findStart(
  log: Log,
  directory: LogDirectory,
  { pruned }: LogHead,
  { target, old, first }: { readonly target: Checkpoint; readonly old: Checkpoint | null; readonly first: number },
): Promise<Start> {
  const from = Math.min(await countWritten(directory, first), target.size - (target.size % TILE_WIDTH))
  if (from < pruned) {
    throw refused(
      `It ends at entry ${from}, and the entries up to ${pruned} have been pruned since. Export into another folder.`,
    )
  }
  const isEmpty = from === first
  const own = createDirectoryReader(directory, () => old?.size ?? 0)
  const served: HashReader = {
    async readTile(level, index, width) {
      const path = formatTilePath({ level, index, width })
      const bytes = await log.file(path)
      if (bytes === null) throw new ProofError('ERR_TILE_LENGTH', `${path} is not in the log`)
      return bytes
    },
  }
  const reader = isEmpty && first > 0 ? served : own
  const partial: TileContent[] = []
  for (let level = 1; from >= TILE_WIDTH ** level; level++) {
    const index = Math.floor(from / TILE_WIDTH ** (level + 1))
    const width = tileWidth(level, index, from)
    if (width === 0) continue
    const bytes = await orRefused(() => reader.readTile(level, index, width))
    partial.push({ tile: { level, index, width }, bytes })
  }
  return { reader, from, partial }
}

/** Up to which entry the folder has full bundles, and with them the tiles that these fill. */
async function countWritten(directory: LogDirectory, first: number): Promise<number> {
  const indexes = new Set<number>()
  for await (const name of directory.list()) {
    const index = bundleIndex(name)
    if (index !== null && !name.includes('.p/')) indexes.add(index)
  }
  let next = first / TILE_WIDTH
  while (indexes.has(next)) next += 1
  return next * TILE_WIDTH
}

function bundleIndex(name: string): number | null {
  try {
    return parseBundlePath(name).index
  } catch {
    return null
  }
}

interface KeptCheckpoint {
  readonly checkpoint: Checkpoint
  readonly row: PublishedCheckpoint
}

async function collectCheckpoints(
  log: Log,
  open: (note: string) => Checkpoint,
  target: Checkpoint,
): Promise<readonly KeptCheckpoint[]> {
  const kept: KeptCheckpoint[] = []
  for await (const row of log.checkpoints()) {
    let checkpoint: Checkpoint
    try {
      checkpoint = open(row.note)
    } catch (error) {
      if (!(error instanceof ProofError)) throw error
      throw new GatebookError('ERR_LOG_TAMPERED', {
        detail: `The published checkpoint of size ${row.size}: ${error.message}`,
      })
    }
    const isOther = checkpoint.origin !== target.origin || checkpoint.size !== target.size
    // Of an epoch before, there may be checkpoints of entries that a restored backup did not have.
    if (isOther && checkpoint.size <= target.size) kept.push({ checkpoint, row })
  }
  return kept
}

/** In a folder that was begun before the log was pruned again, proofs lead to where the folder begins. */
async function withOwnProofs(
  directory: LogDirectory,
  kept: readonly KeptCheckpoint[],
  { target, first }: { readonly target: Checkpoint; readonly first: number },
): Promise<readonly KeptCheckpoint[]> {
  const own: KeptCheckpoint[] = []
  for (const { checkpoint, row } of kept) {
    const proof = checkpoint.size < first ? await directory.read(`proofs/${nameOf(checkpoint, target)}`) : null
    own.push({ checkpoint, row: proof === null ? row : { ...row, consistency: proof } })
  }
  return own
}

function nameOf({ origin, size }: Checkpoint, target: Checkpoint): string {
  return origin === target.origin ? String(size) : `e${splitOrigin(origin).epoch}/${size}`
}

/** Checkpoints of before where this began: their roots follow from what is there, or from the proof that was kept. */
async function requireEarlier(
  earlier: readonly { readonly checkpoint: Checkpoint; readonly consistency: Uint8Array | null }[],
  { reader, from, first, frontier }: Omit<Start, 'partial'> & { readonly first: number; readonly frontier: Frontier },
): Promise<void> {
  const start = first === from ? frontier : null
  for (const { checkpoint, consistency } of earlier) {
    if (checkpoint.size >= from) continue
    try {
      if (checkpoint.size >= first) {
        const rootHash = await readRoot(reader, checkpoint.size)
        if (!equalBytes(rootHash, checkpoint.rootHash)) throw new ProofError('ERR_LOG_ROOT')
      } else if (consistency !== null) {
        const at = start ?? (await readFrontier(reader, first))
        verifyConsistency(checkpoint, { size: first, rootHash: computeRoot(at) }, splitHashes(consistency))
      }
    } catch (error) {
      if (!(error instanceof ProofError)) throw error
      throw new GatebookError('ERR_LOG_TAMPERED', {
        detail: `The published checkpoint of size ${checkpoint.size} is not one of the entries that are there: ${error.message}`,
      })
    }
  }
}

/** `checkpoints/<size>`; `earlier/<epoch>/<size>` for those of another origin, and `proofs/…` for those before the first entry. */
async function writeCheckpoints(
  directory: LogDirectory,
  kept: readonly KeptCheckpoint[],
  { target, first }: { readonly target: Checkpoint; readonly first: number },
): Promise<number> {
  let count = 0
  for (const { checkpoint, row } of kept) {
    const { origin, size } = checkpoint
    if (size < first && row.consistency === null) continue
    const name = nameOf(checkpoint, target)
    const path = origin === target.origin ? `checkpoints/${name}` : `earlier/${name}`
    if (size < first) await directory.write(`proofs/${name}`, row.consistency!)
    if ((await directory.read(path)) === null) await directory.write(path, encodeUtf8(row.note))
    count += 1
  }
  return count
}

/** Removes partial files of the size before and what an interrupted export has left. */
async function tidy(directory: LogDirectory, { origin, size }: Checkpoint): Promise<void> {
  const stale: string[] = []
  const older: string[] = []
  for await (const name of directory.list()) {
    if (TEMPORARY.test(name)) stale.push(name)
    if (name.startsWith('checkpoints/')) older.push(name)
    const [, row, place] = /^tile\/(entries|[0-9]+)\/(.*\.p\/[0-9]+)$/.exec(name) ?? []
    if (place === undefined) continue
    const level = row === 'entries' ? 0 : Number(row)
    const length = Math.floor(size / TILE_WIDTH ** level)
    const edge = { level, index: Math.floor(length / TILE_WIDTH), width: length % TILE_WIDTH }
    const wanted = edge.width === 0 ? null : row === 'entries' ? formatBundlePath(edge) : formatTilePath(edge)
    if (name !== wanted) stale.push(name)
  }
  for (const name of stale) await directory.remove(name)
  for (const name of older) await moveToEpoch(directory, name, origin)
}

/** A backup was restored since the last export: what was a checkpoint of the newest origin is one of an earlier one. */
async function moveToEpoch(directory: LogDirectory, name: string, newest: string): Promise<void> {
  const note = await directory.read(name)
  const [origin = ''] = new TextDecoder().decode(note ?? undefined).split('\n', 1)
  const { name: log, epoch } = splitOrigin(origin)
  if (note === null || origin === newest || log !== splitOrigin(newest).name) return
  const size = name.slice('checkpoints/'.length)
  const proof = await directory.read(`proofs/${size}`)
  if (proof !== null) await directory.write(`proofs/e${epoch}/${size}`, proof)
  await directory.write(`earlier/e${epoch}/${size}`, note)
  await directory.remove(name)
  if (proof !== null) await directory.remove(`proofs/${size}`)
}

async function orRefused<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof ProofError)) throw error
    throw refused(
      `Its tiles cannot be gone on from: ${error.message} Check it: gatebook log verify. Or export into another one.`,
    )
  }
}

function refused(detail: string): GatebookError {
  return new GatebookError('ERR_EXPORT_REFUSED', { detail: `The folder cannot be added to. ${detail}` })
}
