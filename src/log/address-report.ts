import { type RawBuilder, type SelectQueryBuilder, sql } from 'kysely'
import type { AddressReport, AddressWindow } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { DialectTraits } from '../store/dialect.ts'
import type { Store } from '../store/store.ts'
import type { Tables } from '../store/tables.ts'
import { addressOfKey, parseCidrRange } from '../util/address.ts'
import type { EventQuery } from './event-filter.ts'
import { type TimeWindow, WALK_LIMITS, type WalkLimits, walkWindow, weightOf, within } from './walk-window.ts'

const USERS_MOST = 100

interface KeyRange {
  readonly low: string
  readonly high: string
}

/** The report, and how many events it was made of. */
export interface CountedReport {
  readonly report: AddressReport
  readonly events: number
}

interface Row {
  readonly subject: string | null
  readonly name: string | null
  readonly mask: string | null
  readonly events: number
  readonly succeeded: number
  readonly failed: number
  readonly denied: number
  readonly refreshed: number
  readonly first_at: number
  readonly last_at: number
}

type Counts = Record<'succeeded' | 'failed' | 'denied' | 'refreshed', number>

/**
 * Who came from an address or a range of them. By the index of addresses where that has few events; else by time, the newest
 * 200,000 events of the window. Throws ERR_QUERY_INVALID.
 */
export async function reportAddress(
  store: Store,
  address: string,
  window: AddressWindow,
  now: number,
  limits: WalkLimits = WALK_LIMITS,
): Promise<CountedReport> {
  const range = parseCidrRange(address)
  if (range === null) throw invalid('ip', 'an address or a CIDR')
  const { from = 0, to = now + 1 } = window
  if (!Number.isSafeInteger(from)) throw invalid('from', 'epoch milliseconds')
  if (!Number.isSafeInteger(to) || to <= from) throw invalid('to', 'epoch milliseconds, later than from')
  const rows: Row[] = []
  const read = async (part: TimeWindow, by: 'at' | 'ip' = 'at') => {
    rows.push(...(await store.read((db) => addressQuery(db, store.traits, range, part, by).execute())))
  }
  const isRare = (await countUpTo(store, range, limits.each + 1)) <= limits.each
  const complete = isRare || (await walkWindow(store, { from, to }, (part) => read(part), limits)).complete
  if (isRare) await read({ from, to }, 'ip')
  return { report: toReport(nameOf(address, range), rows, complete), events: sum(rows, 'events') }
}

function invalid(member: string, expected: string): GatebookError {
  return new GatebookError('ERR_QUERY_INVALID', { members: { members: [member], expected } })
}

function inRange({ low, high }: KeyRange): RawBuilder<boolean> {
  const column = sql.ref('gatebook_event.ip_key')
  return low === high ? sql`${column} = ${low}` : sql`(${column} >= ${low} AND ${column} <= ${high})`
}

async function countUpTo(store: Store, range: KeyRange, most: number): Promise<number> {
  const { rows } = await store.read((db) => countQuery(range, most).execute(db))
  return Number(rows[0]!.count)
}

/** From the index alone. */
export function countQuery(range: KeyRange, most: number): RawBuilder<{ count: number }> {
  return sql`SELECT COUNT(*) AS count FROM (SELECT 1 AS one FROM gatebook_event WHERE ${inRange(range)} LIMIT ${sql.lit(most)}) AS few`
}

/** One row for each user, and for each name that is nobody's; along the index of the time or of the address. */
export function addressQuery(
  db: Store['db'],
  traits: DialectTraits,
  range: KeyRange,
  part: TimeWindow,
  by: 'at' | 'ip',
): SelectQueryBuilder<Tables, 'gatebook_event', Row> {
  const weight = weightOf(traits)
  const sumWhere = (condition: RawBuilder<boolean>) =>
    sql<number>`SUM(CASE WHEN ${condition} THEN ${weight} ELSE 0 END)`
  const isType = (type: string) => sql<boolean>`gatebook_event.type = ${sql.lit(type)}`
  const isOutcome = (outcome: string) => sql<boolean>`gatebook_event.outcome = ${sql.lit(outcome)}`
  return isDuring(db.selectFrom('gatebook_event') as EventQuery, part, by)
    .where(inRange(range))
    .select('gatebook_event.subject_id as subject')
    .select([
      sql<string | null>`CASE WHEN gatebook_event.subject_id IS NULL THEN gatebook_event.identifier_hmac END`.as(
        'name',
      ),
      sql<string | null>`MAX(gatebook_event.identifier_mask)`.as('mask'),
      sql<number>`COUNT(*)`.as('events'),
      sumWhere(isType('login.succeeded')).as('succeeded'),
      sumWhere(isOutcome('failure')).as('failed'),
      sumWhere(isOutcome('denied')).as('denied'),
      sumWhere(isType('session.refreshed')).as('refreshed'),
      sql<number>`MIN(gatebook_event.at)`.as('first_at'),
      sql<number>`MAX(gatebook_event.at)`.as('last_at'),
    ])
    .groupBy(['subject', 'name'])
}

/** An index of what is computed from a column there is not, so that a planner that knows too little cannot take the wrong one. */
function isDuring(query: EventQuery, part: TimeWindow, by: 'at' | 'ip'): EventQuery {
  if (by === 'at') return within(query, part)
  return query.where(sql<boolean>`gatebook_event.at + 0 >= ${part.from} AND gatebook_event.at + 0 < ${part.to}`)
}

/** As it is written everywhere: an address in its one spelling, a range by its first address. */
function nameOf(address: string, { low }: KeyRange): string {
  const [, length] = address.split('/')
  return length === undefined ? addressOfKey(low) : `${addressOfKey(low)}/${length}`
}

function toReport(ip: string, rows: readonly Row[], complete: boolean): AddressReport {
  const users = new Map<
    string,
    { -readonly [K in keyof AddressReport['users'][number]]: AddressReport['users'][number][K] }
  >()
  const counts: Counts = { succeeded: 0, failed: 0, denied: 0, refreshed: 0 }
  for (const row of rows) {
    for (const name of Object.keys(counts) as (keyof Counts)[]) counts[name] += Number(row[name])
    if (row.subject === null && row.name === null) continue
    const key = row.subject === null ? `name ${row.name}` : `user ${row.subject}`
    const known = users.get(key) ?? { userId: row.subject, identifierMask: null, succeeded: 0, failed: 0, lastSeen: 0 }
    known.identifierMask ??= row.mask
    known.succeeded += Number(row.succeeded)
    known.failed += Number(row.failed) + Number(row.denied)
    known.lastSeen = Math.max(known.lastSeen, Number(row.last_at))
    users.set(key, known)
  }
  return {
    ip,
    firstSeen: rows.length === 0 ? null : rows.reduce((least, row) => Math.min(least, Number(row.first_at)), Infinity),
    lastSeen: rows.length === 0 ? null : rows.reduce((most, row) => Math.max(most, Number(row.last_at)), 0),
    counts,
    users: [...users.values()].sort((a, b) => b.lastSeen - a.lastSeen).slice(0, USERS_MOST),
    complete,
  }
}

function sum(rows: readonly Row[], name: 'events'): number {
  return rows.reduce((total, row) => total + Number(row[name]), 0)
}
