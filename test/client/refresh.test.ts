import { describe, expect, test } from 'vitest'
import { type HeldSession, memoryStorage, type StoredState, type TokenStorage } from '../../src/client/index.ts'
import { availableEngines, findEngine } from '../support/engines.ts'
import { codeOf, until } from '../support/gate.ts'
import { type Fault, hangUp, lateAnswer, lostAnswer, problem, type ServedGate, serveGate } from './served-gate.ts'

const sqlite = findEngine('sqlite')!
const REFRESH = 'POST /auth/refresh'

const refreshesOf = ({ requests }: ServedGate) => requests.filter((line) => line === REFRESH).length

/** A problem document that goes on for as long as somebody reads it. */
const endless: Fault = (_request, response) => {
  response.writeHead(401, { 'Content-Type': 'application/problem+json' })
  const padding = `{"code":"ERR_TOKEN_EXPIRED","padding":"${'x'.repeat(65_536)}`
  const pour = (): void => {
    while (!response.destroyed && response.write(padding));
  }
  response.on('drain', pour)
  pour()
}

/** A problem document that begins, and nothing follows. */
const silent: Fault = (_request, response) => {
  response.writeHead(401, { 'Content-Type': 'application/problem+json' })
  response.write('{"code":"ERR_TOKEN_EXPIRED"')
}

describe.each(availableEngines)('refreshing over $name', (engine) => {
  test('fifty requests at expiry cause one refresh', async () => {
    const served = await serveGate(engine)
    const { client } = await served.signedIn()
    served.on.clock.advance(601_000)
    const statuses = await Promise.all(
      Array.from({ length: 50 }, async () => (await client.fetch(`${served.url}/orders`)).status),
    )
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(refreshesOf(served)).toBe(1)
    await served.expectEvents(['session.refreshed success'])
  })
})

describe('before expiry', () => {
  test('a token is used until the last fifth of its life and not after the last tenth', async () => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    served.on.clock.advance(479_000)
    expect((await client.fetch(`${served.url}/orders`)).status).toBe(200)
    expect(refreshesOf(served)).toBe(0)
    served.on.clock.advance(62_000)
    expect((await client.fetch(`${served.url}/orders`)).status).toBe(200)
    expect(refreshesOf(served)).toBe(1)
    await served.expectEvents(['session.refreshed success'])
  })

  test('clients that got their tokens at one instant refresh at different ones', async () => {
    const served = await serveGate(sqlite)
    const { client, anna } = await served.signedIn()
    const others = Array.from({ length: 15 }, () => served.client())
    for (const other of others) await other.login(anna)
    const due = new Set<number>()
    for (let second = 480; second <= 541; second += 1) {
      served.on.clock.advance(second === 480 ? 480_000 : 1000)
      const before = refreshesOf(served)
      for (const each of [client, ...others]) await each.fetch(`${served.url}/orders`)
      if (refreshesOf(served) > before) due.add(second)
    }
    expect(refreshesOf(served)).toBe(16)
    expect(due.size).toBeGreaterThan(4)
    await served.expectEvents([
      ...others.map(() => 'login.succeeded success'),
      ...[client, ...others].map(() => 'session.refreshed success'),
    ])
  })

  test('a refresh that fails is no reason to fail while the token lives', async () => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    served.on.clock.advance(545_000)
    served.faults.set(REFRESH, [problem(429, 'ERR_THROTTLED', {}, { 'Retry-After': '30' })])
    expect((await client.fetch(`${served.url}/orders`)).status).toBe(200)
    expect((await client.fetch(`${served.url}/orders`)).status).toBe(200)
    expect(refreshesOf(served)).toBe(1)
    expect(client.session().status).toBe('signed-in')
  })
})

