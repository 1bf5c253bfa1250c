import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { CLIENT_CODES } from '../../src/client/client-error.ts'
import {
  type ClientOptions,
  createClient,
  memoryStorage,
  type SessionState,
  webStorage,
} from '../../src/client/index.ts'
import { OPTION_NAMES } from '../../src/client/settings.ts'
import { ROOT } from '../support/consumer.ts'
import { findEngine } from '../support/engines.ts'
import { codeOf, WRONG_PASSWORD } from '../support/gate.ts'
import { hangUp, problem, serveGate } from './served-gate.ts'

const sqlite = findEngine('sqlite')!
const admin = { ip: '198.51.100.1', ipSource: 'socket' } as const

/** Another origin: writes down what it is sent, and answers 200. */
async function serveElsewhere(): Promise<{ url: string; authorizations: (string | undefined)[] }> {
  const authorizations: (string | undefined)[] = []
  const server = createServer((request, response) => {
    authorizations.push(request.headers.authorization)
    response.end('elsewhere')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, authorizations }
}

describe('signing in and out', () => {
  test('changes the state, which is told in order', async () => {
    const told: SessionState[] = []
    const served = await serveGate(sqlite)
    const client = served.client({ onChange: (state) => told.push(state) })
    expect(client.session()).toEqual({
      status: 'unknown',
      userId: null,
      sessionId: null,
      expiresAt: null,
      reason: null,
    })
    const anna = served.on.person()
    expect(await client.register(anna)).toBe('signed-in')
    const { userId, sessionId, roles } = await client.me()
    const now = served.on.clock.now()
    expect(client.session()).toEqual({
      status: 'signed-in',
      userId,
      sessionId,
      expiresAt: now + 600_000,
      reason: null,
    })
    expect(roles).toEqual([])
    await client.logout()
    expect(client.session()).toMatchObject({ status: 'signed-out', userId: null, reason: 'logout' })
    expect(told.map(({ status }) => status)).toEqual(['signed-out', 'signed-in', 'signed-out'])
    expect(await codeOf(client.me())).toBe('ERR_TOKEN_MISSING')
    await client.logout()
    await served.expectEvents([
      'user.registered success',
      'login.succeeded success',
      'session.ended success logout',
      'token.refused denied missing',
    ])
  })

  test('a refusal says what the server says', async () => {
    const served = await serveGate(sqlite)
    const { client, anna } = await served.signedIn()
    const before = client.session()
    await expect(client.login({ ...anna, password: WRONG_PASSWORD })).rejects.toMatchObject({
      name: 'ClientError',
      code: 'ERR_LOGIN_REFUSED',
      status: 401,
      detail: 'The identifier or the password is not right, or the account may not log in.',
      requestId: expect.stringMatching(/^req_/),
      retryAfterSeconds: null,
      reason: null,
    })
    expect(client.session()).toEqual(before)
    await served.expectEvents(['login.failed failure wrong-password'])
  })

  test('where mail comes first, nobody is signed in yet', async () => {
    const served = await serveGate(sqlite, { registration: 'confirm', sendConfirmation: async () => undefined })
    const client = served.client()
    expect(await client.register(served.on.person())).toBe('to-be-confirmed')
    expect(client.session().status).toBe('signed-out')
    await served.expectEvents(['registration.requested success'])
  })

  test('the device is known again after a log-out', async () => {
    const served = await serveGate(sqlite)
    const storage = memoryStorage()
    const { client, anna } = await served.signedIn({ storage })
    await client.logout()
    // Another process with the same storage.
    await served.client({ storage }).login(anna)
    const devices = (await served.on.events()).flatMap(({ type, deviceId }) =>
      type === 'login.succeeded' ? deviceId : [],
    )
    expect(devices).toHaveLength(2)
    expect(devices[0]).toMatch(/^dev_/)
    expect(devices[1]).toBe(devices[0])
    await served.expectEvents(['session.ended success logout', 'login.succeeded success'])
  })

  test('the other sessions, or all of them, also with a token that is over', async () => {
    const served = await serveGate(sqlite)
    const { client, anna } = await served.signedIn()
    const other = served.client()
    await other.login(anna)
    served.on.clock.advance(601_000)
    await client.logout('others')
    expect(client.session().status).toBe('signed-in')
    expect((await client.fetch(`${served.url}/orders`)).status).toBe(200)
    expect(await codeOf(other.me())).toBe('ERR_TOKEN_MISSING')
    expect(other.session().status).toBe('signed-out')
    await client.logout('all')
    expect(client.session()).toMatchObject({ status: 'signed-out', reason: 'logout' })
    expect(await codeOf(client.logout('all'))).toBe('ERR_SIGNED_OUT')
    await served.expectEvents([
      'login.succeeded success',
      'session.refreshed success',
      'session.ended success logout-everywhere',
      'session.refresh-refused denied ended',
      'session.ended success logout',
      'token.refused denied missing',
    ])
  })

  test('a log-out that does not reach the server changes nothing', async () => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    served.faults.set('POST /auth/logout', [hangUp, problem(503, 'ERR_UNAVAILABLE')])
    expect(await codeOf(client.logout())).toBe('ERR_NETWORK')
    expect(await codeOf(client.logout())).toBe('ERR_UNAVAILABLE')
    expect(client.session().status).toBe('signed-in')
    await client.logout()
    await served.expectEvents(['session.ended success logout'])
  })

  test.each([
    'ERR_REFRESH_INVALID',
    'ERR_REFRESH_ENDED',
    'ERR_REFRESH_EXPIRED',
    'ERR_TOKEN_MISSING',
    'ERR_TOKEN_INVALID',
  ])('a log-out from a server that does not know the session, by %s, forgets it', async (code) => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    served.faults.set('POST /auth/logout', [problem(401, code)])
    await client.logout()
    expect(client.session().status).toBe('signed-out')
  })

  test.each([
    ['a page of a proxy', 'ERR_REFRESH_INVALID', 'text/html', 'ERR_ANSWER_MALFORMED'],
    ['JSON of another API', 'ERR_REFRESH_INVALID', 'application/json', 'ERR_ANSWER_MALFORMED'],
    ['a code that says nothing of the session', 'ERR_OF_A_PROXY', 'application/problem+json', 'ERR_OF_A_PROXY'],
  ])('a log-out that is answered 401 with %s changes nothing', async (_name, sent, type, code) => {
    const served = await serveGate(sqlite)
    const storage = memoryStorage()
    const { client } = await served.signedIn({ storage })
    const before = [client.session(), storage.load()]
    served.faults.set('POST /auth/logout', [problem(401, sent, {}, { 'Content-Type': type })])
    await expect(client.logout()).rejects.toMatchObject({ name: 'ClientError', code, status: 401 })
    expect([client.session(), storage.load()]).toEqual(before)
    await client.logout()
    await served.expectEvents(['session.ended success logout'])
  })
})

