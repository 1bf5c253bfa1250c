import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gatebook } from '../../src/api.ts'
import { call, openGate, PASSWORD, register, registerAdmin } from './caller.ts'

const PAGE = 'https://page.example'

let gate: Gatebook
let user: { access: string; refresh: string; userId: string }

beforeAll(async () => {
  gate = await openGate({ corsOrigins: [PAGE, 'http://localhost:3000'] })
  user = await register(gate, 'anna@app.example')
})
afterAll(() => gate.close())

describe('every answer', () => {
  test.each([
    'GET /auth/me',
    'POST /auth/login',
    'GET /nowhere',
    'PUT /auth/login',
    'GET /healthz',
    'OPTIONS /auth/me',
    'HEAD /auth/me',
  ])('%s carries the headers', async (line) => {
    const { headers } = await call(gate, line)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'")
    expect(headers.get('strict-transport-security')).toBe('max-age=31536000')
    expect(headers.get('x-request-id')).toMatch(/^req_[0-9a-z]{26}$/)
  })

  test('but the keys may be kept for ten minutes', async () => {
    const { status, headers } = await call(gate, 'GET /.well-known/jwks.json')
    expect([status, headers.get('cache-control')]).toEqual([200, 'public, max-age=600'])
  })

  test('without https, does not ask for https', async () => {
    const plain = await openGate({ issuer: 'http://localhost:4280' })
    expect((await call(plain, 'GET /healthz')).headers.has('strict-transport-security')).toBe(false)
    await plain.close()
  })
})

describe('the request id', () => {
  test('of the caller stands in the answer, the problem and the event', async () => {
    const headers = { 'X-Request-Id': 'abc-1.2_3' }
    const refused = await call(gate, 'GET /auth/me', { headers })
    expect(refused.headers.get('x-request-id')).toBe('abc-1.2_3')
    expect(refused.json.request_id).toBe('abc-1.2_3')
    await call(gate, 'POST /auth/login', { headers, body: { identifier: 'anna@app.example', password: PASSWORD } })
    const page = await gate.log.search({ type: 'login.succeeded' })
    expect(page.items[0]).toMatchObject({ requestId: 'abc-1.2_3', ip: '203.0.113.9', ipSource: 'socket' })
  })

  test.each(['', 'a b', 'a'.repeat(65), '<b>', 'ä'])('%j is replaced', async (id) => {
    const { headers } = await call(gate, 'GET /auth/me', { headers: { 'X-Request-Id': id } })
    expect(headers.get('x-request-id')).toMatch(/^req_/)
  })
})

describe('cross-origin', () => {
  test('a listed page may read the answer', async () => {
    const { headers } = await call(gate, 'GET /auth/me', { headers: { Origin: PAGE } })
    expect(headers.get('access-control-allow-origin')).toBe(PAGE)
    expect(headers.get('access-control-expose-headers')).toBe('Retry-After, X-Request-Id, WWW-Authenticate')
    expect(headers.has('access-control-allow-credentials')).toBe(false)
    expect(headers.get('vary')).toBe('Origin')
  })

  test('a listed page may ask first', async () => {
    const { status, headers, text } = await call(gate, 'OPTIONS /auth/sessions/ses_1', {
      headers: {
        Origin: PAGE,
        'Access-Control-Request-Method': 'DELETE',
        'Access-Control-Request-Headers': 'authorization',
      },
    })
    expect([status, text]).toEqual([204, ''])
    expect(headers.get('access-control-allow-origin')).toBe(PAGE)
    expect(headers.get('access-control-allow-methods')).toBe('DELETE, OPTIONS')
    expect(headers.get('access-control-allow-headers')).toContain('Authorization, Content-Type')
    expect(headers.get('access-control-max-age')).toBe('600')
  })

  test.each([
    'https://page.example.evil',
    'https://PAGE.example',
    'https://page.example:8443',
    'http://page.example',
    'null',
    '',
  ])('%j gets nothing', async (origin) => {
    for (const line of ['GET /auth/me', 'OPTIONS /auth/me']) {
      const { headers } = await call(gate, line, {
        headers: { Origin: origin, 'Access-Control-Request-Method': 'GET' },
      })
      expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
      expect(headers.get('vary')).toBe('Origin')
    }
  })

  test.each(['*', 'null', 'https://page.example/', 'page.example', 'https://*.example', 'ftp://page.example'])(
    '%j is no origin to allow',
    async (origin) => {
      await expect(openGate({ corsOrigins: [origin] })).rejects.toMatchObject({
        code: 'ERR_OPTION_INVALID',
        detail: expect.stringContaining('corsOrigins'),
      })
    },
  )
})