describe('a token that the server refuses', () => {
  test('for its age, by a clock that the client does not know: fifty requests cause one refresh', async () => {
    const served = await serveGate(sqlite)
    const start = served.on.clock.now()
    const { client } = await served.signedIn({ clock: { monotonic: () => start, wall: () => start } })
    served.on.clock.advance(615_000)
    const answers = await Promise.all(Array.from({ length: 50 }, () => client.fetch(`${served.url}/orders`)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(refreshesOf(served)).toBe(1)
    await served.expectEvents(['session.refreshed success', 'token.refused denied expired'])
  })

  test('because the roles have changed is refreshed, and the new one has them', async () => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    const { userId } = client.session()
    await served.on.gate.users.grantRole(userId!, 'editor', { ip: '198.51.100.1', ipSource: 'socket' })
    expect((await client.me()).roles).toEqual(['editor'])
    await served.expectEvents(['role.granted success', 'session.refreshed success', 'token.refused denied stale'])
  })

  test('again and again is refreshed once, and the answer comes back', async () => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    const response = await client.fetch(`${served.url}/refused`)
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([401, 'ERR_TOKEN_INVALID'])
    expect(served.requests.filter((line) => line.startsWith('GET /refused'))).toHaveLength(2)
    await served.expectEvents(['session.refreshed success'])
  })

  test('just after it has been refreshed for that is not refreshed again before half a minute', async () => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    const refused = async () => (await client.fetch(`${served.url}/refused`)).status
    expect([await refused(), refreshesOf(served)]).toEqual([401, 1])
    served.on.clock.advance(29_000)
    expect(await Promise.all(Array.from({ length: 10 }, refused))).toEqual(Array(10).fill(401))
    expect(refreshesOf(served)).toBe(1)
    expect((await client.fetch(`${served.url}/orders`)).status).toBe(200)
    expect(client.session().status).toBe('signed-in')
    served.on.clock.advance(1000)
    expect([await refused(), await refused(), refreshesOf(served)]).toEqual([401, 401, 2])
    await served.expectEvents(['session.refreshed success', 'session.refreshed success'])
  })

  test('just after it has been refreshed, and stale once more, is refreshed once more', async () => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    const { userId } = client.session()
    for (const role of ['editor', 'author']) {
      await served.on.gate.users.grantRole(userId!, role)
      expect((await client.fetch(`${served.url}/orders`)).status).toBe(200)
    }
    expect(refreshesOf(served)).toBe(2)
    const step = ['role.granted success', 'session.refreshed success']
    await served.expectEvents([...step, ...step, 'token.refused denied stale'])
  })

  test('nor where the request cannot be repeated', async () => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    for (const _time of [1, 2, 3, 4]) {
      const body = new Blob(['{}']).stream()
      const init = { method: 'POST', body, duplex: 'half' } as unknown as RequestInit
      expect((await client.fetch(`${served.url}/refused`, init)).status).toBe(401)
    }
    expect(refreshesOf(served)).toBe(1)
    await served.expectEvents(['session.refreshed success'])
  })

  test('just after a refresh is refreshed all the same in another session', async () => {
    const served = await serveGate(sqlite)
    const { client, anna } = await served.signedIn()
    await client.fetch(`${served.url}/refused`)
    await client.login(anna)
    served.faults.set('GET /orders', [problem(401, 'ERR_TOKEN_STALE')])
    expect((await client.fetch(`${served.url}/orders`)).status).toBe(200)
    await served.expectEvents(['session.refreshed success', 'login.succeeded success', 'session.refreshed success'])
  })

  test.each([
    ['never ends', endless],
    ['never comes', silent],
  ] as const)('with a body that %s is handed to the caller, and the rest is not read', async (_name, fault) => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    let closed = false
    served.faults.set('GET /orders', [
      (request, response, answer) => {
        response.on('close', () => {
          closed = true
        })
        fault(request, response, answer)
      },
    ])
    const response = await client.fetch(`${served.url}/orders`)
    expect([response.status, refreshesOf(served)]).toEqual([401, 0])
    await response.body?.cancel()
    await until('the connection is closed', async () => closed)
  })

  test('with a problem document of more than 64 KiB has no code, and its body is whole', async () => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    const padding = 'x'.repeat(200_000)
    served.faults.set('GET /orders', [problem(401, 'ERR_TOKEN_EXPIRED', { padding })])
    const response = await client.fetch(`${served.url}/orders`)
    expect([response.status, refreshesOf(served)]).toEqual([401, 0])
    expect(await response.json()).toMatchObject({ code: 'ERR_TOKEN_EXPIRED', padding })
  })

  test.each([
    ['no problem document', 401, { 'Content-Type': 'text/plain' }],
    ['JSON that is no problem document', 401, { 'Content-Type': 'application/json' }],
    ['another code', 401, { 'Content-Type': 'application/problem+json' }],
    ['another status', 403, { 'Content-Type': 'application/problem+json' }],
  ])('with %s is none of the client’s business', async (name, status, headers) => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    const code = name === 'another code' ? 'ERR_OF_THE_APPLICATION' : 'ERR_TOKEN_EXPIRED'
    served.faults.set('GET /orders', [problem(status, code, {}, headers)])
    expect((await client.fetch(`${served.url}/orders`)).status).toBe(status)
    expect(served.requests.filter((line) => line.startsWith('GET /orders'))).toHaveLength(1)
    expect(refreshesOf(served)).toBe(0)
  })
})

