import express, { type ErrorRequestHandler, type Express } from 'express'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { gatebook, requestContext, requireUser } from '../../src/adapters/express.ts'
import type { AccessClaims, Gatebook } from '../../src/api.ts'
import { openGate, PASSWORD, register, registerAdmin } from '../http/caller.ts'
import { type Listening, listen } from './listener.ts'

let gate: Gatebook
let user: { access: string; userId: string }
const servers: Listening[] = []

beforeAll(async () => {
  gate = await openGate({ bodyLimitBytes: 4096 })
  user = await register(gate, 'anna@app.example')
})
afterAll(async () => {
  for (const server of servers) await server.close()
  await gate.close()
})

async function start(mount: (app: Express) => void): Promise<string> {
  const app = express()
  mount(app)
  const server = await listen(app)
  servers.push(server)
  return server.url
}

function post(
  url: string,
  body: string,
  type = 'application/json',
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': type, ...headers },
    body,
    signal: AbortSignal.timeout(5000),
  })
}

const login = JSON.stringify({ identifier: 'anna@app.example', password: PASSWORD })

describe.each<[string, (app: Express) => void]>([
  ['before express.json()', (app) => app.use(gatebook(gate)).use(express.json())],
  ['after express.json()', (app) => app.use(express.json()).use(gatebook(gate))],
  ['after express.text()', (app) => app.use(express.text({ type: '*/*' })).use(gatebook(gate))],
  ['after express.raw()', (app) => app.use(express.raw({ type: '*/*' })).use(gatebook(gate))],
])('mounted %s', (name, mount) => {
  let url: string
  beforeAll(async () => {
    url = await start((app) => {
      mount(app)
      app.post('/echo', (request, response) => void response.send(request.body))
      app.get('/auth-less', (_request, response) => void response.send('the application'))
    })
  })

  test('logs in, with the address of the socket in the event', async () => {
    const response = await post(`${url}/auth/login`, login)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ token_type: 'Bearer', user_id: user.userId })
    const { items } = await gate.log.search({ type: 'login.succeeded' })
    expect(items[0]).toMatchObject({ ip: '127.0.0.1', ipSource: 'socket' })
  })

  test('leaves the other paths to the application', async () => {
    expect(await (await fetch(`${url}/auth-less`)).text()).toBe('the application')
    if (name.endsWith('json()')) expect(await (await post(`${url}/echo`, '{"a":1}')).json()).toEqual({ a: 1 })
    expect((await fetch(`${url}/nowhere`)).headers.get('content-type')).toMatch(/^text\/html/)
  })

  test.each([
    ['an unknown member', '{"identifier":"a","password":"b","c":1}', 'application/json', 422],
    ['a form', 'identifier=a&password=b', 'application/x-www-form-urlencoded', 415],
    ['a large body', JSON.stringify({ identifier: 'a', password: 'b'.repeat(9000) }), 'application/json', 413],
  ])('refuses %s', async (_, body, type, status) => {
    expect((await post(`${url}/auth/login`, body, type)).status).toBe(status)
  })

  test('refuses nothing at all, which express.json() takes for an empty object', async () => {
    const { status } = await post(`${url}/auth/login`, '')
    expect(status).toBe(name === 'after express.json()' ? 422 : 400)
  })

  test('logs out without a body', async () => {
    const { access } = await register(gate, `${name.replaceAll(/\W/g, '')}@app.example`)
    const response = await fetch(`${url}/auth/logout`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${access}` },
    })
    expect(response.status).toBe(204)
  })
})

test('a body that was unpacked by a parser counts as what it became', async () => {
  const url = await start((app) => void app.use(express.json()).use(gatebook(gate)))
  const zipped = new Response(new Blob([login]).stream().pipeThrough(new CompressionStream('gzip')))
  const response = await fetch(`${url}/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' },
    body: await zipped.arrayBuffer(),
  })
  expect(response.status).toBe(200)
})

describe('requireUser', () => {
  let url: string
  const seen: unknown[] = []
  beforeAll(async () => {
    url = await start((app) => {
      app.use(gatebook(gate))
      app.get('/orders', requireUser(gate), (request, response) => {
        const caller: AccessClaims | undefined = request.user
        response.json({ user: caller?.userId, context: requestContext(gate, request) })
      })
      app.get('/reports', requireUser(gate, { role: 'admin' }), (_request, response) => void response.send('reports'))
      const broken = { ...gate, authenticate: () => Promise.reject(new RangeError('broken')) }
      app.get('/broken', requireUser(broken), (_request, response) => void response.send('never'))
      const onError: ErrorRequestHandler = (error, _request, response, _next) => {
        seen.push(error)
        response.status(500).send('the application saw it')
      }
      app.use(onError)
    })
  })
  const get = (path: string, token?: string) =>
    fetch(url + path, {
      headers: { 'X-Request-Id': 'r-1', ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) },
    })

  test('sets req.user', async () => {
    const response = await get('/orders', user.access)
    expect(await response.json()).toMatchObject({ user: user.userId, context: { ip: '127.0.0.1', requestId: 'r-1' } })
  })

  test.each([
    [undefined, 'ERR_TOKEN_MISSING', 'Bearer realm="gatebook"'],
    ['a.b.c', 'ERR_TOKEN_INVALID', expect.stringContaining('error="invalid_token"')],
  ])('refuses %s', async (token, code, challenge) => {
    const response = await get('/orders', token)
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, challenge])
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.json()).toMatchObject({ code, request_id: 'r-1' })
  })

  test('asks for a role', async () => {
    const forbidden = await get('/reports', user.access)
    expect([forbidden.status, forbidden.headers.get('www-authenticate')]).toEqual([
      403,
      expect.stringContaining('insufficient_scope'),
    ])
    const admin = await registerAdmin(gate)
    expect(await (await get('/reports', admin.access)).text()).toBe('reports')
  })

  test('refuses a session that has ended', async () => {
    const { access } = await register(gate, 'gone@app.example')
    await gate.logout({ accessToken: access })
    expect(await (await get('/orders', access)).json()).toMatchObject({ code: 'ERR_TOKEN_REVOKED' })
  })

  test('hands a failure to the application, and does not let the caller in', async () => {
    expect(await (await get('/broken', user.access)).text()).toBe('the application saw it')
    expect(seen).toEqual([new RangeError('broken')])
  })
})
