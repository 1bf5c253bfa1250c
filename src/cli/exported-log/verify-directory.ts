import { findLeaf, type Leaf } from '../../event/parse-leaf.ts'
import { decodeNote, openByKeys, splitOrigin } from '../../log/exported/epoch-keys.ts'
import { createDirectoryReader, type LogDirectory } from '../../log/exported/log-directory.ts'
import { decodeBundle } from '../../proof/bundle.ts'
import type { Checkpoint } from '../../proof/checkpoint.ts'
import { verifyConsistency } from '../../proof/consistency.ts'
import { computeLeafHash, splitHashes } from '../../proof/hash.ts'
import { readFrontier } from '../../proof/hash-reader.ts'
import type { VerifierKey } from '../../proof/note-key.ts'
import { ProofError } from '../../proof/proof-error.ts'
import {
  formatBundlePath,
  formatTilePath,
  parseBundlePath,
  parseTilePath,
  TILE_WIDTH,
  type Tile,
  tileWidth,
} from '../../proof/tile.ts'
import { createTileRows, type TileContent, verifyTile } from '../../proof/tile-rows.ts'
import { computeRoot, EMPTY_FRONTIER, type Frontier } from '../../proof/tree.ts'
import { createLogWalk } from '../../proof/verify.ts'
import { encodeBase64 } from '../../util/base64.ts'
import { createFindings, type Finding, type Findings } from './findings.ts'

export interface DirectoryReport {
  readonly origin: string | null
  readonly size: number
  /** The first entry that is there. */
  readonly first: number
  readonly rootHash: string | null
  /** What was looked at. */
  readonly entries: number
  readonly tiles: number
  /** Older checkpoints, and those that were handed in, that the entries give. */
  readonly checkpoints: number
  /** Checkpoints of entries that were lost when a backup was restored, by what `log.epoch` tells. */
  readonly lost: readonly Pick<Finding, 'where' | 'says'>[]
  readonly findings: readonly Finding[]
  /** Beyond those that are listed. */
  readonly more: number
}

/** A note from elsewhere that the log has to reproduce: what an anchor has kept. */
export interface KeptNote {
  /** Where it is from, for whoever reads of it. */
  readonly name: string
  readonly note: string
}

export interface VerifyOptions {
  readonly keys: readonly VerifierKey[]
  readonly notes: readonly KeptNote[]
  readonly onProgress?: (done: number, total: number) => void
}

interface Head {
  readonly name: string
  readonly checkpoint: Checkpoint
}

/**
 * Everything that `spec/checkpoint.md` demands of who verifies an exported log, with no more than the folder and the key. What is
 * wrong is a finding; throws ERR_FILE for a file that cannot be read.
 */
export async function verifyDirectory(directory: LogDirectory, options: VerifyOptions): Promise<DirectoryReport> {
  const findings = createFindings()
  const { keys, notes, onProgress } = options
  const target = await openFile(directory, 'checkpoint', keys, findings)
  const nothing = { origin: null, size: 0, first: 0, rootHash: null, entries: 0, tiles: 0, checkpoints: 0, lost: [] }
  if (target === null) return { ...nothing, ...findings.all() }
  const { size } = target
  const first = await findFirst(directory)
  const older = [
    ...(await openOlder(directory, { keys, target, first, findings })),
    ...openNotes(notes, keys, findings),
  ]
  const start = await readStart(directory, { first, size, findings })
  const done = { origin: target.origin, size, first, rootHash: encodeBase64(target.rootHash) }
  if (start === null) return { ...nothing, ...done, ...findings.all() }

  let linked = await linkPruned(directory, older, { first, frontier: start.frontier, findings })
  const within = older.filter(({ checkpoint }) => checkpoint.size >= first && checkpoint.size <= size)
  const walk = createLogWalk([target, ...within.map(({ checkpoint }) => checkpoint)], start.frontier)
  const rows = createTileRows(start.partial)
  const restores: Restore[] = []
  let tiles = 0
  const compare = async (content: TileContent): Promise<void> => {
    await compareTile(directory, content, findings)
    tiles += 1
  }
  let at = first
  while (at < size) {
    const leaves = await readBundle(directory, at, size, findings)
    if (leaves === null) break
    leaves.forEach((leaf, place) => {
      const found = findLeaf(leaf)
      if (found === null) findings.add(`entry ${at + place}`, 'is not in the canonical form of an entry')
      else if (found.type === 'log.epoch') restores.push(...readRestore(found))
    })
    for (const content of rows.append(walk.append(leaves.map(computeLeafHash)))) await compare(content)
    at += leaves.length
    onProgress?.(at - first, size - first)
  }
  const lost: DirectoryReport['lost'][number][] = []
  const tell = ({ name, checkpoint }: Head, says: string): void => {
    const { epoch } = splitOrigin(checkpoint.origin)
    const restore = restores.find((each) => each.epoch > epoch && each.size < checkpoint.size)
    if (restore === undefined) findings.add(name, says)
    else lost.push({ where: name, says: describeLost(checkpoint, restore) })
  }
  if (at === size) {
    for (const content of rows.partial()) await compare(content)
    const names = new Map(
      [{ name: 'checkpoint', checkpoint: target }, ...within].map((head) => [head.checkpoint, head.name]),
    )
    for (const { checkpoint, matches } of walk.results()) {
      const name = names.get(checkpoint)!
      if (!matches) tell({ name, checkpoint }, describeMismatch(checkpoint, target))
      else if (checkpoint !== target) linked += 1
    }
    for (const head of older.filter(({ checkpoint }) => checkpoint.size > size))
      tell(head, describeBeyond(head, target))
  } else findings.add('checkpoint', `cannot be compared: entries are missing from ${at} on`)
  await refuseOthers(directory, { first, size, findings })
  return { ...done, entries: at - first, tiles, checkpoints: linked, lost, ...findings.all() }
}

