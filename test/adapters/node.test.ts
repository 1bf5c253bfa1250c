import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type NodeHandler,
  optionalUser,
  requestContext,
  requireFresh,
  requireRole,
  requireUser,
  toNodeHandler,
  type UserHandler,
} from '../../src/adapters/node.ts'
import { sendResponse } from '../../src/adapters/respond.ts'
import type { AccessClaims, Gatebook } from '../../src/api.ts'
import { openGate, PASSWORD, register } from '../http/caller.ts'
import { adapterContract, type StartApplication, unlucky } from './adapters.contract.ts'
import { callerOf, JSON_LIMIT, OWN_COOKIE, ordersOf } from './applications.ts'
import { closing, type Listening, listen, readBody } from './listener.ts'

const start: StartApplication = async (gate, { bodyParser }) => {
  const tell: UserHandler<AccessClaims | null> = (_request, response, user) =>
    response.end(JSON.stringify(callerOf(user)))
  const routes: Readonly<Record<string, NodeHandler>> = {
    'GET /plain': (_request, response) => response.end('the application'),
    'POST /echo': async (request, response) => response.end(JSON.stringify((request as { body?: unknown }).body)),
    'GET /orders': requireUser(gate, (request, response, user) =>
      response.end(JSON.stringify(ordersOf(user, requestContext(gate, request)))),
    ),
    'POST /orders': requireUser(gate, async (request, response, { userId }) => {
      const { body = JSON.parse(await readBody(request)) } = request as { body?: unknown }
      response.end(JSON.stringify({ user: userId, body }))
    }),
    'GET /greeting': optionalUser(gate, tell),
    'GET /reports': requireRole(gate, 'admin', tell),
    'GET /transfers': requireFresh(gate, 60, tell),
    'GET /audits': requireUser(gate, tell, { role: 'admin', maxAgeSeconds: 60 }),
    'GET /unlucky': requireUser(unlucky(gate), tell),
  }
  const application: NodeHandler = (request, response) => {
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const route = routes[`${method} ${request.url}`]
    if (route !== undefined) route(request, response)
    else response.writeHead(404).end('not found')
  }
  /** As a parser does that somebody wrote for himself. */
  const parsing =
    (next: NodeHandler): NodeHandler =>
    async (request, response) => {
      const isJson = request.headers['content-type'] === 'application/json'
      const tooLarge = Number(request.headers['content-length']) > JSON_LIMIT
      if (isJson && tooLarge) return response.writeHead(413, { Connection: 'close' }).end()
      try {
        if (isJson) Object.assign(request, { body: JSON.parse(await readBody(request)) })
      } catch {
        return response.destroy()
      }
      return next(request, response)
    }
  const mounted = {
    none: toNodeHandler(gate, application),
    before: parsing(toNodeHandler(gate, application)),
    after: toNodeHandler(gate, parsing(application)),
  }[bodyParser]
  return listen((request, response) => {
    response.setHeader('Set-Cookie', OWN_COOKIE)
    mounted(request, response)
  })
}

adapterContract('node:http', start, { answersFailures: true, handlersMayNotThrow: true })

let gate: Gatebook
let server: Listening
let user: { access: string; userId: string }

beforeAll(async () => {
  gate = await openGate()
  user = await register(gate, 'anna@app.example')
  const handler = toNodeHandler(gate)
  server = await listen((request, response) => {
    if (request.url === '/context')
      response.end(JSON.stringify([requestContext(gate, request), requestContext(gate, request)]))
    else handler(request, response)
  })
})
afterAll(async () => {
  await server.close()
  await gate.close()
})

function post(path: string, body: RequestInit['body'], headers: Record<string, string> = {}): Promise<Response> {
  return fetch(server.url + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: body ?? null,
    duplex: 'half',
  } as RequestInit)
}

const login = JSON.stringify({ identifier: 'anna@app.example', password: PASSWORD })

