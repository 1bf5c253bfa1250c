/**
 * Deletes the beginning of the log, when all of it is older than anything is kept.
 *
 * 1  the plan: reads it all, and finds what stands against it
 * 2  many transactions: the checkpoints that lie in it get their consistency proofs
 * 3  one transaction: `log.pruned`, and the log begins at `pruned` from now on
 * 4  many transactions, oldest first: 256 entries with their events each
 *
 * | killed | left | |
 * |---|---|---|
 * | before step 3 | proofs that nobody needs yet | the next pruning writes them once more |
 * | in step 4 | entries before `pruned`, without a gap | the next pruning goes on, or any server |
 *
 * Tiles stay, at an eighth of a byte for each entry: with them, proofs to all sizes follow from what step 2 has kept.
 * Who places a hold takes turns with steps 3 and 4: from then on nothing goes that it covers.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { PruningReport } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { computeConsistencyProof, verifyConsistency } from '../proof/consistency.ts'
import { ProofError } from '../proof/proof-error.ts'
import { TILE_WIDTH } from '../proof/tile.ts'
import type { EventSource } from '../session/end-sessions.ts'
import { chunks } from '../store/chunks.ts'
import type { CheckpointTable } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'
import { concatBytes } from '../util/bytes.ts'
import { takeTurn } from './forgetting-turn.ts'
import { createHoldCheck } from './hold.ts'
import { rememberTiles } from './kept-proof.ts'
import type { EventLog } from './log.ts'
import { type PlanParts, type PrunePlan, planPruning, readHoldable } from './prune-plan.ts'
import { findAnnouncement, type Read, readFirstIndex, readPrunedSize } from './pruned.ts'
import { scrub } from './scrub.ts'
import { orTampered, tampered } from './tampered.ts'
import { createTreeReader } from './tree-reader.ts'

/** Checkpoints that get their proofs in one transaction. */
const BATCH = 100
/** Between two batches passes this much of the time that one has taken, so that everybody else has the database meanwhile. */
const PAUSE_FACTOR = 2

export interface PruneParts extends PlanParts {
  readonly log: EventLog
}

export interface PruneOptions {
  readonly before?: number
  readonly dryRun?: boolean
  readonly source: EventSource
  /** Ends the run between two batches; the next one goes on. */
  readonly signal: AbortSignal
}

/** Throws ERR_LOG_TAMPERED where what would go is not what was signed, and ERR_CLOSED. */
export async function pruneLog(parts: PruneParts, options: PruneOptions): Promise<PruningReport> {
  const { dryRun = false, before, source, signal } = options
  // Held since it was announced: what is behind it cannot go before.
  const held = dryRun ? null : await removePruned(parts, signal)
  for (;;) {
    const plan = await planPruning(parts, { before: held === null ? before : 0, signal })
    if (held !== null) return reportOf({ ...plan, limit: 'hold', hold: held }, dryRun)
    if (dryRun || plan.first === plan.from) return reportOf(plan, dryRun)
    await keepProofs(parts, plan, signal)
    // Not so when a hold was placed meanwhile, or another process was quicker.
    if (!(await announce(parts, plan, source))) continue
    await removePruned(parts, signal)
    await scrub(parts)
    return reportOf(plan, dryRun)
  }
}

function reportOf(plan: PrunePlan, dryRun: boolean): PruningReport {
  const { from, first, lasting, before, limit, hold } = plan
  return { dryRun, from, first, lasting, before: first === from ? null : before, limit, hold }
}

/** Step 2. What a restored backup has lost is not part of the tree, and gets none. */
async function keepProofs(parts: PruneParts, plan: PrunePlan, signal: AbortSignal): Promise<void> {
  const { store, keys } = parts
  const { from, first, rootHash } = plan
  const reader = rememberTiles(createTreeReader(store.read))
  const prove = async (row: CheckpointTable): Promise<Uint8Array | null> => {
    const about = `the checkpoint of epoch ${row.epoch}, size ${row.size}`
    const checkpoint = await orTampered(about, () => keys.open(row))
    const hashes = await orTampered(about, () => computeConsistencyProof(reader, row.size, first))
    try {
      verifyConsistency(checkpoint, { size: first, rootHash }, hashes)
      return concatBytes(...hashes)
    } catch (error) {
      if (!(error instanceof ProofError)) throw error
      if (row.epoch < plan.epoch) return null
      throw tampered(`${about} does not begin the log: ${error.message}`, error)
    }
  }
  for (let after: CheckpointTable | null = null; ; ) {
    if (signal.aborted) throw new GatebookError('ERR_CLOSED')
    const rows = await readCheckpoints(parts, { from, first }, after)
    const proofs: (Uint8Array | null)[] = []
    for (const row of rows) proofs.push(await prove(row))
    await store.transaction(async ({ db }) => {
      for (const [at, { epoch, size }] of rows.entries()) {
        const query = db.updateTable('gatebook_checkpoint').set({ proof: proofs[at]! })
        await query.where('epoch', '=', epoch).where('size', '=', size).execute()
      }
    }, 'relaxed')
    if (rows.length < BATCH) return
    after = rows.at(-1)!
  }
}