/** A backup that was restored: the log went on from `size`, in this epoch. */
interface Restore {
  readonly epoch: number
  readonly size: number
}

function readRestore({ reason, data }: Leaf): readonly Restore[] {
  if (reason === 'guard-adopted') return []
  const { epoch, size, restored_size: restored = size } = data ?? {}
  return typeof epoch === 'number' && typeof restored === 'number' ? [{ epoch, size: restored }] : []
}

function describeLost({ origin, size }: Checkpoint, restore: Restore): string {
  const { epoch } = splitOrigin(origin)
  return `covers ${size} entries of epoch ${epoch}, of which those from ${restore.size} on were lost: a backup was restored, and log.epoch tells of it`
}

function describeBeyond({ checkpoint }: Head, target: Checkpoint): string {
  return `covers ${checkpoint.size} entries, and the folder has ${target.size}: it was exported before, or the log was cut short since`
}

function describeMismatch({ origin, size }: Checkpoint, target: Checkpoint): string {
  if (origin === target.origin) return `the first ${size} entries do not give the root that was signed`
  return `the first ${size} entries are not those that were signed in epoch ${splitOrigin(origin).epoch}: a backup was restored, and what came after it is lost`
}

async function openFile(
  directory: LogDirectory,
  name: string,
  keys: readonly VerifierKey[],
  findings: Findings,
): Promise<Checkpoint | null> {
  const bytes = await directory.read(name)
  if (bytes === null) {
    findings.add(name, 'is missing')
    return null
  }
  return findings.unless(name, () => openByKeys(decodeNote(bytes), keys))
}

/** Where the entries begin: at the first bundle that is there. */
async function findFirst(directory: LogDirectory): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for await (const name of directory.list()) {
    const place = tryParse(() => parseBundlePath(name))
    if (place !== null) least = Math.min(least, place.index)
  }
  return Number.isFinite(least) ? least * TILE_WIDTH : 0
}

interface Opening {
  readonly keys: readonly VerifierKey[]
  readonly target: Checkpoint
  readonly findings: Findings
}

