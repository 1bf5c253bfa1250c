import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ServerProcess, startServerProcess } from '../fault/server-process.ts'
import { exchange, type RawAnswer } from '../hostile/exchange.ts'

let server: ServerProcess

beforeAll(async () => {
  server = await startServerProcess({
    GATEBOOK_DATABASE: 'sqlite::memory:',
    GATEBOOK_SECRET: 'a secret of this test that is long enough for it',
    GATEBOOK_DIAGNOSTICS_LEVEL: 'silent',
  })
})

afterAll(() => server.stop())

async function send(text: string, answers = 1): Promise<RawAnswer[]> {
  const parts = [Buffer.from(text, 'latin1')]
  const port = Number(new URL(server.url).port)
  return exchange(port, { label: '', parts, pauseMilliseconds: 0, answers, methods: [], untilClosed: answers === 0 })
}

const HOST = 'Host: localhost\r\n'
const HEALTH = `GET /healthz HTTP/1.1\r\n${HOST}\r\n`

test.each([
  ['no HTTP at all', 'hello\r\n\r\n', 400, 'ERR_REQUEST_MALFORMED'],
  ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n', 400, 'ERR_REQUEST_MALFORMED'],
  ['two Hosts', `GET /healthz HTTP/1.1\r\n${HOST}${HOST}\r\n`, 400, 'ERR_REQUEST_MALFORMED'],
  [
    'both framings',
    `POST /auth/login HTTP/1.1\r\n${HOST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`,
    400,
    'ERR_REQUEST_MALFORMED',
  ],
  ['large headers', `GET /healthz HTTP/1.1\r\n${HOST}X: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'ERR_HEADERS_TOO_LARGE'],
  [
    'a body that ends too early',
    `POST /auth/login HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\nzz\r\n`,
    400,
    'ERR_REQUEST_MALFORMED',
  ],
  ['a tunnel', `CONNECT localhost:22 HTTP/1.1\r\n${HOST}\r\n`, 405, 'ERR_METHOD'],
])('%s is answered with a problem document, once, and hung up on', async (_, text, status, code) => {
  // Until the server hangs up, however long that takes.
  const answers = await send(text, 0)
  expect(answers).toHaveLength(1)
  const { headers, body } = answers[0]!
  expect(answers[0]).toMatchObject({ status })
  expect(JSON.parse(body)).toMatchObject({ status, code, request_id: headers.get('x-request-id') })
  expect(headers.get('content-type')).toBe('application/problem+json')
  expect(headers.get('cache-control')).toBe('no-store')
})

test('requests in front of a broken one get their own answers first', async () => {
  const answers = await send(`${HEALTH}${HEALTH}hello\r\n\r\n`, 3)
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 400])
  const tunnel = await send(`${HEALTH}${HEALTH}CONNECT localhost:22 HTTP/1.1\r\n${HOST}\r\n`, 3)
  expect(tunnel.map(({ status }) => status)).toEqual([200, 200, 405])
})

test('a client that asks for much and reads nothing is cut off', async () => {
  const answers = await send(HEALTH.repeat(200), 0)
  expect(answers.length).toBeLessThanOrEqual(16)
  // Within the limit, all are answered.
  expect(await send(HEALTH.repeat(16), 16)).toHaveLength(16)
})

test.each([
  ['credentials in the target', `GET http://user:pass@localhost/healthz HTTP/1.1\r\n${HOST}\r\n`, 404],
  [
    'chunks in HTTP/1.0',
    'POST /auth/login HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
    400,
  ],
])('%s is refused', async (_, text, status) => {
  expect((await send(text)).map((answer) => answer.status)).toEqual([status])
})

test('an answer that was begun early does not take the one in front of it away', async () => {
  const early = `POST /nope HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`
  const parts = [Buffer.from(HEALTH + early), Buffer.from('ZZ\r\n')]
  const port = Number(new URL(server.url).port)
  const answers = await exchange(port, {
    label: '',
    parts,
    pauseMilliseconds: 10,
    answers: 0,
    methods: [],
    untilClosed: true,
  })
  expect(answers.map(({ status }) => status)).toEqual([200, 404])
})

test('HTTP/1.0 may do without Host, and an expectation that nobody knows is ignored', async () => {
  expect(await send('GET /healthz HTTP/1.0\r\n\r\n')).toMatchObject([{ status: 200 }])
  expect(await send(`GET /healthz HTTP/1.1\r\n${HOST}Expect: wonders\r\n\r\n`)).toMatchObject([{ status: 200 }])
})