describe('a server that cannot be reached', () => {
  test('is ERR_NETWORK, and the session is kept', async () => {
    const served = await serveGate(sqlite)
    const { client, anna } = await served.signedIn()
    await served.stop()
    for (const call of [() => client.fetch('/orders'), () => client.me(), () => client.login(anna), client.refresh]) {
      await expect(call()).rejects.toMatchObject({ name: 'ClientError', code: 'ERR_NETWORK', status: null })
    }
    expect(client.session().status).toBe('signed-in')
  })

  test('what the caller breaks off is broken off, also while it waits for a refresh', async () => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    await expect(client.fetch(`${served.url}/orders`, { signal: AbortSignal.abort() })).rejects.toThrow(/aborted/)
    served.on.clock.advance(601_000)
    const controller = new AbortController()
    served.faults.set('POST /auth/refresh', [
      (_request, _response, answer) => {
        controller.abort(new Error('not needed any more'))
        answer()
      },
    ])
    await expect(client.fetch(`${served.url}/orders`, { signal: controller.signal })).rejects.toThrow(/not needed/)
    // The others who wait for it have it.
    expect((await client.fetch(`${served.url}/orders`)).status).toBe(200)
    await served.expectEvents(['session.refreshed success'])
  })
})

describe('the access token', () => {
  test('is sent to the origin of the server and to those that are named', async () => {
    const elsewhere = await serveElsewhere()
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    expect(await (await client.fetch(`${elsewhere.url}/x`)).text()).toBe('elsewhere')
    await client.fetch(new Request(`${elsewhere.url}/x`))
    expect(elsewhere.authorizations).toEqual([undefined, undefined])
    const { client: trusting } = await served.signedIn({ apiOrigins: [elsewhere.url] })
    await trusting.fetch(`${elsewhere.url}/x`)
    expect(elsewhere.authorizations[2]).toMatch(/^Bearer eyJ/)
    expect((await trusting.fetch('/orders')).status).toBe(200)
  })

  test.each<[string, (own: string, foreign: string) => unknown]>([
    ['a Request', (own, foreign) => ({ url: own, toString: () => foreign })],
    ['a URL', (own, foreign) => ({ origin: own, href: own, toString: () => foreign })],
    [
      'a URL at first',
      (own, foreign) => {
        const texts = [foreign, own]
        return { toString: () => texts.shift() ?? foreign }
      },
    ],
    ['a URL of its own kind', (own, foreign) => Object.defineProperty(new URL(foreign), 'origin', { value: own })],
    ['a Request of its own kind', (own, foreign) => Object.defineProperty(new Request(foreign), 'url', { value: own })],
  ])('is not sent elsewhere for what only looks like %s', async (_name, input) => {
    const elsewhere = await serveElsewhere()
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    const response = await client.fetch(input(served.url, `${elsewhere.url}/x`) as string)
    expect(await response.text()).toBe('elsewhere')
    expect(elsewhere.authorizations).toEqual([undefined])
  })

  test('goes to the address by which that was decided, whatever it says when it is asked again', async () => {
    const elsewhere = await serveElsewhere()
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    const texts = [`${served.url}/orders`]
    const input = { toString: () => texts.shift() ?? `${elsewhere.url}/x` }
    expect(await (await client.fetch(input as string)).text()).toMatch(/^orders of/)
    expect(elsewhere.authorizations).toEqual([])
  })

  test('does not replace what the caller sends', async () => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    const response = await client.fetch('/orders', { headers: { authorization: 'Bearer of-the-caller' } })
    expect(response.status).toBe(401)
    expect(served.requests.filter((line) => line.includes('/orders'))).toHaveLength(1)
    expect(served.requests).not.toContain('POST /auth/refresh')
    await served.expectEvents(['token.refused denied invalid'])
  })

  test('is not sent after a redirect, wherever it leads', async () => {
    const elsewhere = await serveElsewhere()
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    for (const to of [`${elsewhere.url}/x`, '/orders']) {
      const away = `/away?to=${encodeURIComponent(to)}`
      await expect(client.fetch(away)).rejects.toMatchObject({ code: 'ERR_REDIRECT_REFUSED', status: 307 })
      expect((await client.fetch(away, { redirect: 'manual' })).status).toBe(307)
      expect(await codeOf(client.fetch(away, { redirect: 'error' }))).toBe('ERR_NETWORK')
    }
    expect(elsewhere.authorizations).toEqual([])
    expect(served.requests).not.toContain('GET /orders bearer')
    // Nothing is carried where nobody is signed in.
    await client.logout()
    expect((await client.fetch(`/away?to=${encodeURIComponent(`${elsewhere.url}/x`)}`)).status).toBe(200)
    expect(elsewhere.authorizations).toEqual([undefined])
    await served.expectEvents(['session.ended success logout'])
  })

  test.each(['/auth/login', '/auth/refresh', '/auth/logout'])('and what %s is sent go nowhere else', async (path) => {
    const elsewhere = await serveElsewhere()
    const served = await serveGate(sqlite)
    const { client, anna } = await served.signedIn()
    served.faults.set(`POST ${path}`, [problem(307, 'ERR_X', {}, { Location: `${elsewhere.url}/x` })])
    const call = path.endsWith('login')
      ? client.login(anna)
      : path.endsWith('logout')
        ? client.logout()
        : client.refresh()
    expect(await codeOf(call)).toBe('ERR_REDIRECT_REFUSED')
    expect(elsewhere.authorizations).toEqual([])
    expect(client.session().status).toBe('signed-in')
  })
})