describe('a refresh', () => {
  test('whose answer is lost is asked again, and the session lives', async () => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    served.on.clock.advance(601_000)
    served.faults.set(REFRESH, [lostAnswer])
    expect((await client.fetch(`${served.url}/orders`)).status).toBe(200)
    await served.expectEvents(['session.refreshed success', 'session.refreshed success grace'])
    served.on.clock.advance(601_000)
    expect((await client.fetch(`${served.url}/orders`)).status).toBe(200)
    await served.expectEvents(['session.refreshed success'])
  })

  test.each([
    ['breaks off', hangUp, 'ERR_NETWORK', null],
    ['says 503', problem(503, 'ERR_UNAVAILABLE', {}, { 'Retry-After': '1' }), 'ERR_UNAVAILABLE', 503],
    ['is a page of a proxy', problem(502, 'ERR_X', {}, { 'Content-Type': 'text/html' }), 'ERR_ANSWER_MALFORMED', 502],
    ['is a page of a hotel', problem(200, 'ERR_X', {}, { 'Content-Type': 'text/html' }), 'ERR_ANSWER_MALFORMED', null],
  ] as const)('whose answer %s is tried three times, and nobody is signed out', async (_name, fault, code, status) => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    served.on.clock.advance(601_000)
    served.faults.set(REFRESH, [fault, fault, fault])
    await expect(client.fetch(`${served.url}/orders`)).rejects.toMatchObject({ name: 'ClientError', code, status })
    expect(refreshesOf(served)).toBe(3)
    expect(client.session()).toMatchObject({ status: 'signed-in', reason: null })
    // Those that come right behind it do not ask again.
    expect(await codeOf(client.fetch(`${served.url}/orders`))).toBe(code)
    expect(refreshesOf(served)).toBe(3)
    served.on.clock.advance(1000)
    expect((await client.fetch(`${served.url}/orders`)).status).toBe(200)
    await served.expectEvents(['session.refreshed success'])
  })

  test('that is put off with 429 is not asked for before Retry-After', async () => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    served.on.clock.advance(601_000)
    served.faults.set(REFRESH, [problem(429, 'ERR_THROTTLED', {}, { 'Retry-After': '30' })])
    const putOff = { code: 'ERR_THROTTLED', status: 429, retryAfterSeconds: 30, requestId: 'req_test' }
    await expect(client.fetch(`${served.url}/orders`)).rejects.toMatchObject(putOff)
    served.on.clock.advance(29_000)
    await expect(client.refresh()).rejects.toMatchObject(putOff)
    expect([refreshesOf(served), client.session().status]).toEqual([1, 'signed-in'])
    served.on.clock.advance(1000)
    expect((await client.fetch(`${served.url}/orders`)).status).toBe(200)
    await served.expectEvents(['session.refreshed success'])
  })

  test('of a session that an admin has ended signs out, with the reason', async () => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    const { sessionId } = client.session()
    await served.on.gate.sessions.end(sessionId!, 'ended-by-admin', { ip: '198.51.100.1', ipSource: 'socket' })
    const response = await client.fetch(`${served.url}/orders`)
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([401, 'ERR_TOKEN_REVOKED'])
    expect(client.session()).toMatchObject({ status: 'signed-out', userId: null, sessionId: null })
    expect(client.session().reason).toBe('ended-by-admin')
    await served.expectEvents([
      'session.ended success ended-by-admin',
      'session.refresh-refused denied ended',
      'token.refused denied revoked',
    ])
    // From now on as anybody.
    expect((await client.fetch(`${served.url}/orders`)).status).toBe(401)
    expect(served.requests.at(-1)).toBe('GET /orders')
    expect(await codeOf(client.refresh())).toBe('ERR_SIGNED_OUT')
    await served.expectEvents(['token.refused denied missing'])
  })

  test.each([
    ['ERR_REFRESH_ENDED', { end_reason: 'password-changed' }, 'password-changed'],
    ['ERR_REFRESH_ENDED', {}, 'ended'],
    ['ERR_REFRESH_EXPIRED', {}, 'expired'],
    ['ERR_REFRESH_INVALID', {}, 'invalid'],
    ['ERR_REFRESH_REUSED', {}, 'refresh-reused'],
  ])('that is answered %s with %j signs out with the reason %s', async (code, members, reason) => {
    const served = await serveGate(sqlite)
    const storage = memoryStorage()
    const { client } = await served.signedIn({ storage })
    served.faults.set(REFRESH, [problem(401, code, members)])
    await expect(client.refresh()).rejects.toMatchObject({ code, status: 401 })
    expect(client.session()).toMatchObject({ status: 'signed-out', reason })
    expect(storage.load()).toMatchObject({ session: null, deviceToken: expect.stringMatching(/^gbd_/) })
  })

  test('with a code that is not known to end a session does not end it', async () => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    served.faults.set(REFRESH, [problem(401, 'ERR_OF_A_PROXY'), problem(403, 'ERR_REFRESH_ENDED')])
    expect(await codeOf(client.refresh())).toBe('ERR_OF_A_PROXY')
    served.on.clock.advance(1000)
    expect(await codeOf(client.refresh())).toBe('ERR_REFRESH_ENDED')
    expect(client.session().status).toBe('signed-in')
  })

  test.each(['constructor', 'toString', '__proto__'])(
    'with the code %s, which every object has, does not end it',
    async (code) => {
      const served = await serveGate(sqlite)
      const { client } = await served.signedIn()
      served.faults.set(REFRESH, [problem(401, code, { detail: undefined })])
      await expect(client.refresh()).rejects.toMatchObject({ code, detail: code, message: code })
      expect(client.session()).toMatchObject({ status: 'signed-in', reason: null })
    },
  )

  test('with a token that somebody else has used long ago ends the session for both', async () => {
    const served = await serveGate(sqlite)
    const storage = memoryStorage()
    const { client } = await served.signedIn({ storage })
    await served.on.gate.refresh((storage.load() as StoredState).session!.tokens!.refresh)
    served.on.clock.advance(601_000)
    expect((await client.fetch(`${served.url}/orders`)).status).toBe(401)
    expect(client.session()).toMatchObject({ status: 'signed-out', reason: 'refresh-reused' })
    await served.expectEvents([
      'session.refreshed success',
      'session.refresh-refused denied reused',
      'session.ended success refresh-reused',
      'token.refused denied missing',
    ])
  })
})

