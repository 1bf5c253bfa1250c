import { type Expression, type SelectQueryBuilder, sql } from 'kysely'
import { EVENT_TYPES } from '../event/catalogue.ts'
import type { DialectTraits } from '../store/dialect.ts'
import type { Store } from '../store/store.ts'
import type { Tables } from '../store/tables.ts'
import type { EventQuery } from './event-filter.ts'

/** What figures may cost. */
export interface WalkLimits {
  /** So many events are looked at, the newest ones, and no more. */
  readonly most: number
  /** In one statement: SQLite does nothing else meanwhile, and neither does its process. */
  readonly each: number
}

export const WALK_LIMITS: WalkLimits = { most: 200_000, each: 10_000 }

export interface TimeWindow {
  /** Epoch milliseconds, inclusive. */
  readonly from: number
  /** Exclusive. */
  readonly to: number
}

/** The `at` of the event that is the first one too many, by the index of times alone. */
export function boundaryQuery(
  db: Store['db'],
  { from, to }: TimeWindow,
  most: number,
): SelectQueryBuilder<Tables, 'gatebook_event', { at: number }> {
  return (
    db
      .selectFrom('gatebook_event')
      .select('at')
      .where('at', '>=', from)
      .where('at', '<', to)
      .orderBy('at', 'desc')
      // Not a page that somebody asks for, but a bound: what it skips is what is counted next.
      .limit(sql.lit(1))
      .offset(sql.lit(most))
  )
}

/**
 * Calls `work` with parts of the window, the newest first, none of which has more events than one statement may. Returns from when on all
 * was looked at, and whether that is the whole window.
 */
export async function walkWindow(
  store: Store,
  { from, to }: TimeWindow,
  work: (part: TimeWindow) => Promise<void>,
  { most, each }: WalkLimits = WALK_LIMITS,
): Promise<{ readonly from: number; readonly complete: boolean }> {
  let end = to
  for (let left = most; left > 0; left -= each) {
    const cut = await store.read((db) => boundaryQuery(db, { from, to: end }, each).executeTakeFirst())
    // Those of the instant at which it is cut stay together: with what comes before.
    const begin = cut === undefined ? from : Number(cut.at) + 1
    // More of one instant than one part may have: they cannot be told apart, so this is where it ends.
    if (begin >= end) return { from: end, complete: false }
    await work({ from: begin, to: end })
    await breathe()
    if (cut === undefined) return { from, complete: true }
    end = begin
  }
  return { from: end, complete: false }
}

/** SQLite answers at once, so nothing else would have its turn between two statements. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

const COUNTED_TYPES = Object.entries(EVENT_TYPES).flatMap(([type, { kind }]) => (kind === 'exact' ? [] : [type]))

/**
 * How many facts an event stands for: one, or what an aggregate one has counted. In canonical JSON `count` is the first member.
 */
export function weightOf({ leadingNumber }: DialectTraits): Expression<number> {
  const types = sql.join(COUNTED_TYPES.map((type) => sql.lit(type)))
  const number = sql.raw(leadingNumber('substr(gatebook_event.data, 10, 9)'))
  return sql<number>`CASE WHEN gatebook_event.type IN (${types}) AND gatebook_event.data LIKE '{"count":%' THEN COALESCE(NULLIF(${number}, 0), 1) ELSE 1 END`
}

/** Of an IPv4 address all of it, of an IPv6 address the half that names the network. */
export const PREFIX_KEY: Expression<string | null> = sql<
  string | null
>`CASE WHEN gatebook_event.ip_key LIKE '00000000000000000000ffff%' THEN gatebook_event.ip_key ELSE substr(gatebook_event.ip_key, 1, 16) END`

export function within(query: EventQuery, { from, to }: TimeWindow): EventQuery {
  return query.where('gatebook_event.at', '>=', from).where('gatebook_event.at', '<', to)
}