describe('a request that is refused for its token', () => {
  const stream = () => new Blob(['{}']).stream()
  test.each([
    ['a text', () => ({ body: '{}' }), 2],
    ['bytes', () => ({ body: new TextEncoder().encode('{}') }), 2],
    ['a form', () => ({ body: new URLSearchParams({ a: 'b' }) }), 2],
    ['a file', () => ({ body: new Blob(['{}']) }), 2],
    ['a stream', () => ({ body: stream(), duplex: 'half' }), 1],
    [
      'an iterator',
      () => ({
        body: (async function* () {
          yield new TextEncoder().encode('{}')
        })(),
        duplex: 'half',
      }),
      1,
    ],
  ] as const)('with %s is sent as often as its body can be', async (_name, init, times) => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    served.faults.set('POST /orders', [problem(401, 'ERR_TOKEN_STALE')])
    const response = await client.fetch('/orders', { method: 'POST', ...init() } as unknown as RequestInit)
    expect(response.status).toBe(times === 2 ? 200 : 401)
    expect(served.requests.filter((line) => line === 'POST /orders bearer')).toHaveLength(times)
    // The next one has a new token in any case.
    expect((await client.fetch('/orders')).status).toBe(200)
    expect(served.requests.filter((line) => line === 'POST /auth/refresh')).toHaveLength(1)
    await served.expectEvents(['session.refreshed success'])
  })

  test('as a Request is repeated if it has no body', async () => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    served.faults.set('GET /orders', [problem(401, 'ERR_TOKEN_EXPIRED')])
    served.faults.set('POST /orders', [problem(401, 'ERR_TOKEN_EXPIRED')])
    const headers = { 'X-Own': 'kept' }
    expect((await client.fetch(new Request(`${served.url}/orders`, { headers }))).status).toBe(200)
    const posted = new Request(`${served.url}/orders`, { method: 'POST', body: '{}', headers })
    expect((await client.fetch(posted)).status).toBe(401)
    await served.expectEvents(['session.refreshed success'])
  })
})

