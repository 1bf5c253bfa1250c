import type { Selectable } from 'kysely'
import type { Session } from '../api.ts'
import type { SessionEndReason } from '../event/catalogue.ts'
import { chunks } from '../store/chunks.ts'
import type { Store } from '../store/store.ts'
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
    clientId: row.client_id,
    parentId: row.parent_id,
  }
}

/** As it is at this moment, which may be over when it is looked at. */
export async function readSession(store: Store, sessionId: string): Promise<SessionRow | null> {
  // Whatever else is asked for is not there, and not every engine can be asked for it.
  if (!isId('session', sessionId)) return null
  const row = await store.read((db) =>
    db.selectFrom('gatebook_session').selectAll().where('id', '=', sessionId).executeTakeFirst(),
  )
  return row ?? null
}

/** Of which application; null for who logged in at Gatebook itself, and where there is no such session. */
export async function readSessionClient(store: Store, sessionId: string): Promise<string | null> {
  return (await readSession(store, sessionId))?.client_id ?? null
}

export function isLiveSession(session: SessionRow | null, now: number): session is SessionRow {
  return session !== null && session.ended_at === null && Number(session.expires_at) > now
}

/** Locks the row, so that two requests with one session come one after the other. */
export async function lockSession(tx: Transaction, sessionId: string): Promise<SessionRow | null> {
  if (!isId('session', sessionId)) return null
  let query = tx.db.selectFrom('gatebook_session').selectAll().where('id', '=', sessionId)
  if (tx.traits.rowLocks) query = query.forUpdate()
  return (await query.executeTakeFirst()) ?? null
}

/** When the password was shown: for a session by hand-over, before it began. */
export function authenticatedAt(row: Pick<SessionRow, 'authenticated_at' | 'created_at'>): number {
  return Number(row.authenticated_at ?? row.created_at)
}

/** Locks those of these that are live, in the order of their ids, as everybody does who locks several. */
export async function lockLive(tx: Transaction, ids: readonly string[]): Promise<readonly SessionRow[]> {
  const rows: SessionRow[] = []
  for (const chunk of chunks([...ids].sort())) {
    let query = tx.db.selectFrom('gatebook_session').selectAll().where('id', 'in', chunk).where('ended_at', 'is', null)
    query = query.orderBy('id')
    if (tx.traits.rowLocks) query = query.forUpdate()
    rows.push(...(await query.execute()))
  }
  return rows
}

/** Of a subject, the ids of live sessions that came of this one by hand-over. Locks nothing. */
export async function findHandedOver(
  { db }: Pick<Transaction, 'db'>,
  subjectId: string,
  parentId: string,
): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('gatebook_session')
    .select('id')
    .where('subject_id', '=', subjectId)
    .where('ended_at', 'is', null)
    .where('parent_id', '=', parentId)
    .orderBy('id')
    .execute()
  return rows.map(({ id }) => id)
}

/** Locks the live sessions of applications that came of this one. */
export async function lockHandedOver(
  tx: Transaction,
  { id, subject_id }: Pick<SessionRow, 'id' | 'subject_id'>,
): Promise<readonly SessionRow[]> {
  const came = await findHandedOver(tx, subject_id, id)
  return came.length === 0 ? [] : lockLive(tx, came)
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
