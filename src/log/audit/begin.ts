import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { GatebookError } from '../../errors.ts'
import { readFrontier } from '../../proof/hash-reader.ts'
import { ProofError } from '../../proof/proof-error.ts'
import { TILE_WIDTH } from '../../proof/tile.ts'
import { EMPTY_FRONTIER, type Frontier } from '../../proof/tree.ts'
import type { Store } from '../../store/store.ts'
import { largest } from '../../util/largest.ts'
import { readNoteFile } from '../note-file.ts'
import { findAnnouncement, readFirstIndex, readPrunedSize } from '../pruned.ts'
import { createTreeReader } from '../tree-reader.ts'
import type { AuditParts } from './audit.ts'
import { type AuditState, createAuditState } from './audit-state.ts'
import { type KnownHead, openRow, readNewestRows } from './checkpoint-stream.ts'
import type { FindingCode } from './findings.ts'
import type { LogVerifier } from './log-verifier.ts'
import { checkPrunedTiles } from './pruned-tiles.ts'
import type { Report } from './report.ts'

/** What was found before there is a state to keep it in. */
export type Early = readonly [code: FindingCode, detail: string][]
type Add = Pick<Report, 'add'>

/** A signer has so long to write down a checkpoint that its guard has. */
const GRACE_TRIES = 10
const GRACE_MILLISECONDS = 200

/** What the auditor brings along. */
export interface Given {
  /** By size. */
  readonly heads: readonly KnownHead[]
  readonly early: Early
  /** Digest of it all, with the name of the database. */
  readonly inputs: string
}

/** Reads and verifies the checkpoints of the files. Throws ERR_AUDIT_INPUT and ERR_FILE. */
export async function readGiven({ store, verifier, vkeys, files }: AuditParts): Promise<Given> {
  const heads: KnownHead[] = []
  const early: [FindingCode, string][] = []
  const digest = createHash('sha256').update(`${await readDatabaseName(store)}\n${vkeys.join('\n')}\n`)
  if (files.length > 0 && verifier === null) {
    throw new GatebookError('ERR_AUDIT_INPUT', { detail: 'There is no key to verify the given checkpoints with.' })
  }
  for (const path of files) {
    for await (const { note, file, line } of readNoteFile(path)) {
      digest.update(`${note}\n`)
      const place = `${file}:${line}`
      try {
        heads.push({ ...verifier!.open(note), source: 'file', place })
      } catch (error) {
        if (!(error instanceof ProofError)) throw error
        early.push(['anchor-forged', `${place}: ${error.code}`])
      }
    }
  }
  heads.sort((a, b) => a.size - b.size)
  return { heads, early, inputs: digest.digest('base64url') }
}

async function readDatabaseName(store: Store): Promise<string> {
  const row = await store.read((db) =>
    db.selectFrom('gatebook_meta').select('value').where('name', '=', 'database').executeTakeFirst(),
  )
  return row?.value ?? ''
}

/** Fixes what is looked at: what is signed and appended from here on is left to the next audit. */
export async function begin(
  parts: AuditParts,
  { heads, early, inputs }: Given,
): Promise<{ readonly state: AuditState; readonly early: Early }> {
  const { store, verifier } = parts
  const found = [...early]
  const report: Add = { add: (code, detail) => void found.push([code, detail]) }
  const note = await readGuard(parts, report)
  const guard = note === null || verifier === null ? null : openGuardNote(note, verifier, report)
  const rows = await readNewestRows(store)
  const newest = verifier === null ? [] : rows.flatMap((row) => openRow(row, verifier, { add() {} }) ?? [])
  if (guard !== null) await demandRow(store, guard, report)
  const size = await readSize(store, report)
  const { pruned, announced } = await readPruned(store, report)
  const known = [...heads, ...newest, ...(guard === null ? [] : [guard])]
  const epoch = largest(known.map((head) => head.epoch))
  // Of an earlier epoch, what is behind the restored backup vouches for nothing.
  const sizes = known.filter((head) => head.epoch === epoch && head.size <= size).map((head) => head.size)
  const [newestRow] = newest
  if (verifier === null) report.add('no-key', '')
  else if (known.length === 0) report.add('no-checkpoint', '')
  const frontier = await readStart(store, pruned, report)
  await checkPrunedTiles(store, pruned, report)
  const state = createAuditState(
    {
      inputs,
      size,
      pruned,
      announced,
      recorded: newestRow === undefined ? 0 : Math.min(newestRow.size, size),
      covered: largest(sizes),
      epochs: rows.map((row) => [Number(row.epoch), Number(row.size)] as const),
      guard: guard === null ? null : note,
    },
    frontier ?? EMPTY_FRONTIER,
  )
  if (frontier === null) state.broken = pruned
  return { state, early: found }
}

