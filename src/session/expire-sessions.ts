import { sql } from 'kysely'
import type { Store } from '../store/store.ts'
import type { Clock } from '../util/clock.ts'
import type { EventSource, SessionEnder } from './end-sessions.ts'

const BATCH = 100

export const SYSTEM_SOURCE: EventSource = { actor: { kind: 'system', id: 'gatebook' } }

/**
 * Ends sessions whose time is over, a few at a time, so that each leaves its session.ended. Two processes do not end one
 * session twice: a row that another transaction holds is skipped. True when there may be more.
 */
export async function expireSessions(store: Store, ender: SessionEnder, clock: Clock): Promise<boolean> {
  const due = await store.read((db) =>
    db
      .selectFrom('gatebook_session')
      .select('id')
      .where('ended_at', 'is', null)
      .where('expires_at', '<=', clock.now())
      .limit(sql.lit(BATCH))
      .execute(),
  )
  if (due.length === 0) return false
  const ended = await store.transaction(async (tx) => {
    let query = tx.db
      .selectFrom('gatebook_session')
      .select(['id', 'subject_id', 'access_expires_at'])
      .where(
        'id',
        'in',
        due.map(({ id }) => id),
      )
      .where('ended_at', 'is', null)
      .where('expires_at', '<=', clock.now())
      .orderBy('id')
    if (tx.traits.rowLocks) query = query.forUpdate().skipLocked()
    const rows = await query.execute()
    await ender.end(tx, rows, 'expired', SYSTEM_SOURCE)
    return rows.length
  })
  return ended === BATCH
}
