import fc from 'fast-check'
import { type CompiledQuery, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LogEvent } from '../../src/event/event.ts'
import { addressQuery, countQuery, reportAddress } from '../../src/log/address-report.ts'
import { toLogEvent } from '../../src/log/event-row.ts'
import { createOverviewReader, prefixQuery, seriesQuery } from '../../src/log/overview.ts'
import { boundaryQuery } from '../../src/log/walk-window.ts'
import { createSqlStore } from '../../src/store/sql/sql-store.ts'
import type { Store } from '../../src/store/store.ts'
import { addressKey, addressPrefix } from '../../src/util/address.ts'
import { availableEngines } from '../support/engines.ts'
import { openGate, type TestGate } from '../support/gate.ts'

const START = 1_700_002_800_000
const HOUR = 3_600_000
const EVENTS = 3000

const TYPES = [
  'login.succeeded',
  'login.failed',
  'session.refreshed',
  'session.ended',
  'token.refused',
  'app.x',
] as const
const ADDRESSES = ['203.0.113.7', '203.0.113.8', '198.51.100.1', '2001:db8::1', '2001:db8::2', '2001:db8:0:1::1']
/** Beside what the log writes: what somebody may have made of it. */
const DATA = [
  '{"count":12,"counted_from":1700000000000}',
  '{"count":3}',
  '{"count":x',
  '{"count":',
  'no JSON',
  '{}',
  null,
]

const columns = fc.record({
  type: fc.constantFrom(...TYPES),
  outcome: fc.constantFrom('success', 'failure', 'denied'),
  reason: fc.option(fc.constantFrom('wrong-password', 'invalid', 'flood'), { nil: null }),
  after: fc.integer({ min: 0, max: 2 * HOUR }),
  subject_id: fc.option(fc.constantFrom('1', '2', 'Ärger'), { nil: null }),
  identifier_hmac: fc.option(fc.constantFrom('a', 'b'), { nil: null }),
  identifier_mask: fc.option(fc.constantFrom('a***@x', 'b***@x'), { nil: null }),
  ip: fc.option(fc.constantFrom(...ADDRESSES), { nil: null }),
  data: fc.constantFrom(...DATA),
})

/** What an event stands for, read as people read it. */
function weigh(event: LogEvent, data: string | null): number {
  const aggregate = ['login.failed', 'token.refused'].includes(event.type)
  const number = /^\{"count":(\d+)/.exec(data ?? '')?.[1]
  return aggregate && number !== undefined ? Number(number) : 1
}

function countBy<T>(
  items: readonly T[],
  keyOf: (item: T) => string | null,
  weight: (item: T) => number,
): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) {
    const key = keyOf(item)
    if (key !== null) counts.set(key, (counts.get(key) ?? 0) + weight(item))
  }
  return counts
}

