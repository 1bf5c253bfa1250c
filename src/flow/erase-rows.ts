import { sql } from 'kysely'
import type { ErasureCounts } from '../api.ts'
import { GatebookError } from '../errors.ts'
import {
  type ErasureScope,
  type EventPath,
  emptyEvents,
  listPaths,
  readConcerned,
  readNewest,
} from '../log/erase-events.ts'
import { takeTurn } from '../log/forgetting-turn.ts'
import { createHoldCheck, findStandingHold, type HoldableRow } from '../log/hold.ts'
import type { Transaction } from '../store/transaction.ts'
import { accountOf } from './attempt.ts'
import { countErased, type Erasure, lockErasure } from './erasure-row.ts'
import type { FlowParts } from './parts.ts'

/** Rows of one transaction: short, because others wait behind it on SQLite. */
const BATCH = 200

/** Another process has finished the erasure and left `log.erased`: under that, nothing more may go. */
export class FinishedElsewhere extends Error {}

/**
 * Everything of an erasure that has begun, in the order in which others could still use it. Can be done again. Throws
 * FinishedElsewhere.
 */
export async function eraseRows(parts: FlowParts, erasure: Erasure): Promise<void> {
  const { scope } = erasure
  // Before anything goes that no turn is taken for.
  await inTurn(parts, erasure, async () => ({}))
  await walkTokens(parts, scope, (ids) =>
    inTurn(parts, erasure, async (tx) => {
      const removed = await tx.db.deleteFrom('gatebook_one_time_token').where('id', 'in', ids).executeTakeFirst()
      return { tokens: Number(removed.numDeletedRows) }
    }),
  )
  if (scope.subjectId !== null) {
    const { subjectId } = scope
    await removeAll(parts, erasure, 'gatebook_session', 'sessions', subjectId)
    await removeAll(parts, erasure, 'gatebook_device', 'devices', subjectId)
  }
  for (const account of listAccounts(scope)) {
    const counters = await parts.throttle.erase(account)
    if (counters > 0) await inTurn(parts, erasure, async () => ({ counters }))
  }
  const upTo = await parts.store.read(readNewest)
  for (const path of listPaths(scope, parts.identifiers)) await eraseEvents(parts, erasure, path, upTo)
}

async function eraseEvents(parts: FlowParts, erasure: Erasure, path: EventPath, upTo: number): Promise<void> {
  const { scope } = erasure
  let after = 0
  for (let more = true; more; ) {
    await inTurn(parts, erasure, async (tx) => {
      const { events, last } = await readConcerned(tx.db, scope, path, { after, upTo, limit: BATCH })
      const isHeld = createHoldCheck(await parts.holds.read(tx.db), parts.identifiers)
      for (const event of events) refuse(isHeld(event))
      const counts = await emptyEvents(tx, parts.isGenuine, scope, events)
      tx.afterCommit(() => {
        more = last !== null
        after = last ?? after
      })
      return counts
    })
  }
}

/**
 * A transaction that is over when it has done one batch. Throws ERR_HELD or FinishedElsewhere, and then has changed
 * nothing.
 */
async function inTurn(
  parts: FlowParts,
  { id, scope }: Erasure,
  work: (tx: Transaction) => Promise<Partial<ErasureCounts>>,
): Promise<void> {
  const { store, settings, seal } = parts
  await store.transaction(async (tx) => {
    await takeTurn(tx)
    const erasure = await lockErasure(tx, seal, id)
    if (erasure === null) throw new FinishedElsewhere()
    refuse(findStandingHold(await parts.holds.read(tx.db), scope))
    await countErased(tx, seal, erasure, await work(tx), settings.clock.now())
  })
}

export function refuse(hold: string | null): void {
  if (hold !== null) throw new GatebookError('ERR_HELD', { members: { hold }, detail: `release ${hold} first` })
}

async function removeAll(
  parts: FlowParts,
  erasure: Erasure,
  table: 'gatebook_session' | 'gatebook_device',
  counted: 'sessions' | 'devices',
  subjectId: string,
): Promise<void> {
  for (;;) {
    const rows = await parts.store.read((db) =>
      db.selectFrom(table).select('id').where('subject_id', '=', subjectId).limit(sql.lit(BATCH)).execute(),
    )
    if (rows.length === 0) return
    const ids = rows.map(({ id }) => id)
    await inTurn(parts, erasure, async (tx) => {
      if (table === 'gatebook_session') await refuseHeldSessions(parts, tx, ids)
      const removed = await tx.db.deleteFrom(table).where('id', 'in', ids).executeTakeFirst()
      return { [counted]: Number(removed.numDeletedRows) }
    })
  }
}

async function refuseHeldSessions(parts: FlowParts, tx: Transaction, ids: readonly string[]): Promise<void> {
  const isHeld = createHoldCheck(await parts.holds.read(tx.db), parts.identifiers)
  const rows = await tx.db
    .selectFrom('gatebook_session')
    .select(['subject_id', 'created_at', 'ended_at'])
    .where('id', 'in', ids)
    .execute()
  for (const row of rows) refuse(isHeld(toHoldable(row, parts.settings.clock.now())))
}

/** A session, as a hold sees it: it lasts until its end, which for one that is live would be now. */
function toHoldable(
  row: { readonly subject_id: string; readonly created_at: number; readonly ended_at: number | null },
  now: number,
): HoldableRow {
  return { since: Number(row.created_at), at: Number(row.ended_at ?? now), subject_id: row.subject_id }
}

/** One-time tokens of the scope, a batch at a time along the key: the table keeps nothing for longer than it has to. */
export async function walkTokens(
  { store }: FlowParts,
  { subjectId, identifiers }: ErasureScope,
  take: (ids: readonly string[]) => Promise<void>,
): Promise<void> {
  const keys = new Set(identifiers)
  for (let after = ''; ; ) {
    const rows = await store.read((db) =>
      db
        .selectFrom('gatebook_one_time_token')
        .select(['id', 'subject_id', 'identifier_key', 'spent_by'])
        .where('id', '>', after)
        .orderBy('id')
        .limit(sql.lit(BATCH))
        .execute(),
    )
    const ids = rows
      .filter(
        (row) =>
          (subjectId !== null && (row.subject_id === subjectId || row.spent_by === subjectId)) ||
          (row.identifier_key !== null && keys.has(row.identifier_key)),
      )
      .map(({ id }) => id)
    if (ids.length > 0) await take(ids)
    const last = rows.at(-1)
    if (last === undefined) return
    after = last.id
  }
}

/** What the attempts of the scope are counted under. */
function listAccounts({ subjectId, identifiers }: ErasureScope): readonly string[] {
  const ofNames = identifiers.map((identifier) => accountOf(null, identifier))
  return subjectId === null ? ofNames : [accountOf(subjectId, ''), ...ofNames]
}

export async function countCounters({ throttle }: FlowParts, scope: ErasureScope): Promise<number> {
  let counters = 0
  for (const account of listAccounts(scope)) counters += await throttle.count(account)
  return counters
}