/** The next published ones that lie in what goes, by epoch and size. */
async function readCheckpoints(
  { store }: PruneParts,
  { from, first }: Pick<PrunePlan, 'from' | 'first'>,
  after: CheckpointTable | null,
): Promise<CheckpointTable[]> {
  const rows = await store.read((db) => {
    const query = db
      .selectFrom('gatebook_checkpoint')
      .selectAll()
      .where('published_at', 'is not', null)
      .where('size', '>=', Math.max(1, from))
      .where('size', '<', first)
      .orderBy('epoch')
      .orderBy('size')
      .limit(sql.lit(BATCH))
    if (after === null) return query.execute()
    const { epoch, size } = after
    return query
      .where(({ eb, and, or }) => or([eb('epoch', '>', epoch), and([eb('epoch', '=', epoch), eb('size', '>', size)])]))
      .execute()
  })
  return rows.map((row) => ({ ...row, epoch: Number(row.epoch), size: Number(row.size) }))
}

/** Step 3; false when the plan is not true any more. */
async function announce({ store, log, holds }: PruneParts, plan: PrunePlan, source: EventSource): Promise<boolean> {
  return store.transaction(async (tx) => {
    await takeTurn(tx)
    const known = new Set(plan.holds.map(({ id }) => id))
    if ((await holds.read(tx.db)).some(({ id }) => !known.has(id))) return false
    const { from, first, lasting, before } = plan
    const { numUpdatedRows } = await tx.db
      .updateTable('gatebook_log_state')
      .set({ pruned: first })
      .where('id', '=', 1)
      .where('pruned', '=', from)
      .executeTakeFirstOrThrow()
    if (numUpdatedRows === 0n) return false
    const data = { first, entries: first - from, lasting, before }
    await log.append(tx, [{ ...source, type: 'log.pruned', outcome: 'success', data }])
    return true
  })
}

/** Step 4, to its end, or to a hold, whose id it returns. */
async function removePruned(parts: PlanParts, signal: AbortSignal): Promise<string | null> {
  while (!signal.aborted) {
    const begun = performance.now()
    const result = await removeNext(parts)
    if (result === 'done') return null
    if (result !== 'more') return result.hold
    await sleep((performance.now() - begun) * PAUSE_FACTOR)
  }
  return null
}

/** Goes on with a pruning that was stopped, by 256 entries; true when there may be more. */
export async function continuePruning(
  parts: Pick<PlanParts, 'store' | 'settings' | 'identifiers' | 'holds'>,
): Promise<boolean> {
  if (!(await isUnfinished(parts.store.read))) return false
  const result = await removeNext(parts)
  if (result === 'done') await scrub(parts)
  return result === 'more'
}

type Removal = 'done' | 'more' | { readonly hold: string }

async function removeNext(parts: Pick<PlanParts, 'store' | 'identifiers' | 'holds'>): Promise<Removal> {
  const { store, identifiers } = parts
  if (!(await isUnfinished(store.read))) return 'done'
  return store.transaction(async (tx): Promise<Removal> => {
    await takeTurn(tx)
    const read = <T>(work: (db: Transaction['db']) => Promise<T>): Promise<T> => work(tx.db)
    const first = await readFirstIndex(read)
    const pruned = await readPrunedSize(read)
    // Without an announcement nothing goes, whatever the database says.
    if (first === null || first >= pruned || (await findAnnouncement(read)) !== pruned) return 'done'
    const end = Math.min(pruned, first - (first % TILE_WIDTH) + TILE_WIDTH)
    const rows = await tx.db
      .selectFrom('gatebook_entry')
      .select('event_id')
      .where('log_index', '>=', first)
      .where('log_index', '<', end)
      .execute()
    const ids = rows.map(({ event_id: id }) => id)
    const holds = await parts.holds.read(tx.db)
    if (holds.length > 0) {
      const isHeld = createHoldCheck(holds, identifiers)
      for (const row of (await readHoldable(read, ids)).values()) {
        const hold = isHeld(row)
        if (hold !== null) return { hold }
      }
    }
    for (const chunk of chunks(ids)) await tx.db.deleteFrom('gatebook_event').where('id', 'in', chunk).execute()
    await tx.db.deleteFrom('gatebook_entry').where('log_index', '>=', first).where('log_index', '<', end).execute()
    return end < pruned ? 'more' : 'done'
  }, 'relaxed')
}

/** A look without the turn, which housekeeping would take every few seconds for nothing. */
async function isUnfinished(read: Read): Promise<boolean> {
  const first = await readFirstIndex(read)
  return first !== null && first < (await readPrunedSize(read))
}
