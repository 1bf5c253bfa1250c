import { afterEach, describe, expect, test, vi } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { type ExpectedEvent, openOwnGate, scenario, type TestGate, until } from '../support/gate.ts'
import { call } from './caller.ts'
import { type EventStream, readEventStream } from './read-event-stream.ts'

const STREAM = '/admin/api/events/stream'

interface World {
  readonly on: TestGate
  readonly token: string
  readonly userId: string
  readonly sessionId: string
  open(query?: string, headers?: Record<string, string>): Promise<EventStream>
}

async function openWorld(engine: (typeof availableEngines)[number]): Promise<World> {
  const on = await openOwnGate(engine, { adminPath: '/admin', accessTokenSeconds: 600 })
  const chief = on.person('chief')
  const user = await on.gate.users.create({ identifier: chief.identifier, password: chief.password, roles: ['admin'] })
  const { accessToken: token, sessionId } = await on.gate.login(chief, chief.context)
  await until('all of it has its place', async () => {
    const { size } = await on.direct.kysely.selectFrom('gatebook_log_state').select('size').executeTakeFirstOrThrow()
    return Number(size) === (await on.events()).length
  })
  const open = async (query = '', headers = {}) => {
    const request = new Request(`http://localhost${STREAM}${query}`, {
      headers: { Authorization: `Bearer ${token}`, ...headers },
    })
    return readEventStream(await on.gate.fetch(request))
  }
  return { on, token, userId: user.id, sessionId, open }
}

const said = (type: string): ExpectedEvent => ({ event: `${type} success`, actor: 'application' })

afterEach(() => vi.restoreAllMocks())

describe.each(availableEngines)('GET /admin/api/events/stream on $name', (engine) => {
  test('says what comes, as a search says it, and goes on from an id', async () => {
    const { on, token, open } = await openWorld(engine)
    const { expectEvents } = await scenario(on)
    const stream = await open(`?q=${encodeURIComponent('type:app.* -type:app.noise')}`)
    expect(stream.response.status).toBe(200)
    expect(Object.fromEntries(stream.response.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      'x-content-type-options': 'nosniff',
    })
    expect(stream.response.headers.has('content-length')).toBe(false)
    const ready = await stream.next()
    expect(ready).toEqual({ id: expect.any(String), event: 'ready', data: {} })
    const ids = [
      await on.gate.log.append({ type: 'app.a' }),
      await on.gate.log.append({ type: 'app.noise' }),
      await on.gate.log.append({ type: 'app.b' }),
    ]
    const [first, second] = [await stream.next(), await stream.next()]
    const found = await call(on.gate, `GET /admin/api/events/${ids[0]}`, { token })
    expect(first).toEqual({ id: expect.any(String), event: 'event', data: found.json })
    expect(second).toMatchObject({ event: 'event', data: { id: ids[2] } })
    await stream.cancel()

    const again = await open(`?cursor=${ready?.id}`)
    expect([await again.next(), await again.next(), await again.next(), await again.next()]).toMatchObject([
      { event: 'ready', id: ready?.id },
      { data: { id: ids[0] } },
      { data: { id: ids[1] } },
      { data: { id: ids[2] } },
    ])
    await again.cancel()
    // What a client sends that reconnects by itself is newer than its address.
    const third = await open(`?cursor=${ready?.id}`, { 'Last-Event-ID': String(first?.id) })
    expect([await third.next(), await third.next()]).toMatchObject([{ event: 'ready' }, { data: { id: ids[1] } }])
    await third.cancel()
    await expectEvents([said('app.a'), said('app.noise'), said('app.b')])
  })

  test('ends with the session', async () => {
    const { on, userId, sessionId, open } = await openWorld(engine)
    const stream = await open('?q=type:app.*')
    await stream.next()
    const { expectEvents } = await scenario(on)
    await on.gate.sessions.end(sessionId, 'ended-by-admin', { actor: { kind: 'system', id: 'test' } })
    expect(await stream.rest()).toEqual([{ id: null, event: 'end', data: { code: 'ERR_TOKEN_REVOKED' } }])
    await expectEvents([
      { event: 'session.ended success ended-by-admin', actor: 'system test', subject: userId, session: sessionId },
    ])
  })

  test('ends with the access token, and with the role', async () => {
    const { on, userId, open } = await openWorld(engine)
    const { expectEvents } = await scenario(on)
    const expiring = await open()
    on.clock.advance(601_000)
    expect((await expiring.rest()).map(({ event, data }) => [event, data.code])).toEqual([
      ['ready', undefined],
      ['end', 'ERR_TOKEN_EXPIRED'],
    ])
    on.clock.advance(-601_000)
    const stale = await open('?q=type:app.*')
    await on.gate.users.revokeRole(userId, 'admin', { actor: { kind: 'system', id: 'test' } })
    expect((await stale.rest()).at(-1)).toMatchObject({ event: 'end', data: { code: 'ERR_TOKEN_STALE' } })
    await expectEvents([
      { event: 'role.revoked success', actor: 'system test', subject: userId, data: { role: 'admin' } },
    ])
  })
})

