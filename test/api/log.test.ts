import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EventFilter } from '../../src/api.ts'
import type { LogEvent } from '../../src/event/event.ts'
import { parseQuery } from '../../src/query/parse-query.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openGate, type Person, scenario, type TestGate, WRONG_PASSWORD } from '../support/gate.ts'

/** Where the value of a member stands in an event, and two values that there are: some events have neither, nor any other. */
const MEMBERS: Readonly<
  Record<
    string,
    readonly [of: (event: LogEvent) => string | null, pick: (events: readonly LogEvent[]) => readonly string[]]
  >
> = {
  type: [({ type }) => type, () => ['login.failed', 'app.orders']],
  outcome: [({ outcome }) => outcome, () => ['failure', 'denied']],
  reason: [({ reason }) => reason, () => ['wrong-password', 'unknown-user']],
  user: [({ subject }) => subject, (events) => [...new Set(events.flatMap(({ subject }) => subject ?? []))]],
  ip: [({ ip }) => ip, () => ['10.1.2.3', '2001:db8:1:2::3']],
  session: [({ sessionId }) => sessionId, (events) => [idOf(events, 'sessionId'), 'ses_01k00000000000000000000000']],
  request: [({ requestId }) => requestId, () => ['req-6', 'req-7']],
  device: [({ deviceId }) => deviceId, (events) => [idOf(events, 'deviceId'), 'dev_01k00000000000000000000000']],
  event: [({ id }) => id, (events) => [events[2]!.id, events[5]!.id]],
}

function idOf(events: readonly LogEvent[], member: 'sessionId' | 'deviceId'): string {
  return events.find((event) => event[member] !== null)![member]!
}

