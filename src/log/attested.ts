import { findDifference, type StoredColumns } from '../event/compare-columns.ts'
import { LeafError, parseLeaf } from '../event/parse-leaf.ts'
import { listChunks } from '../store/chunks.ts'
import type { Transaction } from '../store/transaction.ts'
import type { MacCheck } from './entry-walk.ts'
import { computeLeafHash } from './leaf.ts'
import { EVIDENCE_COLUMNS } from './reconcile/evidence.ts'

/**
 * The numbers of those events that are in the log, or wait for their place in it, as what their rows say. A row that somebody has
 * written into the table has no entry; an entry that somebody has written stops the signing, and is found by the audit, so that its
 * MAC is not asked for: the version that it was made with may be gone.
 */
export async function findAttested(
  { db, traits }: Transaction,
  isGenuine: MacCheck,
  numbers: readonly number[],
): Promise<ReadonlySet<number>> {
  const attested = new Set<number>()
  for (const chunk of listChunks(numbers)) {
    const rows = await db.selectFrom('gatebook_event').select(EVIDENCE_COLUMNS).where('number', 'in', chunk).execute()
    if (rows.length === 0) continue
    const leaves = new Map<string, Uint8Array>()
    const ids = listChunks(rows.map(({ id }) => id))[0]!
    if (traits.queued) {
      const waiting = await db
        .selectFrom('gatebook_queue')
        .select(['event_id', 'leaf', 'mac'])
        .where('event_id', 'in', ids)
        .where('rejected_at', 'is', null)
        .execute()
      for (const { event_id: id, leaf, mac } of waiting) {
        if (isGenuine(id, computeLeafHash(leaf), mac)) leaves.set(id, leaf)
      }
    }
    // Behind the queue: what gets its place between the two stands here.
    const entries = await db
      .selectFrom('gatebook_entry')
      .select(['event_id', 'leaf'])
      .where('event_id', 'in', ids)
      .execute()
    for (const { event_id: id, leaf } of entries) leaves.set(id, leaf)
    for (const row of rows) {
      const leaf = leaves.get(row.id)
      if (leaf !== undefined && isOf(leaf, row as StoredColumns)) attested.add(Number(row.number))
    }
  }
  return attested
}

function isOf(leaf: Uint8Array, row: StoredColumns): boolean {
  try {
    return findDifference(parseLeaf(leaf), row) === null
  } catch (error) {
    if (error instanceof LeafError) return false
    throw error
  }
}
