import { type Expression, type RawBuilder, type SelectQueryBuilder, sql } from 'kysely'
import type { LogOverview, OverviewOptions } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { DialectTraits } from '../store/dialect.ts'
import type { Store } from '../store/store.ts'
import type { Tables } from '../store/tables.ts'
import { addressOfKey, keysUnder } from '../util/address.ts'
import type { Clock } from '../util/clock.ts'
import type { EventQuery } from './event-filter.ts'
import { breathe, PREFIX_KEY, type TimeWindow, type WalkLimits, walkWindow, weightOf, within } from './walk-window.ts'

const DAY_MILLISECONDS = 86_400_000
const BUCKETS_DEFAULT = 96
const BUCKETS_MOST = 200
/** Buckets begin and end at whole ones of this clock, so that those who look at the same ask for the same, and it is counted once. */
const SECOND = 1000
const KEPT_MILLISECONDS = 2000
/** Counting takes a fifth of the time at the most, however many look. */
const REST_FACTOR = 4
const WINDOWS_KEPT = 20
const ADDRESSES_SHOWN = 10
/** Of so many of the newest prefixes it is asked whether they were there before. */
const CANDIDATES = 40

type Series = keyof Omit<LogOverview['series'][number], 'at'>

const SERIES: Readonly<Record<Series, string>> = {
  logins: 'login.succeeded',
  failures: 'login.failed',
  refreshes: 'session.refreshed',
  ended: 'session.ended',
}

export interface OverviewReader {
  /** Throws ERR_QUERY_INVALID. */
  read(options?: OverviewOptions): Promise<LogOverview>
}

export interface OverviewParts {
  readonly store: Store
  readonly clock: Clock
  readonly countSessions: () => Promise<number>
  readonly limits?: WalkLimits
}

interface Kept {
  readonly answer: Promise<LogOverview>
  /** By `performance.now`; not before the answer is there. */
  until: number
}

/** What happened in a window, in numbers. Counted by the database, and kept for a moment for all who ask. */
export function createOverviewReader(parts: OverviewParts): OverviewReader {
  const kept = new Map<string, Kept>()
  return {
    async read(options = {}) {
      const { window, width } = readOptions(options, parts.clock.now())
      const key = `${window.from} ${window.to} ${width}`
      const known = kept.get(key)
      if (known !== undefined && performance.now() < known.until) return known.answer
      const begun = performance.now()
      const entry: Kept = { answer: compute(parts, window, width), until: Number.POSITIVE_INFINITY }
      kept.delete(key)
      kept.set(key, entry)
      for (const old of kept.keys()) {
        if (kept.size <= WINDOWS_KEPT) break
        kept.delete(old)
      }
      try {
        return await entry.answer
      } finally {
        const took = performance.now() - begun
        entry.until = begun + took + Math.max(KEPT_MILLISECONDS, took * REST_FACTOR)
        // A failure is nobody's answer but of those who have waited for it.
        entry.answer.catch(() => kept.get(key) === entry && kept.delete(key))
      }
    },
  }
}

function readOptions(options: OverviewOptions, now: number): { window: TimeWindow; width: number } {
  const { to = now, buckets = BUCKETS_DEFAULT } = options
  const { from = to - DAY_MILLISECONDS } = options
  const isInstant = (value: number) => Number.isSafeInteger(value) && value >= 0
  if (!isInstant(to)) throw invalid('to', 'epoch milliseconds')
  if (!isInstant(from)) throw invalid('from', 'epoch milliseconds')
  if (from >= to) throw invalid('from', 'earlier than to')
  if (!Number.isSafeInteger(buckets) || buckets < 1 || buckets > BUCKETS_MOST) {
    throw invalid('buckets', `1 to ${BUCKETS_MOST}`)
  }
  const width = Math.ceil((to - from) / buckets / SECOND) * SECOND
  return { window: { from: Math.floor(from / width) * width, to: Math.ceil(to / width) * width }, width }
}

function invalid(member: string, expected: string): GatebookError {
  return new GatebookError('ERR_QUERY_INVALID', { members: { members: [member], expected } })
}

type Counting<Row> = SelectQueryBuilder<Tables, 'gatebook_event', Row>

interface SeriesRow {
  readonly bucket: number
  readonly series: string | null
  readonly refused: string | null
  readonly count: number
}

interface PrefixRow {
  readonly prefix: string
  readonly count: number
  readonly failures: number
  readonly first_at: number
  readonly first: number
}

/** One row for each bucket, series and reason of a part. `%` of whole numbers is one on every engine, and division is not. */
export function seriesQuery(
  db: Store['db'],
  traits: DialectTraits,
  part: TimeWindow,
  origin: number,
  width: number,
): Counting<SeriesRow> {
  const lit = (value: number) => sql.lit(value)
  const at = sql<number>`gatebook_event.at - (gatebook_event.at - ${lit(origin)}) % ${lit(width)}`
  const series = sql<string | null>`CASE gatebook_event.type ${sql.join(
    Object.values(SERIES).map((type) => sql`WHEN ${sql.lit(type)} THEN ${sql.lit(type)}`),
    sql` `,
  )} END`
  const reason = sql<string | null>`CASE gatebook_event.outcome WHEN 'success' THEN NULL ELSE gatebook_event.reason END`
  const query = within(db.selectFrom('gatebook_event') as EventQuery, part)
  return query
    .select([at.as('bucket'), series.as('series'), reason.as('refused')])
    .select(sumOf(weightOf(traits)).as('count'))
    .groupBy(['bucket', 'series', 'refused'])
}

