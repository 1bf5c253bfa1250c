import { sql } from 'kysely'
import type { Transaction } from '../store/transaction.ts'

/** Of a store, or in a transaction. */
export type Read = <T>(work: (db: Transaction['db']) => Promise<T>) => Promise<T>

/** The first so many entries are gone, or about to go. */
export async function readPrunedSize(read: Read): Promise<number> {
  const { pruned } = await read((db) =>
    db.selectFrom('gatebook_log_state').select('pruned').where('id', '=', 1).executeTakeFirstOrThrow(),
  )
  return Math.max(0, Number(pruned))
}

/** The place of the first entry that is there; null when there is none. */
export async function readFirstIndex(read: Read): Promise<number | null> {
  const row = await read((db) =>
    db.selectFrom('gatebook_entry').select('log_index').orderBy('log_index').limit(sql.lit(1)).executeTakeFirst(),
  )
  return row === undefined ? null : Number(row.log_index)
}

/** Up to which entry the newest `log.pruned` says that the log was pruned, by its row alone; null when there is none. */
export async function findAnnouncement(read: Read): Promise<number | null> {
  const row = await read((db) =>
    db
      .selectFrom('gatebook_event')
      .select('data')
      .where('type', '=', 'log.pruned')
      .orderBy('number', 'desc')
      .limit(sql.lit(1))
      .executeTakeFirst(),
  )
  try {
    const { first } = JSON.parse(row?.data ?? '{}') as { readonly first?: unknown }
    return typeof first === 'number' ? first : null
  } catch {
    return null
  }
}