async function openOlder(
  directory: LogDirectory,
  { keys, target, findings }: Opening & { readonly first: number },
): Promise<Head[]> {
  const heads: Head[] = []
  for await (const name of directory.list()) {
    if (!/^(checkpoints|earlier)\//.test(name)) continue
    const checkpoint = await openFile(directory, name, keys, findings)
    if (checkpoint === null) continue
    const { origin, size } = checkpoint
    const wanted = origin === target.origin ? `checkpoints/${size}` : `earlier/e${splitOrigin(origin).epoch}/${size}`
    if (name !== wanted)
      findings.add(name, `holds the checkpoint of ${origin} of size ${size}, whose place is ${wanted}`)
    else if (size > target.size) findings.add(name, `covers ${size} entries, and the newest checkpoint ${target.size}`)
    else heads.push({ name, checkpoint })
  }
  return heads
}

function openNotes(notes: readonly KeptNote[], keys: readonly VerifierKey[], findings: Findings): Head[] {
  return notes.flatMap(({ name, note }) => {
    const checkpoint = findings.unless(name, () => openByKeys(note, keys))
    return checkpoint === null ? [] : [{ name, checkpoint }]
  })
}

/** Frontier and right edge of what was pruned; of a log that is whole, nothing. */
async function readStart(
  directory: LogDirectory,
  { first, size, findings }: { readonly first: number; readonly size: number; readonly findings: Findings },
): Promise<{ readonly frontier: Frontier; readonly partial: readonly TileContent[] } | null> {
  if (first === 0) return { frontier: EMPTY_FRONTIER, partial: [] }
  const reader = createDirectoryReader(directory, () => size)
  return findings.unlessAsync('tile', async () => {
    const partial: TileContent[] = []
    for (let level = 1; first >= TILE_WIDTH ** level; level++) {
      const index = Math.floor(first / TILE_WIDTH ** (level + 1))
      const width = tileWidth(level, index, first)
      if (width > 0) partial.push({ tile: { level, index, width }, bytes: await reader.readTile(level, index, width) })
    }
    return { frontier: await readFrontier(reader, first), partial }
  })
}

/** Checkpoints of what was pruned: their consistency with the first entry that is left was kept. Returns how many hold. */
async function linkPruned(
  directory: LogDirectory,
  heads: readonly Head[],
  { first, frontier, findings }: { readonly first: number; readonly frontier: Frontier; readonly findings: Findings },
): Promise<number> {
  let linked = 0
  for (const { name, checkpoint } of heads) {
    if (checkpoint.size >= first) continue
    const proof = await directory.read(`proofs/${name.replace(/^(checkpoints|earlier)\//, '')}`)
    if (proof === null) {
      findings.add(name, `covers ${checkpoint.size} entries; those before ${first} were pruned, and no proof was kept`)
      continue
    }
    const holds = findings.unless(name, () => {
      verifyConsistency(checkpoint, { size: first, rootHash: computeRoot(frontier) }, splitHashes(proof))
      return true
    })
    if (holds === true) linked += 1
  }
  return linked
}

async function readBundle(
  directory: LogDirectory,
  at: number,
  size: number,
  findings: Findings,
): Promise<readonly Uint8Array[] | null> {
  const index = at / TILE_WIDTH
  const width = Math.min(TILE_WIDTH, size - at)
  const name = formatBundlePath({ index, width })
  const bytes = await directory.read(name)
  if (bytes === null) {
    findings.add(name, 'is missing')
    return null
  }
  return findings.unless(name, () => decodeBundle(bytes, width))
}

async function compareTile(directory: LogDirectory, content: TileContent, findings: Findings): Promise<void> {
  const name = formatTilePath(content.tile)
  const stored = await directory.read(name)
  if (stored === null) {
    findings.add(name, 'is missing')
    return
  }
  findings.unless(name, () => {
    verifyTile(stored, content)
    return true
  })
}

async function refuseOthers(
  directory: LogDirectory,
  { first, size, findings }: { readonly first: number; readonly size: number; readonly findings: Findings },
): Promise<void> {
  for await (const name of directory.list()) {
    if (/^(checkpoint|vkey|(checkpoints|earlier|proofs)\/.*)$/.test(name)) continue
    const bundle = tryParse(() => parseBundlePath(name))
    const tile: Tile | null = bundle === null ? tryParse(() => parseTilePath(name)) : { level: 0, ...bundle }
    if (tile === null) findings.add(name, 'does not belong there')
    else if (tile.width !== tileWidth(tile.level, tile.index, size)) {
      findings.add(
        name,
        `is not part of a log of ${size} entries: exporting again removes what an interrupted export has left`,
      )
    } else if ((tile.index + 1) * TILE_WIDTH ** (tile.level + 1) <= first) {
      findings.add(name, `is before entry ${first}, and nothing is left to compare it with`)
    }
  }
}

function tryParse<T>(parse: () => T): T | null {
  try {
    return parse()
  } catch (error) {
    if (error instanceof ProofError) return null
    throw error
  }
}