/** The note of the guard of an audit that goes on. */
export function openGuardNote(note: string, verifier: LogVerifier, report: Add): KnownHead | null {
  try {
    return { ...verifier.open(note), source: 'guard', place: 'the guard' }
  } catch (error) {
    if (!(error instanceof ProofError)) throw error
    report.add('guard-forged', error.code)
    return null
  }
}

async function readGuard({ readGuardNote }: AuditParts, report: Add): Promise<string | null> {
  try {
    const note = await readGuardNote()
    if (note === null) report.add('guard-unread', '')
    return note
  } catch (error) {
    report.add('guard-unread', (error as NodeJS.ErrnoException).code ?? '')
    return null
  }
}

/** The guard is written before the database has the checkpoint. */
async function demandRow(store: Store, guard: KnownHead, report: Add): Promise<void> {
  if (guard.size === 0) return
  for (let attempt = 0; ; attempt++) {
    const [newest] = await readNewestRows(store)
    const has =
      newest !== undefined &&
      (Number(newest.epoch) > guard.epoch ||
        (Number(newest.epoch) === guard.epoch && Number(newest.size) >= guard.size))
    if (has) return
    if (attempt === GRACE_TRIES) {
      const there =
        newest === undefined ? 'there is none' : `the newest is of epoch ${newest.epoch}, size ${newest.size}`
      report.add('checkpoint-missing', `the guard is of epoch ${guard.epoch}, size ${guard.size}, and ${there}`)
      return
    }
    await sleep(GRACE_MILLISECONDS)
  }
}

/** The number of entries by their places, compared with what the database says it is. */
async function readSize(store: Store, report: Add): Promise<number> {
  const read = async (): Promise<number> => {
    const { size } = await store.read((db) =>
      db.selectFrom('gatebook_log_state').select('size').where('id', '=', 1).executeTakeFirstOrThrow(),
    )
    return Number(size)
  }
  const before = await read()
  const last = await store.read((db) =>
    db
      .selectFrom('gatebook_entry')
      .select('log_index')
      .orderBy('log_index', 'desc')
      .limit(sql.lit(1))
      .executeTakeFirst(),
  )
  const entries = last === undefined ? 0 : Number(last.log_index) + 1
  const after = await read()
  // The log grows meanwhile.
  if (entries < before || entries > after) {
    report.add('size-differs', `the size is ${after}, and the last entry is ${entries - 1}`)
  }
  return entries
}

/**
 * Where the entries begin. What is being deleted under a `log.pruned`, oldest first, is looked at for as long as it is there.
 * Whether the log has that event is asked at the end.
 */
async function readPruned(store: Store, report: Add): Promise<{ readonly pruned: number; readonly announced: number }> {
  const announced = await readPrunedSize(store.read)
  const first = await readFirstIndex(store.read)
  if (first === null || first >= announced) return { pruned: announced, announced }
  if (first % TILE_WIDTH === 0 && (await findAnnouncement(store.read)) === announced)
    return { pruned: first, announced }
  report.add('entry-superfluous', `entry ${first}, and the log begins at ${announced}`)
  return { pruned: announced, announced }
}

/** What the tiles say is left of what was pruned; the root of a checkpoint tells whether it is right. */
async function readStart(store: Store, pruned: number, report: Add): Promise<Frontier | null> {
  if (pruned === 0) return EMPTY_FRONTIER
  try {
    return await readFrontier(createTreeReader(store.read), pruned)
  } catch (error) {
    if (!(error instanceof ProofError)) throw error
    report.add('tile-missing', `those of the first ${pruned} entries, which were pruned`)
    return null
  }
}
