import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gatebook } from '../../src/api.ts'
import { call, openGate, PASSWORD, registerAdmin } from './caller.ts'

const LIMIT = 4096
const WORD = 'correct-horse-battery-staple'

let gate: Gatebook
let admin: string

beforeAll(async () => {
  gate = await openGate({ bodyLimitBytes: LIMIT })
  admin = (await registerAdmin(gate)).access
})
afterAll(() => gate.close())

/** A body of unknown length, and how much of it was asked for. */
function streamOf(chunks: number, chunk: Uint8Array): { stream: ReadableStream<Uint8Array>; taken: () => number } {
  let taken = 0
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (taken === chunks) return controller.close()
        taken++
        controller.enqueue(chunk)
      },
    },
    { highWaterMark: 0 },
  )
  return { stream, taken: () => taken }
}

describe('a body is too large', () => {
  test('by what it declares, and is not read', async () => {
    const { stream, taken } = streamOf(9, new Uint8Array(1024))
    const reply = await call(gate, 'POST /auth/login', {
      body: stream,
      headers: { 'Content-Length': String(LIMIT + 1) },
    })
    expect(reply.status).toBe(413)
    expect(reply.json).toMatchObject({ code: 'ERR_BODY_TOO_LARGE', limit: LIMIT })
    expect(taken()).toBe(0)
  })

  test.each([
    ['without a declared length', {}],
    ['whatever it declares', { 'Content-Length': '20' }],
  ])('by what arrives, %s', async (_, headers) => {
    const { stream, taken } = streamOf(1000, new Uint8Array(1024).fill(32))
    const reply = await call(gate, 'POST /auth/login', { body: stream, headers })
    expect(reply.json.code).toBe('ERR_BODY_TOO_LARGE')
    expect(taken()).toBeLessThan(7)
  })

  test('from one byte over the limit', async () => {
    const json = JSON.stringify({ identifier: 'a@app.example', password: WORD })
    expect((await call(gate, 'POST /auth/login', { body: json.padEnd(LIMIT) })).json.code).toBe('ERR_LOGIN_REFUSED')
    expect((await call(gate, 'POST /auth/login', { body: json.padEnd(LIMIT + 1) })).json.code).toBe(
      'ERR_BODY_TOO_LARGE',
    )
  })
})

describe('a media type', () => {
  const json = JSON.stringify({ identifier: 'a@app.example', password: WORD })
  test.each([
    ['application/json', 401],
    ['Application/JSON', 401],
    ['application/json; charset=utf-8', 401],
    ['application/json;charset="UTF-8"', 401],
    ['application/json; charset=iso-8859-1', 415],
    ['application/json, text/plain', 415],
    ['application/jsonp', 415],
    ['application/problem+json', 415],
    ['application/x-www-form-urlencoded', 415],
    ['text/plain', 415],
    ['', 415],
  ])('%j is answered %i', async (type, status) => {
    const reply = await call(gate, 'POST /auth/login', { body: json, headers: { 'Content-Type': type } })
    expect(reply.status).toBe(status)
    if (status === 415) expect(reply.json.code).toBe('ERR_MEDIA_TYPE')
  })

  test('is not read where the body is compressed', async () => {
    const reply = await call(gate, 'POST /auth/login', { body: json, headers: { 'Content-Encoding': 'gzip' } })
    expect(reply.json.code).toBe('ERR_MEDIA_TYPE')
  })
})

describe('not JSON', () => {
  test.each([
    ['nothing', ''],
    ['half an object', '{"identifier":"a@app.example","password":"correct-horse'],
    ['a word', WORD],
    ['two values', '{} {}'],
    ['a trailing comma', `{"identifier":"a","password":"${WORD}",}`],
    ['a comment', '{/* correct-horse */}'],
    ['a byte order mark', '\ufeff{}'],
    ['not a number', '{"identifier":NaN}'],
  ])('%s', async (_, body) => {
    const reply = await call(gate, 'POST /auth/login', { body })
    expect([reply.status, reply.json.code]).toEqual([400, 'ERR_BODY_MALFORMED'])
    expect(reply.text).not.toContain('correct-horse')
  })

  test('bytes that are not UTF-8', async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"identifier":"a","password":"'),
      Buffer.from([0xff, 0xc3]),
      Buffer.from('"}'),
    ])
    const reply = await call(gate, 'POST /auth/login', { body: streamOf(1, bytes).stream })
    expect(reply.json.code).toBe('ERR_BODY_MALFORMED')
  })

  test('a body that breaks off', async () => {
    const stream = new ReadableStream({
      pull() {
        throw new Error('connection reset while reading correct-horse')
      },
    })
    const reply = await call(gate, 'POST /auth/login', { body: stream })
    expect(reply.json.code).toBe('ERR_BODY_MALFORMED')
    expect(reply.text).not.toContain('correct-horse')
  })
})

