import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requestContext, requireUser, toNodeHandler } from '../../src/adapters/node.ts'
import type { Gatebook } from '../../src/api.ts'
import { openGate, PASSWORD, register, registerAdmin } from '../http/caller.ts'
import { closing, type Listening, listen } from './listener.ts'

let gate: Gatebook
let server: Listening
let user: { access: string; userId: string }

beforeAll(async () => {
  gate = await openGate()
  user = await register(gate, 'anna@app.example')
  const handler = toNodeHandler(gate)
  const orders = requireUser(gate, (_request, response, { userId }) => response.end(`orders of ${userId}`))
  const admins = requireUser(gate, (_request, response) => response.end('for admins'), { role: 'admin' })
  server = await listen((request, response) => {
    if (request.url === '/orders') orders(request, response)
    else if (request.url === '/admins') admins(request, response)
    else if (request.url === '/context')
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

  test('refuses two Authorization headers, of which node:http would show the first', async () => {
    const bearer = `Authorization: Bearer ${user.access}`
    expect(await server.raw(closing('GET /auth/me', bearer))).toMatch(/^HTTP\/1\.1 200/)
    expect(await server.raw(closing('GET /auth/me', bearer, bearer))).toMatch(/^HTTP\/1\.1 401[\s\S]*ERR_TOKEN_INVALID/)
    expect(await server.raw(closing('GET /orders', bearer, bearer))).toMatch(/^HTTP\/1\.1 401[\s\S]*ERR_TOKEN_INVALID/)
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

  test('closes on a client that sends for ever', async () => {
    const { port } = new URL(server.url)
    const started = Date.now()
    const answer = await new Promise<string>((resolve) => {
      let received = ''
      const socket = connect(Number(port), '127.0.0.1')
      socket.write(
        'POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
      )
      const pump = setInterval(() => socket.write(`1000\r\n${' '.repeat(4096)}\r\n`), 5)
      socket.setEncoding('latin1').on('data', (part) => {
        received += part
      })
      socket.on('error', () => {})
      socket.on('close', () => {
        clearInterval(pump)
        resolve(received)
      })
    })
    expect(answer).toMatch(/^HTTP\/1\.1 413 [\s\S]*ERR_BODY_TOO_LARGE/)
    expect(Date.now() - started).toBeLessThan(5000)
  })

  test('survives a client that leaves in the middle of its body', async () => {
    const { port } = new URL(server.url)
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => {
        socket.write(
          'POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"ident',
        )
        setTimeout(() => socket.resetAndDestroy(), 50)
      })
      socket.on('close', () => resolve())
    })
    expect((await post('/auth/login', login)).status).toBe(200)
  })

  test('serves many requests of one connection', async () => {
    const one = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'
    const answer = await server.raw(one.repeat(5) + closing('GET /healthz'))
    expect(answer.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(6)
  })
})

describe('requireUser', () => {
  const get = (path: string, token?: string) =>
    fetch(server.url + path, {
      headers: token === undefined ? {} : { Authorization: `Bearer ${token}`, 'X-Request-Id': 'r-1' },
    })

  test('lets the verified caller through', async () => {
    expect(await (await get('/orders', user.access)).text()).toBe(`orders of ${user.userId}`)
  })

  test('answers everybody else', async () => {
    const missing = await get('/orders')
    expect([missing.status, missing.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="gatebook"'])
    const invalid = await get('/orders', 'a.b.c')
    expect(invalid.headers.get('www-authenticate')).toContain('error="invalid_token"')
    expect(await invalid.json()).toMatchObject({ code: 'ERR_TOKEN_INVALID', request_id: 'r-1' })
  })

  test('asks for a role', async () => {
    const forbidden = await get('/admins', user.access)
    expect([forbidden.status, ((await forbidden.json()) as { code: string }).code]).toEqual([403, 'ERR_FORBIDDEN'])
    const admin = await registerAdmin(gate)
    expect((await get('/admins', admin.access)).status).toBe(200)
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