interface LaggingStorage extends TokenStorage {
  /** From now on shows what was saved last, and nothing newer. */
  lag(): void
  /** Shows the newest, from this `load` on; 1 is the next one. */
  catchUp(load?: number): void
  last(): HeldSession
}

/** Shows late what was saved, as a replica does. */
function laggingStorage(): LaggingStorage {
  let saved: StoredState | null = null
  let shown: StoredState | null = null
  let staleLoads = 0
  return {
    load: async () => {
      if (staleLoads === 0) return saved
      staleLoads -= 1
      return shown
    },
    async save(state) {
      saved = state
    },
    async clear() {
      saved = null
    },
    lag() {
      shown = saved
      staleLoads = Number.POSITIVE_INFINITY
    },
    catchUp(load = 1) {
      staleLoads = load - 1
    },
    last: () => saved!.session!,
  }
}

describe('two clients with one storage', () => {
  test('use what the other one has got', async () => {
    const served = await serveGate(sqlite)
    const storage = memoryStorage()
    const { client } = await served.signedIn({ storage })
    const other = served.client({ storage })
    served.on.clock.advance(601_000)
    expect((await client.fetch(`${served.url}/orders`)).status).toBe(200)
    expect((await other.fetch(`${served.url}/orders`)).status).toBe(200)
    expect(refreshesOf(served)).toBe(1)
    await served.expectEvents(['session.refreshed success'])
  })

  test('one that is two tokens behind takes the newest and does not sign out', async () => {
    const served = await serveGate(sqlite)
    const storage = laggingStorage()
    const { client } = await served.signedIn({ storage })
    const behind = served.client({ storage })
    await behind.me()
    storage.lag()
    const newest = served.client({
      storage: { ...storage, load: async () => ({ session: storage.last(), deviceToken: null }) },
    })
    await newest.refresh()
    await newest.refresh()
    served.faults.set(REFRESH, [
      (_request, _response, answer) => {
        storage.catchUp()
        answer()
      },
    ])
    await behind.refresh()
    expect(behind.session().status).toBe('signed-in')
    expect((await behind.fetch(`${served.url}/orders`)).status).toBe(200)
    expect(client.session().status).toBe('signed-in')
    await served.expectEvents([
      'session.refreshed success',
      'session.refreshed success',
      'session.refresh-refused denied superseded',
    ])
  })

  test('one that finds nothing newer says so, and stays', async () => {
    const served = await serveGate(sqlite)
    const storage = laggingStorage()
    const { client } = await served.signedIn({ storage })
    storage.lag()
    const newest = served.client({
      storage: { ...storage, load: async () => ({ session: storage.last(), deviceToken: null }) },
    })
    await newest.refresh()
    await newest.refresh()
    expect(await codeOf(client.refresh())).toBe('ERR_REFRESH_SUPERSEDED')
    expect(client.session().status).toBe('signed-in')
    storage.catchUp()
    served.on.clock.advance(1000)
    await client.refresh()
    await served.expectEvents([
      'session.refreshed success',
      'session.refreshed success',
      'session.refresh-refused denied superseded',
      'session.refreshed success',
    ])
  })

  // The last one is the look with which it clears.
  test.each([1, 6, 11, 12])(
    'one that is refused with an old token clears nothing newer, seen at look %i',
    async (look) => {
      const served = await serveGate(sqlite)
      const storage = laggingStorage()
      const { client, anna } = await served.signedIn({ storage })
      const other = served.client({ storage })
      await other.me()
      storage.lag()
      await client.login(anna)
      served.faults.set(REFRESH, [
        (request, response, answer) => {
          storage.catchUp(look)
          problem(401, 'ERR_REFRESH_ENDED')(request, response, answer)
        },
      ])
      await other.refresh().catch(() => undefined)
      expect(other.session()).toMatchObject({ status: 'signed-in', sessionId: client.session().sessionId })
      expect(storage.last().sessionId).toBe(client.session().sessionId)
      expect((await other.fetch(`${served.url}/orders`)).status).toBe(200)
      await served.expectEvents(['login.succeeded success'])
    },
  )

  test('one whose answer comes after a new log-in of the other one leaves that alone', async () => {
    const served = await serveGate(sqlite)
    const storage = memoryStorage()
    const { client, anna } = await served.signedIn({ storage })
    const other = served.client({ storage })
    served.faults.set(REFRESH, [(_request, _response, answer) => void other.login(anna).then(answer)])
    const { sessionId } = await client.refresh()
    expect(sessionId).toBe(other.session().sessionId)
    expect(storage.load()).toMatchObject({ session: { sessionId } })
    await served.expectEvents(['login.succeeded success', 'session.refreshed success'])
  })

  test('one whose answer comes late does not put an old token over a newer one', async () => {
    const served = await serveGate(sqlite)
    const storage = memoryStorage()
    const { client } = await served.signedIn({ storage })
    const other = served.client({ storage })
    const twice = () => other.refresh().then(() => other.refresh())
    served.faults.set(REFRESH, [lateAnswer(twice)])
    await client.refresh()
    expect(storage.load()).toMatchObject({ session: { step: 2 } })
    served.on.clock.advance(601_000)
    expect((await client.fetch(`${served.url}/orders`)).status).toBe(200)
    await served.expectEvents([
      'session.refreshed success',
      'session.refreshed success grace',
      'session.refreshed success',
      'session.refreshed success',
    ])
  })
})

test('an answer that comes after the log-out brings nothing back', async () => {
  const served = await serveGate(sqlite)
  const storage = memoryStorage()
  const { client } = await served.signedIn({ storage })
  let release = () => {}
  served.faults.set(REFRESH, [
    (_request, _response, answer) => {
      release = answer
    },
  ])
  const refreshing = codeOf(client.refresh())
  await until('the refresh is on its way', async () => refreshesOf(served) === 1)
  const leaving = client.logout()
  await until('the log-out has been answered', async () => (await served.on.events()).at(-1)?.type === 'session.ended')
  release()
  await leaving
  expect(await refreshing).toBe('ERR_REFRESH_ENDED')
  expect(client.session()).toMatchObject({ status: 'signed-out' })
  expect(storage.load()).toMatchObject({ session: null })
  await served.expectEvents(['session.ended success logout', 'session.refresh-refused denied ended'])
})