describe('a client', () => {
  test('that is closed refuses everything, and the session lives on', async () => {
    const served = await serveGate(sqlite)
    const storage = memoryStorage()
    const { client, anna } = await served.signedIn({ storage })
    await client.close()
    await client.close()
    for (const call of [client.fetch('/orders'), client.me(), client.refresh(), client.login(anna), client.logout()]) {
      expect(await codeOf(call)).toBe('ERR_CLOSED')
    }
    expect((await served.client({ storage }).fetch('/orders')).status).toBe(200)
  })

  test('leaves nothing that keeps a process alive, also when it is not closed', async () => {
    const served = await serveGate(sqlite)
    const anna = served.on.person()
    await served.on.gate.users.create(anna)
    const program = `
      import { createClient } from ${JSON.stringify(new URL('../../src/client/index.ts', import.meta.url).href)}
      const client = createClient({ url: ${JSON.stringify(served.url)} })
      await client.login(${JSON.stringify({ identifier: anna.identifier, password: anna.password })})
      await client.refresh()
      console.log((await client.fetch('/orders')).status, client.session().status)`
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      timeout: 30_000,
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk))
    const ended = await new Promise((resolve) => child.on('close', (status, signal) => resolve(signal ?? status)))
    expect({ ended, output }).toEqual({ ended: 0, output: '200 signed-in\n' })
    await served.expectEvents(['user.registered success', 'login.succeeded success', 'session.refreshed success'])
  })

  test('of another user in the same process is another session', async () => {
    const served = await serveGate(sqlite)
    const { client: first } = await served.signedIn()
    const { client: second } = await served.signedIn()
    await first.logout()
    expect(second.session().status).toBe('signed-in')
    expect((await second.fetch('/orders')).status).toBe(200)
    await served.expectEvents(['session.ended success logout'])
  })

  test('whose storage fails says so, and goes on with what it has', async () => {
    const served = await serveGate(sqlite)
    const storage = memoryStorage()
    let broken = false
    const { client } = await served.signedIn({
      storage: {
        ...storage,
        save(state) {
          if (broken) throw new Error('quota exceeded')
          return storage.save(state)
        },
      },
    })
    broken = true
    await expect(client.refresh()).rejects.toMatchObject({ code: 'ERR_STORAGE', cause: new Error('quota exceeded') })
    expect((await client.fetch('/orders')).status).toBe(200)
    expect(served.requests.filter((line) => line === 'POST /auth/refresh')).toHaveLength(1)
    await served.expectEvents(['session.refreshed success'])
  })

  test('is not signed out by a storage that answers late, with what was there before', async () => {
    const served = await serveGate(sqlite)
    const storage = memoryStorage()
    let release = () => {}
    const late = new Promise<null>((resolve) => {
      release = () => resolve(null)
    })
    let loads = 0
    const load = () => (loads++ === 0 ? late : storage.load())
    const { client } = await served.signedIn({ storage: { ...storage, load } })
    release()
    expect((await client.fetch('/orders')).status).toBe(200)
    expect(client.session().status).toBe('signed-in')
  })

  test.each(['{', '[]', '"x"', '{"session":{"sessionId":7}}'])('takes %s in a storage for nothing', async (text) => {
    const kept = new Map([['gatebook', text]])
    const storage = webStorage({
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => void kept.set(key, value),
      removeItem: (key) => void kept.delete(key),
    })
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn({ storage })
    expect(JSON.parse(kept.get('gatebook')!)).toMatchObject({ session: { sessionId: client.session().sessionId } })
  })

  test.each(['1e999', '1e12', '86401', '0', '-600', '"600"', 'null'])(
    'that is given a token for %s seconds takes it for no answer',
    async (seconds) => {
      const served = await serveGate(sqlite)
      const { client, anna } = await served.signedIn()
      const before = client.session()
      served.faults.set('POST /auth/login', [
        (request, response) => {
          request.resume()
          response.end(
            `{"session_id":"s","user_id":"u","access_token":"a","refresh_token":"r","expires_in":${seconds}}`,
          )
        },
      ])
      expect(await codeOf(client.login(anna))).toBe('ERR_ANSWER_MALFORMED')
      expect(client.session()).toEqual(before)
    },
  )

  test.each([
    ['expiresIn', '1e999'],
    ['expiresIn', '0'],
    ['obtainedAt', '1e999'],
    ['step', '1e999'],
  ])('takes a session with the %s %s in a storage for none', async (name, value) => {
    const served = await serveGate(sqlite)
    const storage = memoryStorage()
    await served.signedIn({ storage })
    const kept = JSON.stringify(storage.load())
    const load = (text: string) => served.client({ storage: { ...storage, load: () => JSON.parse(text) } })
    const odd = kept.replace(new RegExp(`"${name}":\\d+`), `"${name}":${value}`)
    expect(odd).not.toBe(kept)
    expect(await codeOf(load(odd).refresh())).toBe('ERR_SIGNED_OUT')
    expect((await load(kept).refresh()).status).toBe('signed-in')
    await served.expectEvents(['session.refreshed success'])
  })

  test('whose clock was put back refreshes what it finds stored', async () => {
    const served = await serveGate(sqlite)
    const storage = memoryStorage()
    await served.signedIn({ storage })
    const { clock } = served.on
    const late = { monotonic: () => clock.now(), wall: () => clock.now() - 86_400_000 }
    expect((await served.client({ storage, clock: late }).fetch('/orders')).status).toBe(200)
    await served.expectEvents(['session.refreshed success'])
  })
})

