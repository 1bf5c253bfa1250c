import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import type { AuthenticationRequirements } from '../../src/api.ts'
import { SUMMARIES_PER_WINDOW } from '../../src/log/token-refusals.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openOwnGate, type Person, scenario, type TestGate, until } from '../support/gate.ts'

const bearer = (token: string) => ({ headers: new Headers({ authorization: `Bearer ${token}` }), method: 'GET' })
const NOTHING = { headers: new Headers(), method: 'GET' }

const refused = (reason: string, count: number, from: number, by?: Person) => ({
  event: `token.refused denied ${reason}`,
  actor: 'anonymous',
  ...(by !== undefined && { from: by.from }),
  data: { count, counted_from: from },
})

describe.each(availableEngines)('requests with no good token on $name', (engine) => {
  test('are counted by reason, with nothing of the one who made them', async () => {
    const on = await openOwnGate(engine, { accessTokenSeconds: 60 })
    const anna = on.person()
    const tokens = await on.gate.register(anna, anna.context)
    const gone = await on.gate.login(anna, anna.context)
    await on.gate.logout({ accessToken: gone.accessToken }, anna.context)
    const { expectEvents } = await scenario(on)
    const from = on.clock.now()
    const attempt = (request: typeof NOTHING, requirements: AuthenticationRequirements = {}) =>
      codeOf(on.gate.authenticate(request, requirements, anna.context))

    expect(await attempt(NOTHING)).toBe('ERR_TOKEN_MISSING')
    expect(await attempt(bearer('a.b.c'))).toBe('ERR_TOKEN_INVALID')
    expect(await attempt(bearer('a.b.c'))).toBe('ERR_TOKEN_INVALID')
    expect(await attempt(bearer(gone.accessToken))).toBe('ERR_TOKEN_REVOKED')
    expect(await attempt(bearer(tokens.accessToken), { role: 'editor' })).toBe('ERR_FORBIDDEN')
    await expectEvents([
      refused('missing', 1, from, anna),
      refused('invalid', 2, from, anna),
      refused('revoked', 1, from, anna),
      refused('forbidden', 1, from, anna),
    ])
    const { items } = await on.gate.log.search({ type: 'token.refused' })
    for (const event of items) {
      expect(event).toMatchObject({ subject: null, identifierHmac: null, sessionId: null, tokenId: null })
      expect(event).toMatchObject({ userAgent: null, requestId: anna.context.requestId })
    }

    on.clock.advance(10_000)
    expect(await attempt(bearer(tokens.accessToken), { maxAgeSeconds: 9 })).toBe('ERR_FRESH_REQUIRED')
    await on.gate.users.grantRole(tokens.userId, 'editor', { actor: { kind: 'system', id: 'test' } })
    expect(await attempt(bearer(tokens.accessToken))).toBe('ERR_TOKEN_STALE')
    on.clock.advance(120_000)
    expect(await attempt(bearer(tokens.accessToken))).toBe('ERR_TOKEN_EXPIRED')
    await expectEvents([
      { event: 'role.granted success', actor: 'system test', subject: tokens.userId, data: { role: 'editor' } },
      refused('not-fresh', 1, from + 10_000, anna),
      refused('stale', 1, from + 10_000, anna),
      refused('expired', 1, from + 130_000, anna),
    ])
  })

  test('are counted apart where a page of another origin has sent them with a cookie, by each of them', async () => {
    const on = await openOwnGate(engine, { cookies: 'lax' })
    const anna = on.person()
    const { accessToken, userId } = await on.gate.register(anna, anna.context)
    const { expectEvents } = await scenario(on)
    const ask = (method: string, site: string, value = accessToken) => {
      const headers = new Headers({ cookie: `__Host-gatebook-access=${value}`, 'sec-fetch-site': site })
      return on.gate.authenticate({ method, headers }, {}, anna.context)
    }
    expect(await ask('POST', 'same-origin')).toMatchObject({ userId })
    expect(await ask('GET', 'cross-site')).toMatchObject({ userId })
    await expectEvents([])
    expect(await codeOf(ask('POST', 'cross-site'))).toBe('ERR_CSRF')
    expect(await codeOf(ask('DELETE', 'same-site'))).toBe('ERR_CSRF')
    // Whose cookie it is has not been looked at.
    expect(await codeOf(ask('POST', 'cross-site', 'a.b.c'))).toBe('ERR_CSRF')
    expect(await codeOf(ask('GET', 'cross-site', 'a.b.c'))).toBe('ERR_TOKEN_INVALID')
    await expectEvents([refused('cross-site', 3, on.clock.now(), anna), refused('invalid', 1, on.clock.now(), anna)])
  })

  test('that were let in, or did not have to show one, are not counted', async () => {
    const on = await openOwnGate(engine)
    const { accessToken, userId } = await on.gate.register(on.person())
    await scenario(on)
    expect(await on.gate.authenticate(bearer(accessToken), { optional: true })).toMatchObject({ userId })
    expect(await on.gate.authenticate(NOTHING, { optional: true })).toBeNull()
    expect(await codeOf(on.gate.tokens.verify('a.b.c'))).toBe('ERR_TOKEN_INVALID')
  })

  test('are counted although a token was optional, when one is presented that is bad', async () => {
    const on = await openOwnGate(engine)
    const { expectEvents } = await scenario(on)
    expect(await codeOf(on.gate.authenticate(bearer('a.b.c'), { optional: true }))).toBe('ERR_TOKEN_INVALID')
    await expectEvents([refused('invalid', 1, on.clock.now())])
  })

  test('leave one event for each address prefix and second, with the address and the request id of the first', async () => {
    const on = await openOwnGate(engine)
    const { expectEvents } = await scenario(on)
    const from = on.clock.now()
    const ask = (ip: string, requestId: string) => codeOf(on.gate.authenticate(NOTHING, {}, { ip, requestId }))
    for (const [at, ip] of ['2001:db8::1', '2001:db8::2', '192.0.2.1', '2001:db8::3'].entries())
      await ask(ip, `r-${at}`)
    on.clock.advance(1000)
    await ask('192.0.2.1', 'r-4')
    await expectEvents([
      { ...refused('missing', 3, from), from: '2001:db8::1 application' },
      { ...refused('missing', 1, from), from: '192.0.2.1 application' },
      { ...refused('missing', 1, from + 1000), from: '192.0.2.1 application' },
    ])
    const { items } = await on.gate.log.search({ type: 'token.refused' })
    expect(items.map(({ requestId }) => requestId)).toEqual(['r-4', 'r-2', 'r-0'])
  })

  test('are appended without being asked for, and when it closes', async () => {
    const on = await openOwnGate(engine)
    const other = await on.another()
    await codeOf(on.gate.authenticate(NOTHING))
    on.clock.advance(1)
    await until('the event', async () => (await other.log.search({ type: 'token.refused' })).items.length === 1)
    await codeOf(on.gate.authenticate(NOTHING))
    await on.gate.close()
    expect((await other.log.search({ type: 'token.refused' })).items).toHaveLength(2)
  })

  test('are refused as ever while they cannot be appended, and counted afterwards', async () => {
    const on = await openOwnGate(engine)
    const table = engine.name === 'sqlite' ? 'gatebook_entry' : 'gatebook_queue'
    const rename = (from: string, to: string) =>
      sql`ALTER TABLE ${sql.table(from)} RENAME TO ${sql.table(to)}`.execute(on.direct.kysely)
    await rename(table, 'set_aside')
    const from = on.clock.now()
    expect(await codeOf(on.gate.authenticate(NOTHING))).toBe('ERR_TOKEN_MISSING')
    expect(await codeOf(on.gate.log.flush())).not.toBe('no error')
    expect(await codeOf(on.gate.authenticate(NOTHING))).toBe('ERR_TOKEN_MISSING')
    await rename('set_aside', table)
    const events = await on.events()
    expect(events.filter(({ type }) => type === 'token.refused').map(({ data }) => data)).toEqual([
      { count: 1, counted_from: from },
      { count: 1, counted_from: from },
    ])
  })
})