describe.each(availableEngines)('figures of the log on $name', (engine) => {
  let on: TestGate
  let store: Store
  let all: { readonly event: LogEvent; readonly count: number }[]
  beforeAll(async () => {
    on = await openGate(engine)
    store = createSqlStore(on.direct, 'test')
    // Those of the start have another time.
    const rows = fc
      .sample(columns, { seed: 11, numRuns: EVENTS })
      .sort((a, b) => a.after - b.after)
      .map(({ after, ...row }, place) => ({
        ...row,
        at: START + after,
        id: `evt_${place}`,
        actor_kind: 'user',
        ip_key: row.ip === null ? null : addressKey(row.ip),
      }))
    for (let at = 0; at < rows.length; at += 500) {
      await store.db
        .insertInto('gatebook_event')
        .values(rows.slice(at, at + 500) as never)
        .execute()
    }
    await sql.raw(engine.name === 'mysql' ? 'ANALYZE TABLE gatebook_event' : 'ANALYZE gatebook_event').execute(store.db)
    const stored = await store.db
      .selectFrom('gatebook_event')
      .selectAll()
      .where('at', '<', START + 3 * HOUR)
      .where('at', '>=', START)
      .execute()
    all = stored.map((row) => {
      const event = toLogEvent(row)
      return { event, count: weigh(event, row.data) }
    })
    expect(all).toHaveLength(EVENTS)
  })
  afterAll(() => on.close())

  const reader = (each = 20_000, most = 200_000) =>
    createOverviewReader({ store, clock: on.clock, countSessions: async () => 7, limits: { each, most } })
  const sumOf = (items: readonly { readonly count: number }[]) => items.reduce((sum, { count }) => sum + count, 0)

  test.each([[20_000], [1000], [137]])('are what one counts by hand, in parts of %d', async (each) => {
    const window = { from: START + HOUR / 2, to: START + 1.5 * HOUR, buckets: 60 }
    const overview = await reader(each).read(window)
    expect(overview).toMatchObject({
      from: window.from,
      to: window.to,
      bucketMilliseconds: 60_000,
      complete: true,
      activeSessions: 7,
    })
    const inside = all.filter(({ event: { at } }) => at >= window.from && at < window.to)
    const bucketOf = (at: number) => window.from + Math.floor((at - window.from) / 60_000) * 60_000
    const names = {
      logins: 'login.succeeded',
      failures: 'login.failed',
      refreshes: 'session.refreshed',
      ended: 'session.ended',
    }
    expect(overview.series).toHaveLength(60)
    for (const bucket of overview.series) {
      const here = inside.filter(({ event }) => bucketOf(event.at) === bucket.at)
      for (const [name, type] of Object.entries(names)) {
        expect(bucket[name as keyof typeof names]).toBe(sumOf(here.filter(({ event }) => event.type === type)))
      }
    }
    const refused = inside.filter(({ event }) => event.outcome !== 'success')
    expect(new Map(overview.refusals.map(({ reason, count }) => [reason, count]))).toEqual(
      countBy(
        refused,
        ({ event }) => event.reason,
        ({ count }) => count,
      ),
    )
    const prefixOf = ({ event }: { event: LogEvent }) => (event.ip === null ? null : addressPrefix(event.ip))
    expect(new Map(overview.addresses.busiest.map(({ prefix, count }) => [prefix, count]))).toEqual(
      countBy(inside, prefixOf, ({ count }) => count),
    )
    expect(new Map(overview.addresses.busiest.map(({ prefix, failures }) => [prefix, failures]))).toEqual(
      countBy(inside, prefixOf, ({ event, count }) => (event.outcome === 'success' ? 0 : count)),
    )
    expect(overview.addresses.newest).toEqual([])
  })

  test('say from when on they are whole, where there is too much', async () => {
    const window = { from: START, to: START + 2 * HOUR, buckets: 10 }
    const { from, complete, series, bucketMilliseconds } = await reader(200, 600).read(window)
    expect(complete).toBe(false)
    const inside = all.filter(({ event: { at } }) => at >= from && at < window.to)
    expect(inside.length).toBeGreaterThan(550)
    expect(inside.length).toBeLessThanOrEqual(600)
    expect(series[0]!.at + bucketMilliseconds).toBeGreaterThan(from)
    expect(series.reduce((sum, { logins }) => sum + logins, 0)).toBe(
      inside.filter(({ event }) => event.type === 'login.succeeded').length,
    )
  })

  test('name the addresses that were not there before', async () => {
    const row = { type: 'login.failed', outcome: 'failure', reason: 'wrong-password', actor_kind: 'anonymous' }
    const later = START + 10 * HOUR
    const known = { ip: '203.0.113.7', ip_key: addressKey('203.0.113.7') }
    const fresh = ['192.0.2.1', '2001:db8:ffff::1', '2001:db8:ffff::2'].map((ip) => ({ ip, ip_key: addressKey(ip) }))
    const rows = [known, ...fresh, { ip: 'x', ip_key: 'not an address' }].map((where, place) => ({
      ...row,
      ...where,
      id: `evt_new_${place}`,
      at: later + place,
    }))
    await store.db
      .insertInto('gatebook_event')
      .values(rows as never)
      .execute()
    const { addresses } = await reader().read({ from: later - HOUR, to: later + HOUR })
    expect(addresses.newest).toEqual([
      { prefix: '2001:db8:ffff::/64', firstSeen: later + 2 },
      { prefix: '192.0.2.1', firstSeen: later + 1 },
    ])
    await store.db.deleteFrom('gatebook_event').where('id', 'like', 'evt_new_%').execute()
  })

  test('are counted once for all who ask at the same time', async () => {
    let asked = 0
    on.clock.advance(1000)
    const counted = createOverviewReader({
      store: {
        ...store,
        read: (work) => {
          asked += 1
          return store.read(work)
        },
      },
      clock: on.clock,
      countSessions: async () => 0,
    })
    const answers = await Promise.all(Array.from({ length: 20 }, () => counted.read()))
    const once = asked
    expect(new Set(answers).size).toBe(1)
    on.clock.advance(1500)
    await counted.read()
    expect(asked).toBe(once)
    await counted.read({ buckets: 10 })
    expect(asked).toBeGreaterThan(once)
  })

  test.each([[{ from: 2, to: 1 }], [{ from: -1 }], [{ to: 1.5 }], [{ buckets: 0 }], [{ buckets: 201 }]])(
    'refuse %j',
    async (options) => {
      await expect(reader().read(options)).rejects.toMatchObject({ code: 'ERR_QUERY_INVALID' })
    },
  )

  test.each([
    ['203.0.113.7', 20_000],
    ['203.0.113.0/24', 20_000],
    ['2001:db8::/32', 20_000],
    ['::/0', 20_000],
    ['0.0.0.0/0', 100],
    ['192.0.2.1', 20_000],
  ])('of %s are what one counts by hand, by its index up to %d events', async (address, each) => {
    const window = { from: START + HOUR / 2, to: START + 1.5 * HOUR }
    const { report, events } = await reportAddress(store, address, window, START, { each, most: 200_000 })
    const [network, length = ''] = address.split('/')
    const holds = ({ event: { ip, at } }: { event: LogEvent }) => {
      if (ip === null || at < window.from || at >= window.to) return false
      if (length === '0') return network === '::' || !ip.includes(':')
      return length === '' ? ip === network : length === '24' ? ip.startsWith('203.0.113.') : ip.startsWith('2001:db8:')
    }
    const inside = all.filter(holds)
    const count = (wanted: (event: LogEvent) => boolean) => sumOf(inside.filter(({ event }) => wanted(event)))
    expect(events).toBe(inside.length)
    expect(report).toMatchObject({
      ip: address,
      complete: true,
      firstSeen: inside.length === 0 ? null : Math.min(...inside.map(({ event }) => event.at)),
      lastSeen: inside.length === 0 ? null : Math.max(...inside.map(({ event }) => event.at)),
      counts: {
        succeeded: count(({ type }) => type === 'login.succeeded'),
        failed: count(({ outcome }) => outcome === 'failure'),
        denied: count(({ outcome }) => outcome === 'denied'),
        refreshed: count(({ type }) => type === 'session.refreshed'),
      },
    })
    const keyOf = ({ event }: { event: LogEvent }) => event.subject ?? (event.identifierHmac === null ? null : 'nobody')
    const failures = countBy(inside, keyOf, ({ event, count }) => (event.outcome === 'success' ? 0 : count))
    expect(
      countBy(
        report.users,
        ({ userId }) => userId ?? 'nobody',
        ({ failed }) => failed,
      ),
    ).toEqual(failures)
    expect(report.users.map(({ lastSeen }) => lastSeen)).toEqual(
      report.users.map(({ lastSeen }) => lastSeen).sort((a, b) => b - a),
    )
  })

  test('come from an index', async () => {
    const { db, traits } = store
    const part = { from: START + HOUR, to: START + HOUR + 60_000 }
    // One that is rare: of one that is not, a few are found by any way.
    const range = { low: addressKey('192.0.2.1'), high: addressKey('192.0.2.1') }
    const uses = {
      sqlite: /USING (?:COVERING )?INDEX (\w+)/,
      postgres: /Index (?:Only )?Scan.*?(?:using|on) (\w+)/,
      mysql: /"key": "(\w+)"/,
    }[engine.name]
    const indexOf = async (query: { compile(): CompiledQuery }) => {
      const plan = await explain(query.compile())
      return uses.exec(plan)?.[1] ?? plan
    }
    expect(await indexOf(boundaryQuery(db, { from: START, to: START + HOUR }, 100))).toMatch(/by_at$/)
    expect(await indexOf(seriesQuery(db, traits, part, START, 60_000))).toMatch(/by_at$/)
    expect(await indexOf(prefixQuery(db, traits, part))).toMatch(/by_at$/)
    expect(await indexOf(addressQuery(db, traits, range, { from: 0, to: 2 * START }, 'ip'))).toMatch(/by_ip$/)
    expect(await indexOf({ compile: () => countQuery(range, 100).compile(db) })).toMatch(/by_ip$/)
  })

  async function explain({ sql: text, parameters }: CompiledQuery): Promise<string> {
    const prefix = { sqlite: 'EXPLAIN QUERY PLAN', postgres: 'EXPLAIN', mysql: 'EXPLAIN FORMAT=JSON' }[engine.name]
    const { rows } = await store.db.executeQuery({
      sql: `${prefix} ${text}`,
      parameters,
      query: { kind: 'RawNode', sqlFragments: [], parameters: [] },
      queryId: { queryId: '' },
    } as unknown as CompiledQuery)
    return JSON.stringify(rows).replaceAll('\\', '').replaceAll(/: +/g, ': ')
  }
})
