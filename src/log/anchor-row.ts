import { sql } from 'kysely'
import { formatNote, type NoteSignature, parseNote } from '../proof/note.ts'
import { ifAbsent } from '../store/insert-if-absent.ts'
import type { Store } from '../store/store.ts'
import type { AnchorTable } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'
import type { CheckpointPlace } from './checkpoint-row.ts'

/** Nobody has so many. */
const ANCHORS_MAX = 1000

/** How far anchors have come, by name; only these, where they are named. One that has never been tried is not among them. */
export async function listAnchorRows(
  store: Pick<Store, 'read'>,
  names: readonly string[] | null = null,
): Promise<AnchorTable[]> {
  if (names?.length === 0) return []
  const rows = await store.read((db) => {
    const all = db.selectFrom('gatebook_anchor').selectAll()
    return (names === null ? all : all.where('name', 'in', names)).orderBy('name').limit(sql.lit(ANCHORS_MAX)).execute()
  })
  return rows.map((row) => ({
    ...row,
    epoch: Number(row.epoch),
    size: Number(row.size),
    anchored_at: row.anchored_at === null ? null : Number(row.anchored_at),
    failed_at: row.failed_at === null ? null : Number(row.failed_at),
  }))
}

/** Writes that an anchor has this checkpoint. It never goes back: another process may have been faster. */
export async function recordAnchored(store: Store, name: string, place: CheckpointPlace, now: number): Promise<void> {
  const { epoch, size } = place
  await store.transaction(async (tx) => {
    await ensureRow(tx, name)
    await tx.db
      .updateTable('gatebook_anchor')
      .set({ epoch, size, anchored_at: now, failed_at: null, failure: null })
      .where('name', '=', name)
      .where((is) => is.or([is('epoch', '<', epoch), is.and([is('epoch', '=', epoch), is('size', '<=', size)])]))
      .execute()
  })
}

/** Writes why an anchor has failed, and leaves how far it has come. */
export async function recordFailure(store: Store, name: string, failure: string, now: number): Promise<void> {
  await store.transaction(async (tx) => {
    await ensureRow(tx, name)
    await tx.db.updateTable('gatebook_anchor').set({ failed_at: now, failure }).where('name', '=', name).execute()
  })
}

async function ensureRow({ db, traits }: Transaction, name: string): Promise<void> {
  const row = { name, epoch: 0, size: 0, anchored_at: null, failed_at: null, failure: null }
  await ifAbsent(db.insertInto('gatebook_anchor').values(row), traits, 'name').execute()
}

/** Adds signatures to the note of this checkpoint in the database, where it is still the same checkpoint. */
export async function addCosignatures(
  store: Store,
  place: CheckpointPlace,
  note: string,
  more: readonly NoteSignature[],
): Promise<void> {
  await store.transaction(async (tx) => {
    let query = tx.db
      .selectFrom('gatebook_checkpoint')
      .select('note')
      .where('epoch', '=', place.epoch)
      .where('size', '=', place.size)
    if (tx.traits.rowLocks) query = query.forUpdate()
    const row = await query.executeTakeFirst()
    if (row === undefined || parseNote(row.note).text !== parseNote(note).text) return
    const merged = mergeSignatures(row.note, more)
    if (merged === row.note) return
    await tx.db
      .updateTable('gatebook_checkpoint')
      .set({ note: merged })
      .where('epoch', '=', place.epoch)
      .where('size', '=', place.size)
      .execute()
  })
}

/** The note with these signatures as well. Of a key that has signed already, the first signature stays. */
export function mergeSignatures(note: string, more: readonly NoteSignature[]): string {
  const { text, signatures } = parseNote(note)
  const merged = [...signatures]
  for (const signature of more) {
    const { name, keyId } = signature
    if (!merged.some((other) => other.name === name && other.keyId === keyId)) merged.push(signature)
  }
  return merged.length === signatures.length ? note : formatNote({ text, signatures: merged })
}
