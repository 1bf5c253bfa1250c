import { type Insertable, type RawBuilder, sql } from 'kysely'
import { ifAbsent } from '../store/insert-if-absent.ts'
import type { ThrottleTable } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'
import type { Counter, ThrottleScope } from './policy.ts'

export interface CounterKey {
  readonly id: string
  readonly scope: ThrottleScope
  readonly account: string | null
}

/** A counter in which an attempt has been counted. */
export interface CountedKey extends CounterKey {
  /** The window in which it was; what another window counts is not its business. */
  readonly windowAt: number
}

/** Of a row that was unlocked, that is removed, a moment ago. */
const UNTOUCHED: Counter = { failures: 0, windowAt: 0, freeAt: 0 }

/** One order for all, so that two transactions do not wait for each other. */
export function sortKeys(keys: Iterable<CounterKey>): CounterKey[] {
  return [...keys].sort((a, b) => (a.id < b.id ? -1 : 1))
}

/**
 * Locks the counters of `keys`, which are sorted, and makes those that are missing. Where one was missing, it is locked after
 * others that come behind it; should somebody else make it at that moment, the engine ends one of the two and it is run again.
 */
export async function lockCounters(
  tx: Transaction,
  keys: readonly CounterKey[],
  now: number,
): Promise<Map<string, Counter>> {
  let counters = await readCounters(tx, keys)
  const missing = keys.filter(({ id }) => !counters.has(id))
  if (missing.length > 0) {
    const rows = missing.map((key) => ({ ...key, failures: 0, window_at: now, free_at: 0, updated_at: now }))
    await ifAbsent(tx.db.insertInto('gatebook_throttle').values(rows), tx.traits, 'id').execute()
    counters = await readCounters(tx, keys)
  }
  return new Map(keys.map(({ id }) => [id, counters.get(id) ?? UNTOUCHED]))
}

async function readCounters(tx: Transaction, keys: readonly CounterKey[]): Promise<Map<string, Counter>> {
  let query = tx.db
    .selectFrom('gatebook_throttle')
    .select(['id', 'failures', 'window_at', 'free_at'])
    .where(
      'id',
      'in',
      keys.map(({ id }) => id),
    )
    .orderBy('id')
  if (tx.traits.rowLocks) query = query.forUpdate()
  const rows = await query.execute()
  return new Map(
    rows.map((row) => [
      row.id,
      { failures: row.failures, windowAt: Number(row.window_at), freeAt: Number(row.free_at) },
    ]),
  )
}

export async function writeCounters(
  tx: Transaction,
  keys: readonly CounterKey[],
  counters: ReadonlyMap<string, Counter>,
  now: number,
): Promise<void> {
  const rows = keys.map((key) => {
    const { failures, windowAt, freeAt } = counters.get(key.id) ?? UNTOUCHED
    return { ...key, failures, window_at: windowAt, free_at: freeAt, updated_at: now }
  })
  await upsert(tx, rows, (incoming) => ({
    failures: incoming('failures'),
    window_at: incoming('window_at'),
    free_at: incoming('free_at'),
    updated_at: incoming('updated_at'),
  }))
}

/** Takes one failure back from each counter; a success sets that of the pair to nothing. */
export async function takeBack(
  tx: Transaction,
  keys: readonly CountedKey[],
  outcome: 'succeeded' | 'withdrawn',
  now: number,
): Promise<void> {
  const rows = keys.map(({ windowAt, ...key }) => ({
    ...key,
    failures: 0,
    window_at: windowAt,
    free_at: 0,
    updated_at: now,
  }))
  await upsert(tx, rows, (incoming) => {
    const isPair = sql<boolean>`gatebook_throttle.scope = 'pair'`
    const isSameWindow = sql<boolean>`gatebook_throttle.window_at = ${incoming('window_at')}`
    const oneLess = sql<number>`case when gatebook_throttle.failures > 0 and (${isPair} or ${isSameWindow}) then gatebook_throttle.failures - 1 else gatebook_throttle.failures end`
    // A success proves that who sits at this address knows the password; it proves nothing about the rest of the account.
    const afterSuccess = sql<number>`case when ${isPair} then 0 else ${oneLess} end`
    return {
      failures: outcome === 'succeeded' ? afterSuccess : oneLess,
      free_at: incoming('free_at'),
      updated_at: incoming('updated_at'),
    }
  })
}

type Counted = 'failures' | 'window_at' | 'free_at' | 'updated_at'

/**
 * The rows are there, so this always updates; as an upsert, because that locks the rows in the order in which they are
 * listed, on every engine. A plain UPDATE locks them as it meets them, and two of those may wait for each other.
 */
async function upsert(
  tx: Transaction,
  rows: readonly Insertable<ThrottleTable>[],
  changes: (incoming: (name: Counted) => RawBuilder<number>) => Partial<Record<Counted, RawBuilder<number>>>,
): Promise<void> {
  const query = tx.db.insertInto('gatebook_throttle').values(rows)
  await (tx.traits.conflictClause === 'on-conflict'
    ? query.onConflict((conflict) =>
        conflict.column('id').doUpdateSet(changes((name) => sql`${sql.ref(`excluded.${name}`)}`)),
      )
    : query.onDuplicateKeyUpdate(changes((name) => sql`values(${sql.ref(name)})`))
  ).execute()
}
