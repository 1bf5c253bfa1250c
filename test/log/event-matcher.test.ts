import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EventFilter, EventValues } from '../../src/api.ts'
import { createMatcher } from '../../src/log/event-matcher.ts'
import { createEventReader, type EventReader } from '../../src/log/reader.ts'
import { createSqlStore } from '../../src/store/sql/sql-store.ts'
import type { IdentifierKeys } from '../../src/user/identifier.ts'
import { addressKey } from '../../src/util/address.ts'
import { availableEngines } from '../support/engines.ts'
import { openGate, type TestGate } from '../support/gate.ts'

/** Two versions of the secret, as the digests of one identifier. */
const identifiers: IdentifierKeys = {
  describe: (typed) => ({ hmac: `new ${typed}`, keyVersion: 2 }),
  digests: (typed) => [`new ${typed}`, `old ${typed}`],
}

const id = (prefix: string, place: number) =>
  `${prefix}_01m8bzjdxxm4aj5wey65bkyyd${'0123456789abcdefghjkmnpqrstvwxyz'[place]}`
const several = (prefix: string, count: number) => Array.from({ length: count }, (_, place) => id(prefix, place))

const TYPES = [
  'login.succeeded',
  'login.failed',
  'session.ended',
  'app.order.paid',
  'app.order',
  'app.orders.paid',
  'app.x',
]
const REASONS = ['wrong-password', 'throttled', 'logout']
const USERS = ['7', '42', 'Ärger', 'ärger', 'anna']
const NAMES = ['anna', 'bert']
const ADDRESSES = ['203.0.113.7', '203.0.113.8', '203.0.114.1', '2001:db8::1', '2001:db8::2', '2001:db8:1::1', '::1']
const REQUESTS = ['r-1', 'R-1', 'größer']
const START = 1_700_000_000_000

const orNull = <T>(values: readonly T[]) => fc.option(fc.constantFrom(...values), { nil: null })

const eventColumns = fc.record({
  type: fc.constantFrom(...TYPES),
  outcome: fc.constantFrom('success', 'failure', 'denied'),
  reason: orNull(REASONS),
  at: fc.integer({ min: START, max: START + 20 }),
  subject_id: orNull(USERS),
  identifier_hmac: orNull(NAMES.flatMap((name) => identifiers.digests(name))),
  session_id: orNull(several('ses', 3)),
  ip: orNull(ADDRESSES),
  request_id: orNull(REQUESTS),
  device_id: orNull(several('dev', 2)),
})

const oneOf = <T extends string>(...values: readonly T[]) =>
  fc.oneof(fc.constantFrom(...values), fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 }))

const values = fc.record(
  {
    type: oneOf(...TYPES, 'login.*', 'session.*', 'app.*', 'app.order.*', 'user.*'),
    outcome: oneOf('success', 'failure', 'denied'),
    reason: oneOf(...REASONS, 'disabled'),
    user: oneOf(...USERS, 'nobody'),
    identifier: oneOf(...NAMES, 'nobody'),
    ip: oneOf(...ADDRESSES, '203.0.113.0/24', '203.0.112.0/22', '2001:db8::/64', '2001:db8::/32', '::/0', '0.0.0.0/0'),
    session: oneOf(...several('ses', 4)),
    event: oneOf(...several('evt', 8)),
    request: oneOf(...REQUESTS, 'r-2'),
    device: oneOf(...several('dev', 3)),
  },
  { requiredKeys: [] },
)

const filters: fc.Arbitrary<EventFilter> = fc
  .record(
    {
      values: values as fc.Arbitrary<EventValues>,
      not: fc.option(values as fc.Arbitrary<EventValues>, { nil: undefined }),
      from: fc.option(fc.integer({ min: START - 1, max: START + 21 }), { nil: undefined, freq: 2 }),
      to: fc.option(fc.integer({ min: START - 1, max: START + 21 }), { nil: undefined, freq: 2 }),
    },
    { requiredKeys: ['values'] },
  )
  .map(({ values, not, from, to }) => ({
    // Of all at once, nothing is ever left.
    ...Object.fromEntries(Object.entries(values).slice(0, 2)),
    ...(not !== undefined && { not: Object.fromEntries(Object.entries(not).slice(-2)) }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  }))

describe.each(availableEngines)('a filter in memory and on $name', (engine) => {
  let on: TestGate
  let reader: EventReader
  beforeAll(async () => {
    on = await openGate(engine)
    reader = createEventReader(createSqlStore(on.direct, 'test'), identifiers)
    const rows = fc.sample(eventColumns, { seed: 7, numRuns: 400 }).map((columns, place) => ({
      ...columns,
      id: place < 8 ? id('evt', place) : `evt_${place}`,
      ip_key: columns.ip === null ? null : addressKey(columns.ip),
      actor_kind: 'user',
    }))
    await on.direct.kysely
      .insertInto('gatebook_event')
      .values(rows as never)
      .execute()
  })
  afterAll(() => on.close())

  test('say the same of every event', async () => {
    const { items: all } = await reader.search({}, { limit: 500 })
    expect(all.length).toBeGreaterThanOrEqual(400)
    let found = 0
    await fc.assert(
      fc.asyncProperty(filters, async (filter) => {
        const { items } = await reader.search(filter, { limit: 500 })
        const matches = createMatcher(filter, identifiers)
        expect(all.filter(matches).map((event) => event.id)).toEqual(items.map((event) => event.id))
        if (items.length > 0 && items.length < all.length) found += 1
      }),
      { numRuns: 300 },
    )
    // Otherwise this has compared nothing with nothing.
    expect(found).toBeGreaterThan(50)
  })

  test.each([[{ ip: '300.1.1.1' }], [{ type: 'login' }], [{ not: { user: [] } }], [{ from: 1.5 }]])(
    'refuse %j alike',
    async (filter) => {
      expect(() => createMatcher(filter, identifiers)).toThrow(expect.objectContaining({ code: 'ERR_QUERY_INVALID' }))
      await expect(reader.search(filter)).rejects.toMatchObject({ code: 'ERR_QUERY_INVALID' })
    },
  )
})
