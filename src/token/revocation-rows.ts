import type { Kysely, Selectable } from 'kysely'
import { sql } from 'kysely'
import { chunks } from '../store/chunks.ts'
import type { Store } from '../store/store.ts'
import type { RevocationTable, Tables } from '../store/tables.ts'
import type { NumberRange } from './number-gaps.ts'
import type { RevocationCursor } from './revocation-cursor.ts'
import type { Revocation } from './revoked-sessions.ts'

export interface RevocationRow extends Revocation {
  readonly seq: number
}

export interface RevocationRows {
  /** In the order of their numbers. */
  readonly rows: readonly RevocationRow[]
  /** There may be more behind the last one. */
  readonly more: boolean
}

const BATCH = 1000

/** What has become visible since, also below the largest number. Each range is a look into the index. */
export async function readRevocationRows(
  store: Store,
  { last, missing }: Pick<RevocationCursor, 'last' | 'missing'>,
): Promise<RevocationRows> {
  const rows: RevocationRow[] = []
  const take = async (read: (db: Kysely<Tables>) => Promise<Selectable<RevocationTable>[]>) => {
    rows.push(...(await store.read(read)).map(toRow))
    return rows.length < BATCH
  }
  for (const ranges of chunks(missing)) {
    if (!(await take((db) => readRanges(db, ranges)))) return { rows, more: true }
  }
  const more = !(await take((db) =>
    db
      .selectFrom('gatebook_revocation')
      .selectAll()
      .where('seq', '>', last)
      .orderBy('seq')
      .limit(sql.lit(BATCH))
      .execute(),
  ))
  return { rows, more }
}

async function readRanges(
  db: Kysely<Tables>,
  [first, ...others]: readonly NumberRange[],
): Promise<Selectable<RevocationTable>[]> {
  const select = ({ from, to }: NumberRange) =>
    db.selectFrom('gatebook_revocation').selectAll().where('seq', '>=', from).where('seq', '<=', to)
  // Not one condition with OR, for which a planner may walk through the whole table in the order of the numbers.
  const all = others.reduce((query, range) => query.unionAll(select(range)), select(first!))
  return db.selectFrom(all.as('missed')).selectAll().orderBy('seq').limit(sql.lit(BATCH)).execute()
}

function toRow(row: Selectable<RevocationTable>): RevocationRow {
  return {
    seq: Number(row.seq),
    sessionId: row.session_id,
    ended: row.kind === 'ended',
    generation: row.generation,
    reason: row.reason,
    forgetAt: Number(row.forget_at),
  }
}
