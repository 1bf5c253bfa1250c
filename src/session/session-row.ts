import type { Selectable } from 'kysely'
import type { Session } from '../api.ts'
import type { SessionEndReason } from '../event/catalogue.ts'
import type { SessionTable } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'
import { isId } from '../util/id.ts'

export type SessionRow = Selectable<SessionTable>

export function toSession(row: SessionRow): Session {
  return {
    id: row.id,
    userId: row.subject_id,
    createdAt: Number(row.created_at),
    lastUsedAt: Number(row.last_used_at),
    refreshCount: Number(row.refresh_counter),
    expiresAt: Number(row.expires_at),
    endedAt: row.ended_at === null ? null : Number(row.ended_at),
    endReason: row.end_reason as SessionEndReason | null,
    ip: row.ip,
    userAgent: row.user_agent,
    deviceId: row.device_id,
    method: row.method,
  }
}

/** Locks the row, so that two requests with one session come one after the other. */
export async function lockSession(tx: Transaction, sessionId: string): Promise<SessionRow | null> {
  // Whatever else is asked for is not there, and not every engine can be asked for it.
  if (!isId('session', sessionId)) return null
  let query = tx.db.selectFrom('gatebook_session').selectAll().where('id', '=', sessionId)
  if (tx.traits.rowLocks) query = query.forUpdate()
  return (await query.executeTakeFirst()) ?? null
}

/** Locks the live sessions of a subject; `except` is left out. */
export async function lockLiveSessions(
  tx: Transaction,
  subjectId: string,
  except?: string,
): Promise<readonly SessionRow[]> {
  let query = tx.db
    .selectFrom('gatebook_session')
    .selectAll()
    .where('subject_id', '=', subjectId)
    .where('ended_at', 'is', null)
    .orderBy('id')
  if (except !== undefined) query = query.where('id', '!=', except)
  if (tx.traits.rowLocks) query = query.forUpdate()
  return query.execute()
}