describe('options', () => {
  test.each<[string, ClientOptions, RegExp]>([
    ['no url', {}, /^url is needed/],
    ['a url that is none', { url: 'app.example' }, /^url is the address/],
    ['a url with a password', { url: 'https://a:b@app.example' }, /^url is the address/],
    ['a url of another kind', { url: 'file:///tmp' }, /^url is the address/],
    ['an unknown mode', { url: 'https://app.example', mode: 'cookie' as never }, /^mode is/],
    ['cookies where there is no page', { url: 'https://app.example', mode: 'cookies' }, /^Cookies are for browsers/],
    ['an origin with a path', { url: 'https://app.example', apiOrigins: ['https://api.example/'] }, /^apiOrigins/],
    ['every origin', { url: 'https://app.example', apiOrigins: ['*'] }, /^apiOrigins/],
    ['an unknown one', { url: 'https://app.example', storge: memoryStorage() } as never, /^There is no option storge/],
  ])('%s is refused', (_name, options, detail) => {
    expect(() => createClient(options)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION_INVALID', detail: expect.stringMatching(detail) }),
    )
  })

  test('a server below a path', async () => {
    const served = await serveGate(sqlite)
    const client = served.client({ url: `${served.url}/sign-in/` })
    served.faults.set('POST /sign-in/auth/login', [problem(403, 'ERR_FORBIDDEN')])
    expect(await codeOf(client.login(served.on.person()))).toBe('ERR_FORBIDDEN')
  })

  test('an admin’s end of the session is seen at the next request', async () => {
    const served = await serveGate(sqlite)
    const { client } = await served.signedIn()
    await served.on.gate.sessions.endAll(client.session().userId!, 'ended-by-admin', admin)
    expect((await client.fetch('/orders')).status).toBe(401)
    expect(client.session().status).toBe('signed-out')
    await served.expectEvents([
      'session.ended success ended-by-admin',
      'session.refresh-refused denied ended',
      'token.refused denied revoked',
    ])
  })
})

test('docs/client.md lists each of the client’s own codes once, and each option', () => {
  const page = readFileSync(join(ROOT, 'docs/client.md'), 'utf8')
  const rows = (heading: string) => {
    const part = page.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
    return [...part.matchAll(/^\| `([^`]+)`/gm)].map((match) => match[1])
  }
  expect(rows('Errors')).toEqual(Object.keys(CLIENT_CODES))
  expect(rows('Options')).toEqual(OPTION_NAMES.filter((name) => name !== 'clock'))
})
