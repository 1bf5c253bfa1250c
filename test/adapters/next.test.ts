import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { middleware, toRouteHandlers } from '../../src/adapters/next.ts'
import { createTestGatebook } from '../../src/testing/index.ts'
import { readEventStream } from '../http/read-event-stream.ts'
import { ROOT } from '../support/consumer.ts'
import { CHEAP_HASHES, ISSUER, SECRET, scenario, until } from '../support/gate.ts'
import { findFreePort } from '../support/private-server.ts'
import { adapterContract, type StartApplication } from './adapters.contract.ts'

/**
 * Next.js is large and builds for a while, so it is there only where somebody has run `npm ci` in test/frameworks/next.
 * Where everything must be tested, it must be there.
 */
const PROJECT = join(ROOT, 'test/frameworks/next')
const NEXT = join(PROJECT, 'node_modules/next/dist/bin/next')
const isThere = existsSync(NEXT) && existsSync(join(ROOT, 'dist/index.js'))

interface Running {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  readonly said: () => string
}

function run(command: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Running {
  const child = spawn(process.execPath, [NEXT, command, ...args], {
    cwd: PROJECT,
    env: {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_ENV$)/.test(name))),
      ...env,
      NEXT_TELEMETRY_DISABLED: '1',
    } as unknown as NodeJS.ProcessEnv,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (part: Buffer) => (output += part))
  return { child, exited: new Promise((resolve) => child.on('exit', resolve)), said: () => output }
}

/** As npm would install it: what is built, in a folder of its own, and not a link, which Next.js would bundle. */
async function build(): Promise<void> {
  const installed = join(PROJECT, 'node_modules/gatebook')
  rmSync(installed, { recursive: true, force: true })
  mkdirSync(installed)
  for (const each of ['dist', 'package.json']) cpSync(join(ROOT, each), join(installed, each), { recursive: true })
  const { exited, said } = run('build')
  if ((await exited) !== 0) throw new Error(`next build has failed:\n${said()}`)
}

const start: StartApplication = async (_gate, { on }) => {
  await build()
  const port = await findFreePort()
  const url = `http://127.0.0.1:${port}`
  const { child, exited, said } = run('start', ['-p', String(port), '-H', '127.0.0.1'], {
    TEST_ISSUER: ISSUER,
    TEST_SECRET: SECRET,
    TEST_DATABASE: on.database.url,
    TEST_NOW: String(on.clock.now()),
    TEST_HASHES: JSON.stringify(CHEAP_HASHES),
  })
  await until('Next.js', async () => {
    if (child.exitCode !== null) throw new Error(`next start has ended:\n${said()}`)
    return (await fetch(`${url}/plain`).catch(() => null))?.ok
  })
  const order = async (body: object): Promise<void> => {
    const { status } = await fetch(`${url}/control`, { method: 'POST', body: JSON.stringify(body) })
    expect(status).toBe(204)
  }
  return {
    url,
    remote: {
      setClock: (now) => order({ now }),
      flush: () => order({ flush: true }),
      grantRole: (userId, role) => order({ grant: { userId, role } }),
    },
    async close() {
      child.kill()
      await exited
    },
  }
}

if (isThere) {
  const traits = {
    from: '127.0.0.1 header-ignored',
    hidesSecondHeader: true,
    readsForEver: true,
    setsNoCookie: true,
    mountsNoLog: true,
    // It says nothing but 500.
    failure: '',
    parsers: ['none'],
    patience: 300_000,
  } as const
  adapterContract('Next.js 16', start, traits, (running) => {
    test('a proxy in front of routes refuses, and hands the others on with their parameters', async () => {
      const { on, tokens, send, refused } = running()
      const { expectEvents } = await scenario(on)
      const response = await send('GET /guarded/7')
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="gatebook"'])
      expect((await response.json()) as object).toMatchObject({ code: 'ERR_TOKEN_MISSING' })
      expect(await (await send('GET /guarded/7', tokens.accessToken)).json()).toEqual({ user: tokens.userId, id: '7' })
      await expectEvents([refused('missing')])
    })

    test('the keys of the gate stand where verifiers look for them', async () => {
      const { on, send } = running()
      expect(await (await send('GET /.well-known/jwks.json')).json()).toEqual(on.gate.tokens.jwks())
    })
  })
} else {
  test('Next.js, started', (context) => {
    if (process.env.CI === 'true') throw new Error('npm ci --prefix test/frameworks/next has not been run')
    context.skip('Next.js is not there: npm ci --prefix test/frameworks/next, and npm run build')
  })
}

describe('the handlers of Next.js', () => {
  test('open the gate with the first request, and once is not their business', async () => {
    await using kit = await createTestGatebook()
    let opened = 0
    const { GET } = toRouteHandlers(() => {
      opened += 1
      return Promise.resolve(kit.gate)
    })
    expect(opened).toBe(0)
    expect((await GET(new Request('http://a/.well-known/jwks.json'), {})).status).toBe(200)
    expect((await GET(new Request('http://a/elsewhere'), {})).status).toBe(404)
    expect(opened).toBe(2)
  })

  test('pass on the address that they are told, and none of their own', async () => {
    await using kit = await createTestGatebook({ trustedProxies: ['10.0.0.1'] })
    const headers = { 'X-Forwarded-For': '192.0.2.1, 192.0.2.7' }
    const ask = (options?: { remoteAddress: () => string }) =>
      toRouteHandlers(kit.gate, options).GET(new Request('http://a/auth/me', { headers }), {})
    await ask()
    await ask({ remoteAddress: () => '10.0.0.1' })
    const events = await kit.events({ type: 'token.refused' })
    expect(events.map(({ ip, ipSource }) => [ip, ipSource])).toEqual([
      [null, null],
      ['192.0.2.7', 'x-forwarded-for'],
    ])
  })

  test('stream, and end when the client leaves', async () => {
    await using kit = await createTestGatebook({ adminPath: '/admin' })
    const admin = await kit.signIn({ roles: ['admin'] })
    const watch = vi.spyOn(kit.gate.log, 'watch')
    const leaving = new AbortController()
    const request = new Request('http://a/admin/api/events/stream?q=type:app.*', {
      headers: admin.headers,
      signal: leaving.signal,
    })
    const stream = readEventStream(await toRouteHandlers(kit.gate).GET(request, {}))
    expect(await stream.next()).toMatchObject({ event: 'ready' })
    await kit.gate.log.append({ type: 'app.one' })
    expect(await stream.next()).toMatchObject({ event: 'event', data: { type: 'app.one' } })
    const { signal } = watch.mock.calls[0]![0]!
    expect(signal!.aborted).toBe(false)
    leaving.abort()
    expect(signal!.aborted).toBe(true)
    expect(await stream.rest()).toEqual([])
  })

  test('in front of routes refuse, and let pass whom they should and what is Gatebook’s', async () => {
    await using kit = await createTestGatebook()
    const guard = middleware(kit.gate, { role: 'admin' })
    const [user, admin] = [await kit.signIn(), await kit.signIn({ roles: ['admin'] })]
    const ask = async (path: string, init?: RequestInit) => (await guard(new Request(`http://a${path}`, init)))?.status
    expect(await ask('/reports')).toBe(401)
    expect(await ask('/reports', { headers: user.headers })).toBe(403)
    expect(await ask('/reports', { headers: admin.headers })).toBeUndefined()
    expect(await ask('/auth/login', { method: 'POST' })).toBeUndefined()
    const refused = await kit.events({ type: 'token.refused' })
    expect(refused.map(({ reason }) => reason)).toEqual(['missing', 'forbidden'])
  })
})