describe('members', () => {
  test.each<[route: string, body: unknown, members: readonly string[] | undefined]>([
    ['POST /auth/login', [], undefined],
    ['POST /auth/login', null, undefined],
    ['POST /auth/login', '"correct-horse"', undefined],
    ['POST /auth/login', {}, ['identifier', 'password']],
    ['POST /auth/login', { identifier: 'a@app.example', passwrod: WORD }, ['password', 'passwrod']],
    ['POST /auth/login', { identifier: 7, password: [WORD] }, ['identifier', 'password']],
    ['POST /auth/login', { identifier: 'a', password: WORD, device_token: { t: WORD } }, ['device_token']],
    ['POST /auth/login', `{"identifier":"a","password":"${WORD}","__proto__":{"x":"${WORD}"}}`, ['?']],
    // A name may be a misspelt one, or a password in the wrong place.
    ['POST /auth/login', { identifier: 'a', password: WORD, [WORD]: '' }, ['?']],
    ['POST /auth/refresh', { refresh_token: null }, ['refresh_token']],
    ['POST /auth/logout', { refresh_token: WORD, all: true }, ['all']],
    ['PATCH /admin/api/users/1', { disabled: WORD }, ['disabled']],
    ['PATCH /admin/api/users/1', { roles: ['ok', 'Not OK'] }, ['roles.1']],
    ['POST /admin/api/users', { identifier: 'a', password: WORD, roles: 'admin' }, ['roles']],
  ])('%s %j', async (route, body, members) => {
    const reply = await call(gate, route, { token: admin, body: body === null ? 'null' : body })
    expect([reply.status, reply.json.code]).toEqual([422, 'ERR_BODY_INVALID'])
    expect(reply.json.members).toEqual(members)
    expect(reply.text).not.toContain('correct-horse')
    expect(reply.text).not.toContain('Not OK')
  })

  test('are named up to ten', async () => {
    const names = Array.from({ length: 30 }, (_, at) => `x${'y'.repeat(at)}`)
    const body = Object.fromEntries(names.map((name) => [name, 1]))
    expect((await call(gate, 'POST /auth/login', { body })).json.members).toHaveLength(10)
  })
})

describe('a query', () => {
  test.each([
    ['GET /auth/me?access_token=correct-horse', ['access_token']],
    ['GET /auth/me?verbose=1', ['verbose']],
    ['GET /auth/activity?limit=0', ['limit']],
    ['GET /auth/activity?limit=501', ['limit']],
    ['GET /auth/activity?limit=0x10', ['limit']],
    ['GET /auth/activity?limit=', ['limit']],
    ['GET /auth/activity?limit=5&limit=6', ['limit']],
    ['POST /auth/logout?scope=everything', ['scope']],
    ['GET /admin/api/events?outcome=maybe', ['outcome']],
    ['GET /admin/api/events?ip=10.0.0.0/33', ['ip']],
    ['GET /admin/api/events?from=yesterday', ['from']],
    ['GET /admin/api/events?from=2026-02-30', ['from']],
    ['GET /admin/api/events?to=2026-01-01T00:00', ['to']],
    ['GET /admin/api/events?type=Login', ['type']],
    ['GET /admin/api/events?event=evt_1', ['event']],
    ['GET /admin/api/events?q=correct-horse', ['q']],
    [`GET /admin/api/events?q=${'a'.repeat(4001)}`, ['q']],
    ['GET /admin/api/events?q=user:1&time_zone=Europe/Nowhere', ['time_zone']],
    ['GET /admin/api/events?user=1&time_zone=UTC', ['time_zone']],
  ])('%s is not accepted', async (line, members) => {
    const reply = await call(gate, line, { token: admin })
    expect([reply.status, reply.json.code]).toEqual([422, 'ERR_QUERY_INVALID'])
    expect(reply.json.members).toEqual(members)
    expect(reply.text).not.toContain('correct-horse')
  })

  test.each([
    'type=login.*',
    'event=evt_01m880bbbh2agzp3bf8daxj1t0',
    'q=',
    'q=since:2026-01-01&time_zone=Asia/Seoul',
    'from=0&to=1760000000000',
    'from=2026-01-01&to=2026-01-01T12:30:00.5%2B02:00',
    'ip=2001:db8::/32&outcome=success&reason=logout&user=usr_1&identifier=a%40app.example&session=ses_01m880bbbh2agzp3bf8daxj1t0&request=r&device=dev_01m880bbbh2agzp3bf8daxj1t0&limit=500',
  ])('of events may be %s', async (query) => {
    expect((await call(gate, `GET /admin/api/events?${query}`, { token: admin })).status).toBe(200)
  })
})

test('a logout needs no body, a log-in does', async () => {
  const { json } = await call(gate, 'POST /auth/login', {
    body: { identifier: 'root@app.example', password: PASSWORD },
  })
  expect((await call(gate, 'POST /auth/logout', { token: json.access_token })).status).toBe(204)
  expect(
    (
      await call(gate, 'POST /auth/logout', {
        token: json.access_token,
        headers: { 'Content-Type': 'application/json' },
      })
    ).status,
  ).toBe(204)
  expect((await call(gate, 'POST /auth/login')).status).toBe(400)
})
