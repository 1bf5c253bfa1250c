import { GatebookError } from '../errors.ts'
import { ifAbsent } from '../store/insert-if-absent.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/transaction.ts'

export interface LockedSubject {
  readonly id: string
  readonly generation: number
  readonly disabledAt: number | null
  /** Then it stands for nobody any more, and nothing that names it may be written. */
  readonly erasedAt: number | null
  readonly credentialVersion: number
}

/**
 * Locks the row of a subject, or makes it: whatever starts or ends all of a user's sessions passes through here, so that a
 * log-in and a disabling at the same moment come one after the other.
 */
export async function lockSubject(tx: Transaction, subjectId: string, now: number): Promise<LockedSubject> {
  const found = await findLocked(tx, subjectId)
  if (found !== null) return found
  await ifAbsent(
    tx.db.insertInto('gatebook_subject').values({
      id: subjectId,
      generation: 0,
      credential_version: 0,
      created_at: now,
      disabled_at: null,
      erased_at: null,
    }),
    tx.traits,
    'id',
  ).execute()
  return (await findLocked(tx, subjectId))!
}

/** The same for what is done to somebody. Throws ERR_USER_NOT_FOUND for a subject that was erased. */
export async function lockLivingSubject(tx: Transaction, subjectId: string, now: number): Promise<LockedSubject> {
  const subject = await lockSubject(tx, subjectId, now)
  if (subject.erasedAt !== null) throw new GatebookError('ERR_USER_NOT_FOUND')
  return subject
}

export async function isErased(store: Store, subjectId: string): Promise<boolean> {
  const row = await store.read((db) =>
    db.selectFrom('gatebook_subject').select('erased_at').where('id', '=', subjectId).executeTakeFirst(),
  )
  return row !== undefined && row.erased_at !== null
}

async function findLocked(tx: Transaction, subjectId: string): Promise<LockedSubject | null> {
  let query = tx.db
    .selectFrom('gatebook_subject')
    .select(['id', 'generation', 'credential_version', 'disabled_at', 'erased_at'])
    .where('id', '=', subjectId)
  if (tx.traits.rowLocks) query = query.forUpdate()
  const row = await query.executeTakeFirst()
  if (row === undefined) return null
  return {
    id: row.id,
    generation: row.generation,
    credentialVersion: row.credential_version,
    disabledAt: row.disabled_at === null ? null : Number(row.disabled_at),
    erasedAt: row.erased_at === null ? null : Number(row.erased_at),
  }
}
