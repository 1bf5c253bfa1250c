import { sql } from 'kysely'
import type { Session } from '../api.ts'
import type { Store } from '../store/store.ts'
import type { Clock } from '../util/clock.ts'
import { isId } from '../util/id.ts'
import { toSession } from './session-row.ts'

const LIST_LIMIT = 1000

export interface SessionReader {
  find(sessionId: string): Promise<Session | null>
  /** Live ones, newest first. */
  list(userId: string): Promise<readonly Session[]>
}

export function createSessionReader(store: Store, clock: Clock): SessionReader {
  return {
    async find(sessionId) {
      if (!isId('session', sessionId)) return null
      const row = await store.read((db) =>
        db.selectFrom('gatebook_session').selectAll().where('id', '=', sessionId).executeTakeFirst(),
      )
      return row === undefined ? null : toSession(row)
    },
    async list(userId) {
      const rows = await store.read((db) =>
        db
          .selectFrom('gatebook_session')
          .selectAll()
          .where('subject_id', '=', userId)
          .where('ended_at', 'is', null)
          // Time ends a session; the sweep only writes it down.
          .where('expires_at', '>', clock.now())
          .orderBy('created_at', 'desc')
          .orderBy('id', 'desc')
          .limit(sql.lit(LIST_LIMIT))
          .execute(),
      )
      return rows.map(toSession)
    },
  }
}
