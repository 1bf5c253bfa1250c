import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { Gatebook } from '../../src/api.ts'
import { drain } from '../../src/server/drain.ts'
import { createListener } from '../../src/server/listener.ts'
import { createRefusal } from '../../src/server/refuse-unasked.ts'
import { createUnderWay, type UnderWay } from '../../src/server/under-way.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {} }
/** Answers everything with 200 and its path, after the promise. */
function createGate(until: Promise<unknown> = Promise.resolve()): Gatebook {
  const exchange: Gatebook['exchange'] = async ({ url }) => {
    await until
    return { status: 200, headers: {}, setCookies: [], body: typeof url === 'string' ? url : url.pathname }
  }
  return { exchange } as Gatebook
}

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

async function listen(
  gate: () => Gatebook | null,
  draining: () => boolean,
): Promise<{ server: Server; url: string; underWay: UnderWay }> {
  const underWay = createUnderWay()
  const server = createServer(
    createListener({
      gate,
      draining,
      readyPath: '/ops/readyz',
      diagnostics: silent,
      underWay,
      refuseUnasked: createRefusal(''),
    }),
  )
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, underWay }
}

test('before the database is open, everything is answered 503', async () => {
  let gate: Gatebook | null = null
  const { url } = await listen(
    () => gate,
    () => false,
  )
  const early = await fetch(`${url}/ops/readyz`)
  expect([early.status, early.headers.get('retry-after')]).toEqual([503, '1'])
  expect(await early.json()).toMatchObject({ code: 'ERR_UNAVAILABLE', request_id: expect.stringMatching(/^req_/) })
  gate = createGate()
  expect(await (await fetch(`${url}/ops/readyz`)).text()).toBe('/ops/readyz')
})

test('while draining, readiness is 503, the rest is answered, and no connection is kept', async () => {
  const gate = createGate()
  const { url } = await listen(
    () => gate,
    () => true,
  )
  expect((await fetch(`${url}/ops/readyz?x=1`)).status).toBe(503)
  const other = await fetch(`${url}/auth/me`)
  expect([other.status, other.headers.get('connection')]).toEqual([200, 'close'])
})

test('a drain waits for what is under way, and no longer than it may', async () => {
  let finish = (_: unknown): void => {}
  const gate = createGate(new Promise((resolve) => (finish = resolve)))
  const first = await listen(
    () => gate,
    () => false,
  )
  const answer = fetch(`${first.url}/a`)
  await expect.poll(() => first.underWay.all().length).toBe(1)
  const drained = drain(first.server, first.underWay, 30)
  finish(null)
  expect([(await answer).headers.get('connection'), await drained]).toEqual(['close', 0])

  const stuck = createGate(new Promise(() => {}))
  const second = await listen(
    () => stuck,
    () => false,
  )
  const broken = fetch(`${second.url}/a`)
  broken.catch(() => {})
  await expect.poll(() => second.underWay.all().length).toBe(1)
  expect(await drain(second.server, second.underWay, 0.1)).toBe(1)
  await expect(broken).rejects.toThrow()
})