describe('the listener', () => {
  test('logs in, with the address of the socket in the event', async () => {
    const response = await post('/auth/login', login, { 'X-Forwarded-For': '1.1.1.1', 'User-Agent': 'walk/1' })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-length')).toMatch(/^\d+$/)
    const tokens = (await response.json()) as { access_token: string }
    const me = await fetch(`${server.url}/auth/me`, { headers: { Authorization: `Bearer ${tokens.access_token}` } })
    expect(await me.json()).toMatchObject({ user_id: user.userId })
    const { items } = await gate.log.search({ type: 'login.succeeded' })
    expect(items[0]).toMatchObject({
      ip: '127.0.0.1',
      ipSource: 'header-ignored',
      userAgent: 'walk/1',
      subject: user.userId,
    })
  })

  test('takes a body of unknown length', async () => {
    const stream = new Blob([login]).stream()
    expect((await post('/auth/login', stream)).status).toBe(200)
  })

  test('answers 404 for what is not its own', async () => {
    const response = await fetch(`${server.url}/somewhere`)
    expect([response.status, response.headers.get('content-type')]).toEqual([404, 'application/problem+json'])
  })

  test('sends no body to HEAD', async () => {
    const answer = await server.raw(closing('HEAD /healthz'))
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(answer).toMatch(/content-length: 15\r\n/i)
    expect(answer.endsWith('\r\n\r\n')).toBe(true)
  })

  test.each([
    ['OPTIONS *', 404],
    ['GET http://other.example/healthz', 200],
    ['GET //other.example/healthz', 404],
    ['GET /x/../healthz', 404],
    ['GET /auth/%2e%2e/healthz', 404],
    ['GET /auth\\..\\healthz', 404],
    ['GET /./healthz', 404],
    ['TRACE /healthz', 405],
    ['PROPFIND /auth/me', 405],
    ['GET /auth/me?a=%zz', 401],
    ['DELETE /auth/sessions/%ff%2f', 401],
  ])('answers %s with %i', async (line, status) => {
    expect(await server.raw(closing(line))).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
  })

  test('says why it does not take a large body, while it is still being sent', async () => {
    const response = await post('/auth/login', 'x'.repeat(4_000_000))
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([413, 'ERR_BODY_TOO_LARGE'])
    const chunk = new Uint8Array(8192).fill(32)
    let left = 200
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => (left-- > 0 ? controller.enqueue(chunk) : controller.close()),
    })
    const streamed = await post('/auth/login', stream)
    expect([streamed.status, ((await streamed.json()) as { code: string }).code]).toEqual([413, 'ERR_BODY_TOO_LARGE'])
    expect((await post('/auth/login', login)).status).toBe(200)
  })

  test('serves many requests of one connection', async () => {
    const one = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'
    const answer = await server.raw(one.repeat(5) + closing('GET /healthz'))
    expect(answer.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(6)
  })
})

test('the context of a request is the same however often it is asked for', async () => {
  const response = await fetch(`${server.url}/context`, { headers: { 'User-Agent': 'walk/1' } })
  const [first, second] = (await response.json()) as [{ requestId: string }, unknown]
  expect(first).toEqual({
    ip: '127.0.0.1',
    ipSource: 'socket',
    userAgent: 'walk/1',
    requestId: expect.stringMatching(/^req_/),
  })
  expect(second).toEqual(first)
})

test('an answer without a body says so, and its headers can be read when it is out', async () => {
  let requestId: unknown
  const bare = await listen((request, response) => {
    response.once('finish', () => {
      requestId = response.getHeader('x-request-id')
    })
    sendResponse(request, response, { status: 202, headers: { 'X-Request-Id': 'r-1' }, setCookies: [], body: null })
  })
  const answer = await bare.raw(closing('GET /'))
  await bare.close()
  expect(answer).toMatch(/^HTTP\/1\.1 202 [\s\S]*\r\nContent-Length: 0\r\n\r\n$/)
  expect(answer).not.toMatch(/transfer-encoding/i)
  expect(requestId).toBe('r-1')
})
