import { type Selectable, sql } from 'kysely'
import type { ErasureCounts } from '../api.ts'
import type { Actor, ActorKind } from '../event/event.ts'
import type { ErasureScope } from '../log/erase-events.ts'
import type { RowSeal, RowValues } from '../secret/row-seal.ts'
import type { ErasureTable } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'

/** An erasure that has begun. */
export interface Erasure {
  readonly id: string
  readonly scope: ErasureScope
  readonly reason: ErasureTable['reason']
  readonly reference: string | null
  /** Who has asked for it. */
  readonly actor: Actor
  readonly counts: ErasureCounts
  readonly startedAt: number
  /** When somebody was at it last. */
  readonly touchedAt: number
}

/** So seldom does one that finds nothing say that it is still at work. */
const TOUCH_MILLISECONDS = 15_000

/** Under way at one time; those who are waiting are not looked for. */
const MOST = 1000

interface NewErasure extends Omit<Erasure, 'counts' | 'startedAt' | 'touchedAt'> {
  readonly now: number
}

type Row = Omit<Selectable<ErasureTable>, 'touched_at' | 'mac'>

function valuesOf(row: Row): RowValues {
  return [
    ...[row.id, row.subject_id, row.identifiers, row.actor_kind, row.actor_id],
    ...[row.reason, row.reference, row.counts, Number(row.started_at)],
  ]
}

/** Whether it was begun here, and has taken what it says. What somebody else has written there is neither gone on with nor believed. */
export function isGenuineErasure(seal: RowSeal, row: Selectable<ErasureTable>): boolean {
  return seal.isGenuine('erasure', valuesOf(row), row.mac)
}

function toRow({ id, scope, actor, reason, reference, counts, startedAt }: Omit<Erasure, 'touchedAt'>): Row {
  return {
    id,
    subject_id: scope.subjectId,
    identifiers: JSON.stringify(scope.identifiers),
    actor_kind: actor.kind,
    actor_id: actor.id ?? null,
    reason,
    reference,
    counts: JSON.stringify(counts),
    started_at: startedAt,
  }
}

export async function insertErasure(tx: Transaction, seal: RowSeal, { now, ...given }: NewErasure): Promise<Erasure> {
  const counts = { events: 0, networks: 0, sessions: 0, devices: 0, tokens: 0, counters: 0 }
  const erasure = { ...given, counts, startedAt: now, touchedAt: now }
  const row = toRow(erasure)
  await tx.db
    .insertInto('gatebook_erasure')
    .values({ ...row, touched_at: now, mac: seal.make('erasure', valuesOf(row)) })
    .execute()
  return erasure
}

/** One of the same user, or of the same identifier, that is not finished. There are few of them. */
export async function findErasure(
  db: Pick<Transaction['db'], 'selectFrom'>,
  seal: RowSeal,
  { subjectId, identifiers }: ErasureScope,
): Promise<Erasure | null> {
  const query = db.selectFrom('gatebook_erasure').selectAll().orderBy('id').limit(sql.lit(MOST))
  const rows = await (subjectId !== null
    ? query.where('subject_id', '=', subjectId)
    : query.where('subject_id', 'is', null).where('identifiers', '=', JSON.stringify(identifiers))
  ).execute()
  const row = rows.find((each) => isGenuineErasure(seal, each))
  return row === undefined ? null : toErasure(row)
}

/** One that an identifier is part of: the user whose it was may be gone already. */
export async function findErasureOf(
  db: Pick<Transaction['db'], 'selectFrom'>,
  seal: RowSeal,
  identifier: string,
): Promise<Erasure | null> {
  const rows = await db.selectFrom('gatebook_erasure').selectAll().orderBy('id').limit(sql.lit(MOST)).execute()
  const genuine = rows.filter((row) => isGenuineErasure(seal, row))
  return genuine.map(toErasure).find(({ scope }) => scope.identifiers.includes(identifier)) ?? null
}

/** In a transaction that has the turn. Null when it is finished, or not ours any more. */
export async function lockErasure(tx: Transaction, seal: RowSeal, id: string): Promise<Erasure | null> {
  let query = tx.db.selectFrom('gatebook_erasure').selectAll().where('id', '=', id)
  if (tx.traits.rowLocks) query = query.forUpdate()
  const row = await query.executeTakeFirst()
  return row === undefined || !isGenuineErasure(seal, row) ? null : toErasure(row)
}

/**
 * Counts what this transaction has taken, so that the number is right after a kill too, and says that somebody is at it.
 * The transaction MUST have locked the erasure before it took anything: what is taken after `log.erased` is never announced.
 */
export async function countErased(
  tx: Transaction,
  seal: RowSeal,
  erasure: Erasure,
  more: Partial<ErasureCounts>,
  now: number,
): Promise<void> {
  const counts = { ...erasure.counts }
  for (const [name, count] of Object.entries(more)) counts[name as keyof ErasureCounts] += count
  if (Object.values(more).every((count) => count === 0) && now - erasure.touchedAt < TOUCH_MILLISECONDS) return
  const row = toRow({ ...erasure, counts })
  await tx.db
    .updateTable('gatebook_erasure')
    .set({ counts: row.counts, touched_at: now, mac: seal.make('erasure', valuesOf(row)) })
    .where('id', '=', erasure.id)
    .execute()
}

/** Those that nobody has been at since, the longest first. */
export async function listUntouched(
  db: Pick<Transaction['db'], 'selectFrom'>,
  since: number,
  limit: number,
): Promise<readonly Selectable<ErasureTable>[]> {
  return db
    .selectFrom('gatebook_erasure')
    .selectAll()
    .where('touched_at', '<', since)
    .orderBy('touched_at')
    .orderBy('id')
    .limit(sql.lit(limit))
    .execute()
}

/** Whether it is ours to go on with: of several processes that have seen it, only one gets it. */
export async function claimErasure(
  tx: Transaction,
  { id, touched_at: seen }: Selectable<ErasureTable>,
  now: number,
): Promise<boolean> {
  const { numUpdatedRows } = await tx.db
    .updateTable('gatebook_erasure')
    .set({ touched_at: now })
    .where('id', '=', id)
    .where('touched_at', '=', seen)
    .executeTakeFirst()
  return Number(numUpdatedRows) === 1
}

export function toErasure(row: Selectable<ErasureTable>): Erasure {
  return {
    id: row.id,
    scope: { subjectId: row.subject_id, identifiers: JSON.parse(row.identifiers) as string[] },
    reason: row.reason,
    reference: row.reference,
    actor: { kind: row.actor_kind as ActorKind, ...(row.actor_id !== null && { id: row.actor_id }) },
    counts: JSON.parse(row.counts) as ErasureCounts,
    startedAt: Number(row.started_at),
    touchedAt: Number(row.touched_at),
  }
}
