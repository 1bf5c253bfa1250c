import { ifAbsent } from '../store/insert-if-absent.ts'
import type { RetentionTable } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'

export type RetentionState = RetentionTable

const LOCK = 'lock'

/**
 * All forgetting takes turns at one row: batches of every process, and whoever places a hold, so that none goes when a hold
 * has been acknowledged. A log-in never touches it.
 */
export async function takeTurn(tx: Transaction): Promise<void> {
  if (!tx.traits.rowLocks || (await lock(tx))) return
  await ensureState(tx, LOCK)
  await lock(tx)
}

async function lock(tx: Transaction): Promise<boolean> {
  const query = tx.db.selectFrom('gatebook_retention').select('name').where('name', '=', LOCK)
  return (await query.forUpdate().executeTakeFirst()) !== undefined
}

export async function readState(db: Transaction['db'], name: string): Promise<RetentionState> {
  const row = await db.selectFrom('gatebook_retention').selectAll().where('name', '=', name).executeTakeFirst()
  if (row === undefined) return { name, before_at: 0, done_at: 0, done_key: '' }
  return { ...row, before_at: Number(row.before_at), done_at: Number(row.done_at) }
}

/** In a transaction that has the turn. */
export async function writeState(tx: Transaction, { name, ...change }: RetentionState): Promise<void> {
  await ensureState(tx, name)
  await tx.db.updateTable('gatebook_retention').set(change).where('name', '=', name).execute()
}

/** Everything is looked at once more, and announced: what was held may be due for long. */
export async function restartRules(tx: Transaction): Promise<void> {
  await tx.db
    .updateTable('gatebook_retention')
    .set({ before_at: 0, done_at: 0, done_key: '' })
    .where('name', '<>', LOCK)
    .execute()
}

async function ensureState(tx: Transaction, name: string): Promise<void> {
  const row = { name, before_at: 0, done_at: 0, done_key: '' }
  await ifAbsent(tx.db.insertInto('gatebook_retention').values(row), tx.traits, 'name').execute()
}