describe('an event stream', () => {
  const [engine] = availableEngines

  test('ends at a shutdown, and none begins then', async () => {
    const { on, open } = await openWorld(engine!)
    const stream = await open()
    await stream.next()
    on.gate.log.release()
    expect(await stream.rest()).toEqual([{ id: null, event: 'end', data: { code: 'ERR_CLOSED' } }])
    const late = await open()
    expect([late.response.status, late.response.headers.get('content-type')]).toEqual([503, 'application/problem+json'])
  })

  test('is for admins, and is refused with an answer where the question is wrong', async () => {
    const { on, token } = await openWorld(engine!)
    const anna = await on.gate.register(on.person())
    const status = async (path: string, as = token) => {
      const { json } = await call(on.gate, `GET ${STREAM}${path}`, { token: as })
      return json.code
    }
    expect(await status('', anna.accessToken)).toBe('ERR_FORBIDDEN')
    expect(await status('?cursor=x')).toBe('ERR_CURSOR_INVALID')
    expect(await status('?q=type:nonsense')).toBe('ERR_QUERY_INVALID')
    expect(await status('?limit=5')).toBe('ERR_QUERY_INVALID')
  })

  test('says something when nothing happens', async () => {
    const { open } = await openWorld(engine!)
    // Time goes thirty times as fast.
    const real = performance.now.bind(performance)
    const begun = real()
    vi.spyOn(performance, 'now').mockImplementation(() => begun + (real() - begun) * 30)
    const stream = await open('?q=type:app.*')
    await stream.next()
    expect(await stream.raw()).toBe(': keep-alive\n\n')
    expect(await stream.raw()).toBe(': keep-alive\n\n')
    await stream.cancel()
  })

  test('has a place among a hundred, which is free again when nobody reads', async () => {
    const { token, on, open } = await openWorld(engine!)
    const streams = await Promise.all(Array.from({ length: 100 }, () => open()))
    expect(streams.every(({ response }) => response.status === 200)).toBe(true)
    const refused = await call(on.gate, `GET ${STREAM}`, { token })
    expect([refused.status, refused.json.code, refused.headers.get('retry-after')]).toEqual([
      503,
      'ERR_STREAMS_EXHAUSTED',
      '30',
    ])
    // One that was read, and one of which nobody has taken a byte.
    await streams[0]!.next()
    await streams[0]!.cancel()
    await streams[1]!.cancel()
    const more = [await open(), await open()]
    expect(more.map(({ response }) => response.status)).toEqual([200, 200])
    // Nobody reads the answer to HEAD.
    await streams[2]!.cancel()
    for (let time = 0; time < 5; time++) {
      expect((await call(on.gate, `HEAD ${STREAM}`, { token })).status).toBe(200)
    }
    // A question that is refused takes none.
    for (let time = 0; time < 5; time++) await call(on.gate, `GET ${STREAM}?cursor=x`, { token })
    expect((await open()).response.status).toBe(200)
    for (const stream of [...streams, ...more]) await stream.cancel()
  })

  test('ends where the request was given up', async () => {
    const { on, token } = await openWorld(engine!)
    const gone = new AbortController()
    for (let time = 0; time < 101; time++) {
      const request = new Request(`http://localhost${STREAM}`, {
        headers: { Authorization: `Bearer ${token}` },
        signal: gone.signal,
      })
      // Nobody ever takes the body.
      expect((await on.gate.fetch(request)).status).toBe(time < 100 ? 200 : 503)
    }
    gone.abort()
    const request = new Request(`http://localhost${STREAM}`, { headers: { Authorization: `Bearer ${token}` } })
    const response = await on.gate.fetch(request)
    expect(response.status).toBe(200)
    await response.body?.cancel()
  })
})