describe.each(availableEngines)('the log on $name', (engine) => {
  let on: TestGate
  let anna: Person & { readonly userId: string }
  let all: readonly LogEvent[]
  beforeAll(async () => {
    on = await openGate(engine)
    anna = await withEvents()
    all = await on.events()
  })
  afterAll(() => on.close())

  /** Something of everything, from three addresses, at different times. */
  async function withEvents(): Promise<Person & { readonly userId: string }> {
    const { gate, clock } = on
    const person = on.person()
    const { userId, refreshToken, sessionId } = await gate.register(person, person.context)
    clock.advance(1000)
    await gate.refresh(refreshToken, { ip: '2001:db8:1:2::3', ipSource: 'x-forwarded-for', requestId: 'req-6' })
    clock.advance(1000)
    await codeOf(gate.login({ ...person, password: WRONG_PASSWORD }, { ip: '10.1.2.3' }))
    await codeOf(gate.login({ identifier: 'nobody@example.org', password: WRONG_PASSWORD }, { ip: '10.1.3.255' }))
    clock.advance(1000)
    await gate.log.append({ type: 'app.order.placed', userId, sessionId, data: { total: 12, tags: ['a', 'b'] } })
    await gate.log.append({ type: 'app.order.refused', outcome: 'denied', userId: 77, data: { paid: false } })
    await gate.log.append({ type: 'app.orders' }, { ip: '::ffff:10.1.2.4', ipSource: 'socket' })
    await gate.sessions.end(sessionId, 'ended-by-application')
    return { ...person, userId }
  }

  const told = (events: readonly LogEvent[]) => events.map(({ type, ip }) => `${type}${ip === null ? '' : ` ${ip}`}`)

  async function found(filter: EventFilter): Promise<string[]> {
    return told((await on.gate.log.search(filter)).items)
  }

  test('tells what happened, in the order in which it was written', () => {
    expect(told(all)).toEqual([
      'key.created',
      'key.activated',
      `user.registered ${anna.context.ip}`,
      `login.succeeded ${anna.context.ip}`,
      'session.refreshed 2001:db8:1:2::3',
      'login.failed 10.1.2.3',
      'login.failed 10.1.3.255',
      'app.order.placed',
      'app.order.refused',
      'app.orders 10.1.2.4',
      'session.ended',
    ])
    expect(new Set(all.map(({ number }) => number)).size).toBe(all.length)
  })

  const cases: readonly (readonly [
    string,
    (events: readonly LogEvent[]) => EventFilter,
    (event: LogEvent) => boolean,
  ])[] = [
    ['nothing', () => ({}), () => true],
    ['a type', () => ({ type: 'login.failed' }), ({ type }) => type === 'login.failed'],
    ['types of one prefix', () => ({ type: 'session.*' }), ({ type }) => type.startsWith('session.')],
    ['the application’s types', () => ({ type: 'app.*' }), ({ type }) => type.startsWith('app.')],
    ['some of them', () => ({ type: 'app.order.*' }), ({ type }) => type.startsWith('app.order.')],
    ['one of them', () => ({ type: 'app.orders' }), ({ type }) => type === 'app.orders'],
    ['an outcome', () => ({ outcome: 'denied' }), ({ outcome }) => outcome === 'denied'],
    ['a reason', () => ({ reason: 'wrong-password' }), ({ reason }) => reason === 'wrong-password'],
    ['a user', () => ({ user: anna.userId }), ({ subject }) => subject === anna.userId],
    ['an application’s user', () => ({ user: '77' }), ({ subject }) => subject === '77'],
    [
      'a name that has a user',
      () => ({ identifier: ` ${anna.identifier.toUpperCase()}` }),
      ({ identifier }) => identifier !== null,
    ],
    ['a name that has none', () => ({ identifier: 'Nobody@example.org' }), ({ ip }) => ip === '10.1.3.255'],
    ['an address', () => ({ ip: '10.1.2.3' }), ({ ip }) => ip === '10.1.2.3'],
    ['an address in another spelling', () => ({ ip: '2001:DB8:0001:2:0::3' }), ({ ip }) => ip === '2001:db8:1:2::3'],
    ['a network', () => ({ ip: '10.1.2.0/24' }), ({ ip }) => ip?.startsWith('10.1.2.') === true],
    ['a larger network', () => ({ ip: '10.1.0.0/16' }), ({ ip }) => ip?.startsWith('10.1.') === true],
    ['an IPv6 network', () => ({ ip: '2001:db8:1::/48' }), ({ ip }) => ip === '2001:db8:1:2::3'],
    ['every IPv4 address', () => ({ ip: '0.0.0.0/0' }), ({ ip }) => ip?.includes('.') === true],
    ['a session', (events) => ({ session: sessionOf(events) }), ({ sessionId }) => sessionId !== null],
    ['a request', () => ({ request: 'req-6' }), ({ requestId }) => requestId === 'req-6'],
    ['a device', (events) => ({ device: deviceOf(events) }), ({ deviceId }) => deviceId !== null],
    ['a first instant', (events) => ({ from: events[4]!.at }), ({ at }) => at >= all[4]!.at],
    ['a last instant, exclusive', (events) => ({ to: events[4]!.at }), ({ at }) => at < all[4]!.at],
    [
      'several at once',
      () => ({ user: anna.userId, type: 'login.*', outcome: 'failure', ip: '10.0.0.0/8', from: 0 }),
      ({ type, subject }) => type === 'login.failed' && subject === anna.userId,
    ],
    ['what there is not', () => ({ user: 'nobody' }), () => false],
    ['an event', (events) => ({ event: events[3]!.id }), ({ id }) => id === all[3]!.id],
    ...Object.entries(MEMBERS).flatMap(([member, [of, pick]]) => [
      [
        `several of ${member}`,
        (events: readonly LogEvent[]) => ({ [member]: pick(events) }),
        (event: LogEvent) => pick(all).includes(of(event)!),
      ] as const,
      [
        `not one of ${member}`,
        (events: readonly LogEvent[]) => ({ not: { [member]: pick(events)[0] } }),
        (event: LogEvent) => of(event) !== pick(all)[0],
      ] as const,
      [
        `none of ${member}`,
        (events: readonly LogEvent[]) => ({ not: { [member]: pick(events) } }),
        (event: LogEvent) => !pick(all).includes(of(event)!),
      ] as const,
    ]),
    [
      'several names',
      () => ({ identifier: ['nobody@example.org', anna.identifier] }),
      ({ identifier, ip }) => identifier !== null || ip === '10.1.3.255',
    ],
    [
      'not a name',
      () => ({ not: { identifier: 'nobody@example.org' } }),
      ({ ip, type }) => !(type === 'login.failed' && ip === '10.1.3.255'),
    ],
    [
      'no name',
      () => ({ not: { identifier: ['nobody@example.org', anna.identifier] } }),
      ({ identifier, ip }) => identifier === null && ip !== '10.1.3.255',
    ],
    [
      'several networks',
      () => ({ ip: ['10.1.2.0/24', '2001:db8::/32'] }),
      ({ ip }) => /^(10\.1\.2\.|2001)/.test(ip ?? ''),
    ],
    [
      'an address and a network',
      () => ({ ip: ['2001:db8:1:2::3', '10.1.3.0/24'] }),
      ({ ip }) => ip === '2001:db8:1:2::3' || ip === '10.1.3.255',
    ],
    ['not a network', () => ({ not: { ip: '10.1.2.0/24' } }), ({ ip }) => ip?.startsWith('10.1.2.') !== true],
    [
      'none of some networks',
      () => ({ not: { ip: ['10.0.0.0/8', '2001:db8::/32'] } }),
      ({ ip }) => !/^(10\.|2001)/.test(ip ?? ''),
    ],
    [
      'several groups',
      () => ({ type: ['app.order.*', 'session.*', 'key.created'] }),
      ({ type }) => /^(app\.order\.|session\.|key\.c)/.test(type),
    ],
    ['not a group', () => ({ not: { type: 'app.*' } }), ({ type }) => !type.startsWith('app.')],
    [
      'none of some groups',
      () => ({ not: { type: ['app.order.*', 'login.*', 'app.orders'] } }),
      ({ type }) => !/^(app|login)\./.test(type),
    ],
    [
      'this and not that',
      () => ({ type: 'login.*', ip: '10.0.0.0/8', not: { ip: '10.1.2.0/24', reason: 'throttled' } }),
      ({ ip, type }) => type === 'login.failed' && ip === '10.1.3.255',
    ],
  ]

  test.each([
    ['reason:wrong-password', ({ reason }: LogEvent) => reason === 'wrong-password'],
    ['-reason:wrong-password', ({ reason }: LogEvent) => reason !== 'wrong-password'],
    [
      'outcome:failure,denied -ip:10.1.2.0/24',
      ({ outcome, ip }: LogEvent) => outcome !== 'success' && ip !== '10.1.2.3',
    ],
    ['user:77,78', ({ subject }: LogEvent) => subject === '77'],
  ])('is searched by the query %s', async (text, belongs) => {
    const { filter } = parseQuery(text, { now: on.clock.now() })
    expect(await found(filter)).toEqual(told(all.filter(belongs)).reverse())
  })

  const sessionOf = (events: readonly LogEvent[]) => events.find(({ sessionId }) => sessionId !== null)!.sessionId!
  const deviceOf = (events: readonly LogEvent[]) => events.find(({ deviceId }) => deviceId !== null)!.deviceId!

  test.each(cases)('is searched by %s', async (_name, filterOf, belongs) => {
    expect(await found(filterOf(all))).toEqual(told(all.filter(belongs)).reverse())
  })

  test.each([
    ['ip', { ip: 'not an address' }],
    ['ip', { ip: '10.0.0.0/33' }],
    ['type', { type: 'nothing.*' }],
    ['type', { type: 'Login Failed' }],
    ['type', { type: '*' }],
    ['from', { from: 1.5 }],
    ['to', { to: Number.NaN }],
    ['reason', { reason: ['wrong-password', 'nothing'] }],
    ['outcome', { outcome: [] }],
    ['user', { user: Array.from({ length: 101 }, (_, at) => `${at}`) }],
    ['not.type', { not: { type: ['login.*', 'nothing.*'] } }],
    ['not.session', { not: { session: 'ses_1' } }],
    ['limit', { limit: 0 }],
    ['limit', { limit: 501 }],
  ] as readonly (readonly [string, object & { limit?: number }])[])(
    'refuses a filter by %s that means nothing: %o',
    async (parameter, { limit, ...filter }) => {
      const refusal = await on.gate.log
        .search(filter as EventFilter, limit === undefined ? {} : { limit })
        .catch((error) => error)
      expect(refusal).toMatchObject({ code: 'ERR_QUERY_INVALID', members: { members: [parameter] } })
    },
  )

  test('is read page by page, with nothing twice and nothing left out', async () => {
    for (const limit of [1, 3, 11, 12]) {
      const numbers: number[] = []
      let pages = 0
      let cursor: string | undefined
      do {
        const page = await on.gate.log.search({}, { limit, ...(cursor !== undefined && { cursor }) })
        numbers.push(...page.items.map(({ number }) => number))
        expect(page.items.length).toBeLessThanOrEqual(limit)
        cursor = page.next ?? undefined
        pages += 1
      } while (cursor !== undefined)
      expect(numbers).toEqual(all.map(({ number }) => number).reverse())
      expect(pages).toBe(Math.ceil(all.length / limit))
    }
    for (const cursor of ['', '%', 'AAAA', 'x'.repeat(300)]) {
      expect(await codeOf(on.gate.log.search({}, { cursor }))).toBe('ERR_CURSOR_INVALID')
    }
  })

  test('is a user’s own to see', async () => {
    const { items } = await on.gate.log.activity(anna.userId)
    expect(items).toEqual(all.filter(({ subject }) => subject === anna.userId).toReversed())
    expect(told((await on.gate.log.activity(77)).items)).toEqual(['app.order.refused'])
  })

  test('finds one event, with everything that is known about it', async () => {
    const wanted = all.find(({ type }) => type === 'app.order.placed')!
    expect(await on.gate.log.find(wanted.id)).toEqual(wanted)
    expect(wanted).toMatchObject({
      actor: { kind: 'application', id: null },
      outcome: 'success',
      reason: null,
      subject: anna.userId,
      sessionId: sessionOf(all),
      data: { tags: ['a', 'b'], total: 12 },
      ip: null,
      ipSource: null,
    })
    expect(await on.gate.log.find('evt_01k00000000000000000000000')).toBeNull()
  })

  test('that an admin reads says who read, by which filters, and not for what', async () => {
    const { expectEvents } = await scenario(on)
    const admin = { ...anna.context, actor: { kind: 'admin', id: anna.userId } } as const
    const page = await on.gate.log.read({ user: anna.userId, ip: '10.0.0.0/8', type: 'login.*' }, { limit: 1 }, admin)
    expect(page.items).toHaveLength(1)
    await expectEvents([
      {
        event: 'log.read success',
        actor: `admin ${anna.userId}`,
        from: anna.from,
        data: { filters: ['ip', 'type', 'user'], returned: 1 },
      },
    ])
    // What is refused has shown nothing to anybody.
    expect(await codeOf(on.gate.log.read({ ip: 'x' }, {}, admin))).toBe('ERR_QUERY_INVALID')
  })

  test.each([
    ['a type of Gatebook’s own', { type: 'login.succeeded' }],
    ['a type with other characters', { type: 'app.Order' }],
    ['a type that ends in a dot', { type: 'app.' }],
    ['an outcome that there is not', { type: 'app.x', outcome: 'maybe' }],
    ['a session id that is none', { type: 'app.x', sessionId: 'ses_1' }],
    ['a float', { type: 'app.x', data: { price: 1.5 } }],
    ['null', { type: 'app.x', data: { nothing: null } }],
    ['a nested object', { type: 'app.x', data: { user: { name: 'anna' } } }],
    ['a list of numbers', { type: 'app.x', data: { list: [1, 2] } }],
    ['a member with other characters', { type: 'app.x', data: { 'Na me': 1 } }],
    ['a list that is too long', { type: 'app.x', data: { list: Array.from({ length: 100 }, () => 'x'.repeat(50)) } }],
  ])('takes no event of the application with %s', async (_name, event) => {
    await scenario(on)
    expect(await codeOf(on.gate.log.append(event as never))).toBe('ERR_EVENT_INVALID')
  })

  test('keeps hostile text from breaking anything', async () => {
    const text = `\u0000\u001b[31m\u202e\ud800${'😀'.repeat(300)}`
    const context = {
      ip: '10.9.9.9',
      userAgent: text,
      requestId: text,
      traceId: text,
      actor: { kind: 'user', id: text },
    } as const
    await on.gate.log.append({ type: 'app.hostile', userId: 'x', data: { text } }, context)
    const [event] = (await on.gate.log.search({ type: 'app.hostile' })).items
    for (const stored of [event!.userAgent!, event!.requestId!, event!.traceId!, event!.actor.id!, event!.data.text]) {
      expect(stored).toMatch(/^\ufffd\ufffd\[31m\ufffd\ufffd(😀)+$/u)
    }
    expect(event?.userAgent).toHaveLength(512)
    await on.gate.sessions.start('y', {}, context)
  })
})