describe('a path', () => {
  test.each([
    '/',
    '/auth',
    '/auth/',
    '/auth/login/',
    '/AUTH/login',
    '/auth/%6Cogin',
    '/auth//login',
    '/.well-known/security.txt',
    '/admin',
    '/admin/api',
    '/healthz/',
  ])('%s is nothing', async (path) => {
    const reply = await call(gate, `POST ${path}`, { body: {} })
    expect([reply.status, reply.json.code]).toEqual([404, 'ERR_NOT_FOUND'])
  })

  test.each([
    ['GET /auth/login', 'POST, OPTIONS'],
    ['PUT /auth/me', 'GET, HEAD, OPTIONS'],
    ['DELETE /admin/api/users/usr_1', 'GET, PATCH, HEAD, OPTIONS'],
    ['POST /.well-known/jwks.json', 'GET, HEAD, OPTIONS'],
    ['HEAD /auth/logout', 'POST, OPTIONS'],
  ])('%s is not offered', async (line, allow) => {
    const { status, headers } = await call(gate, line)
    expect([status, headers.get('allow')]).toEqual([405, allow])
  })

  test('is answered to HEAD as to GET, without the body', async () => {
    const get = await call(gate, 'GET /auth/me', { token: user.access })
    const head = await call(gate, 'HEAD /auth/me', { token: user.access })
    expect([head.status, head.text, head.headers.get('content-length')]).toEqual([200, '', String(get.text.length)])
  })

  test('of the admin API and of operations is there only when it is switched on', async () => {
    const bare = await openGate({ adminPath: '', operationsPath: '/ops' })
    for (const path of ['/admin/api/events', '/api/events', '/healthz']) {
      expect([bare.handles(path), (await call(bare, `GET ${path}`)).status]).toEqual([false, 404])
    }
    expect([bare.handles('/ops/healthz'), (await call(bare, 'GET /ops/healthz')).status]).toEqual([true, 200])
    await bare.close()
  })
})

describe('a problem', () => {
  test('is a document of RFC 9457', async () => {
    const reply = await call(gate, 'POST /auth/register', {
      body: { identifier: 'ben@app.example', password: 'short' },
    })
    expect(reply.status).toBe(422)
    expect(reply.headers.get('content-type')).toBe('application/problem+json')
    expect(reply.json).toEqual({
      type: 'about:blank',
      title: 'Unprocessable Entity',
      status: 422,
      code: 'ERR_PASSWORD_TOO_SHORT',
      detail: 'The password is too short.',
      minimum: 15,
      request_id: reply.headers.get('x-request-id'),
    })
  })

  const realm = 'Bearer realm="gatebook"'
  const invalid = `${realm}, error="invalid_token", error_description="The access token is not valid."`
  test.each([
    ['nothing', undefined, 'ERR_TOKEN_MISSING', realm],
    ['another scheme', 'Basic YTpi', 'ERR_TOKEN_MISSING', realm],
    ['a scheme that begins like it', 'BearerX abc', 'ERR_TOKEN_MISSING', realm],
    ['no token', 'Bearer', 'ERR_TOKEN_INVALID', invalid],
    ['two tokens', 'Bearer a.b.c d.e.f', 'ERR_TOKEN_INVALID', invalid],
    ['two headers', 'Bearer a.b.c, Bearer d.e.f', 'ERR_TOKEN_INVALID', invalid],
    ['no JWT', 'bearer a.b.c', 'ERR_TOKEN_INVALID', invalid],
    ['a long text', `Bearer ${'a'.repeat(9000)}`, 'ERR_TOKEN_INVALID', invalid],
  ])('for %s in Authorization challenges as RFC 6750 says', async (_, authorization, code, challenge) => {
    const reply = await call(
      gate,
      'GET /auth/me',
      authorization === undefined ? {} : { headers: { Authorization: authorization } },
    )
    expect([reply.status, reply.json.code, reply.headers.get('www-authenticate')]).toEqual([401, code, challenge])
  })

  test('for an ended session says so, for a log-in nothing about tokens', async () => {
    const other = await register(gate, 'carl@app.example')
    await call(gate, 'POST /auth/logout', { token: other.access })
    const ended = await call(gate, 'GET /auth/me', { token: other.access })
    expect(ended.json.code).toBe('ERR_TOKEN_REVOKED')
    expect(ended.headers.get('www-authenticate')).toContain('error="invalid_token"')
    const refused = await call(gate, 'POST /auth/login', {
      body: { identifier: 'carl@app.example', password: 'wrong wrong wrong' },
    })
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, realm])
  })

  test('for a missing role asks for more scope', async () => {
    const reply = await call(gate, 'GET /admin/api/users', { token: user.access })
    expect([reply.status, reply.json.code]).toEqual([403, 'ERR_FORBIDDEN'])
    expect(reply.headers.get('www-authenticate')).toContain('error="insufficient_scope"')
    const admin = await registerAdmin(gate)
    expect((await call(gate, 'GET /admin/api/users', { token: admin.access })).status).toBe(200)
  })
})