describe('more prefixes than have a summary of their own', () => {
  const prefix = (n: number) => `2001:db8:0:${(n + 1).toString(16)}::1`
  const REQUESTS = [
    ['missing', NOTHING],
    ['invalid', bearer('a.b.c')],
  ] as const

  async function refusalsOf(on: TestGate) {
    await on.gate.log.flush()
    const { items } = await on.gate.log.search({ type: 'token.refused' }, { limit: 500 })
    return [...items].reverse().map(({ reason, ip, ipSource, requestId, data }) => {
      return { reason, ip, ipSource, requestId, count: data.count as number }
    })
  }

  test('are counted together by reason, without an address, whatever they ask', async () => {
    const on = await openOwnGate(availableEngines[0]!)
    for (let n = 0; n < 1000; n++) {
      const [, request] = REQUESTS[n % 2]!
      await codeOf(on.gate.authenticate(request, {}, { ip: prefix(n), requestId: `r-${n}` }))
    }
    // Who has a summary keeps it.
    await codeOf(on.gate.authenticate(NOTHING, {}, { ip: prefix(8) }))
    const found = await refusalsOf(on)
    expect(found).toHaveLength(SUMMARIES_PER_WINDOW + REQUESTS.length)
    expect(found.slice(0, SUMMARIES_PER_WINDOW)).toEqual(
      Array.from({ length: SUMMARIES_PER_WINDOW }, (_, n) => ({
        ...{ reason: REQUESTS[n % 2]![0], ip: prefix(n), ipSource: 'application', requestId: `r-${n}` },
        count: n === 8 ? 2 : 1,
      })),
    )
    const nowhere = { ip: null, ipSource: null, count: (1000 - SUMMARIES_PER_WINDOW) / 2 }
    expect(found.slice(SUMMARIES_PER_WINDOW)).toEqual([
      { reason: 'missing', requestId: `r-${SUMMARIES_PER_WINDOW}`, ...nowhere },
      { reason: 'invalid', requestId: `r-${SUMMARIES_PER_WINDOW + 1}`, ...nowhere },
    ])
  })

  test('are no more when it is appended in between, and have their place again in the next second', async () => {
    const on = await openOwnGate(availableEngines[0]!)
    const ask = async (from: number) => {
      for (let n = from; n < from + 40; n++) await codeOf(on.gate.authenticate(NOTHING, {}, { ip: prefix(n) }))
    }
    const counts = async () => (await refusalsOf(on)).map(({ ip, count }) => [ip !== null, count])
    await ask(0)
    expect(await counts()).toHaveLength(40)
    await ask(40)
    expect((await counts()).slice(40)).toEqual([...Array(10).fill([true, 1]), [false, 30]])
    on.clock.advance(1000)
    await ask(80)
    expect((await counts()).slice(51)).toEqual(Array(40).fill([true, 1]))
    // The same prefixes a second later are new summaries, and count as such.
    on.clock.advance(1000)
    await ask(80)
    on.clock.advance(1000)
    await ask(80)
    await ask(120)
    expect((await counts()).slice(91)).toEqual([...Array(90).fill([true, 1]), [false, 30]])
  })

  test('do not fill the memory while they cannot be appended', async () => {
    const on = await openOwnGate(availableEngines[0]!)
    await sql`ALTER TABLE gatebook_entry RENAME TO set_aside`.execute(on.direct.kysely)
    const seconds = 40
    for (let second = 0; second < seconds; second++) {
      for (let n = 0; n < 60; n++) await codeOf(on.gate.authenticate(NOTHING, {}, { ip: prefix(60 * second + n) }))
      expect(await codeOf(on.gate.log.flush())).not.toBe('no error')
      on.clock.advance(1000)
    }
    await sql`ALTER TABLE set_aside RENAME TO gatebook_entry`.execute(on.direct.kysely)
    const events = (await on.events()).filter(({ type }) => type === 'token.refused')
    const counts = events.map(({ data }) => data.count as number)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(60 * seconds)
    // Twenty seconds as ever, and then one that grows.
    expect(counts.length).toBeLessThanOrEqual(20 * (SUMMARIES_PER_WINDOW + 1) + 1)
    expect(counts.at(-1)).toBeGreaterThan(60 * 19)
  })
})