/** One row for each address prefix of a part. */
export function prefixQuery(db: Store['db'], traits: DialectTraits, part: TimeWindow): Counting<PrefixRow> {
  const weight = weightOf(traits)
  const failed = sql<number>`CASE gatebook_event.outcome WHEN 'success' THEN 0 ELSE ${weight} END`
  return within(db.selectFrom('gatebook_event') as EventQuery, part)
    .where('gatebook_event.ip_key', 'is not', null)
    .select(sql<string>`${PREFIX_KEY}`.as('prefix'))
    .select([sumOf(weight).as('count'), sumOf(failed).as('failures')])
    .select([sql<number>`MIN(gatebook_event.at)`.as('first_at'), sql<number>`MIN(gatebook_event.number)`.as('first')])
    .groupBy('prefix')
}

function sumOf(weight: Expression<number>): RawBuilder<number> {
  return sql<number>`SUM(${weight})`
}

interface Prefix {
  readonly key: string
  count: number
  failures: number
  firstAt: number
  first: number
}

async function compute(
  { store, clock, countSessions, limits }: OverviewParts,
  window: TimeWindow,
  width: number,
): Promise<LogOverview> {
  const { traits } = store
  const asOf = clock.now()
  const counts = new Map<string, number>()
  const refusals = new Map<string, number>()
  const prefixes = new Map<string, Prefix>()
  const { from, complete } = await walkWindow(
    store,
    window,
    async (part) => {
      for (const row of await store.read((db) => seriesQuery(db, traits, part, window.from, width).execute())) {
        add(counts, `${Number(row.bucket)} ${row.series}`, Number(row.count))
        if (row.refused !== null) add(refusals, row.refused, Number(row.count))
      }
      await breathe()
      for (const row of await store.read((db) => prefixQuery(db, traits, part).execute())) merge(prefixes, row)
    },
    limits,
  )
  const series: LogOverview['series'][number][] = []
  for (let at = window.from; at < window.to; at += width) {
    if (at + width <= from) continue
    const of = (name: Series) => counts.get(`${at} ${SERIES[name]}`) ?? 0
    series.push({ at, logins: of('logins'), failures: of('failures'), refreshes: of('refreshes'), ended: of('ended') })
  }
  const known = [...prefixes.values()]
  return {
    from,
    to: window.to,
    bucketMilliseconds: width,
    asOf,
    complete,
    series,
    refusals: [...refusals]
      .map(([reason, count]) => ({ reason, count }))
      .sort((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1)),
    addresses: {
      busiest: known
        .sort((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1))
        .slice(0, ADDRESSES_SHOWN)
        .map(({ key, count, failures }) => ({ prefix: addressOfKey(key), count, failures })),
      newest: await findNew(store, known),
    },
    activeSessions: await countSessions(),
  }
}

function add(counts: Map<string, number>, key: string, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count)
}

function merge(prefixes: Map<string, Prefix>, row: PrefixRow): void {
  // What somebody has written into the column by hand.
  if (!/^[0-9a-f]+$/.test(row.prefix)) return
  const known = prefixes.get(row.prefix)
  const [firstAt, first] = [Number(row.first_at), Number(row.first)]
  if (known === undefined) {
    const counted = { count: Number(row.count), failures: Number(row.failures) }
    prefixes.set(row.prefix, { key: row.prefix, ...counted, firstAt, first })
    return
  }
  known.count += Number(row.count)
  known.failures += Number(row.failures)
  known.firstAt = Math.min(known.firstAt, firstAt)
  known.first = Math.min(known.first, first)
}

/** Those that no event before has, as far as events are kept. */
async function findNew(store: Store, prefixes: Prefix[]): Promise<LogOverview['addresses']['newest']> {
  const candidates = prefixes.sort((a, b) => b.firstAt - a.firstAt).slice(0, CANDIDATES)
  if (candidates.length === 0) return []
  const columns = candidates.map(({ key, first }, at) => {
    const { low, high } = keysUnder(key)
    const range = low === high ? sql`ip_key = ${low}` : sql`ip_key >= ${low} AND ip_key <= ${high}`
    return sql`CASE WHEN EXISTS (SELECT 1 FROM gatebook_event WHERE ${range} AND number < ${first}) THEN 1 ELSE 0 END AS ${sql.ref(`seen_${at}`)}`
  })
  const { rows } = await store.read((db) => sql<Record<string, number>>`SELECT ${sql.join(columns)}`.execute(db))
  return candidates
    .filter((_, at) => !Number(rows[0]![`seen_${at}`]))
    .slice(0, ADDRESSES_SHOWN)
    .map(({ key, firstAt }) => ({ prefix: addressOfKey(key), firstSeen: firstAt }))
}
