import type { Kysely } from 'kysely'
import type { Tables } from '../../../src/store/tables.ts'

const TABLES = [
  'gatebook_event',
  'gatebook_entry',
  'gatebook_queue',
  'gatebook_log_state',
  'gatebook_tile',
  'gatebook_checkpoint',
] as const

/** The tables of the log as they are; the returned function brings them back. */
export async function takeSnapshot(kysely: Kysely<Tables>): Promise<() => Promise<void>> {
  const kept = new Map<string, Record<string, unknown>[]>()
  for (const table of TABLES) {
    const rows = (await kysely.selectFrom(table).selectAll().execute()) as Record<string, unknown>[]
    // It is computed by the database.
    kept.set(
      table,
      rows.map(({ time_utc: _computed, ...row }) => row),
    )
  }
  return async () => {
    for (const table of TABLES) {
      await kysely.deleteFrom(table).execute()
      const rows = kept.get(table)!
      for (let at = 0; at < rows.length; at += 50) {
        await kysely
          .insertInto(table)
          .values(rows.slice(at, at + 50) as never)
          .execute()
      }
    }
  }
}
