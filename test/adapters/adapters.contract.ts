import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Gatebook, SessionTokens } from '../../src/api.ts'
import { OWN_PAGE, PREFIX, setCookies } from '../http/browser.ts'
import { readEventStream } from '../http/read-event-stream.ts'
import { availableEngines } from '../support/engines.ts'
import { type ExpectedEvent, openGate, type Person, scenario, type TestGate, until } from '../support/gate.ts'
import { OWN_COOKIE } from './applications.ts'
import { askWithoutReading, type Endless, withEndless } from './endless.ts'
import { closing, sendForEver, sendRaw } from './listener.ts'

/** Whether, and where, something of the application reads bodies before a route sees them. */
export type BodyParser = 'none' | 'before' | 'after'

export interface Application {
  readonly url: string
  /** For an application in a process of its own, which has a gate of its own over the same database. */
  readonly remote?: RemoteGate
  close(): Promise<void>
}

export interface RemoteGate {
  setClock(now: number): Promise<void>
  flush(): Promise<void>
  grantRole(userId: string, role: string): Promise<void>
}

/**
 * Starts an application that sets OWN_COOKIE with every answer, mounts the gate, and has these routes of its own:
 *
 * | route | behind | answers |
 * |---|---|---|
 * | GET /plain | nothing | `the application` |
 * | POST /echo | nothing | the body that its parser left; only with one |
 * | GET /orders | requireUser | `{ user, requestId, ip }` of the caller and of `requestContext` |
 * | POST /orders | requireUser | `{ user, body }` |
 * | GET /greeting | optionalUser | `{ user }`, null for nobody |
 * | GET /reports | requireRole('admin') | `{ user }` |
 * | GET /transfers | requireFresh(60) | `{ user }` |
 * | GET /audits | requireUser with both requirements | `{ user }` |
 * | GET /failing | requireUser | throws `broken`, of which its error handling makes 500 and `the application saw broken` |
 * | GET /unlucky | requireUser of a gate that throws `broken` | the same, as far as the framework has an error handling |
 */
export type StartApplication = (gate: Gatebook, options: StartOptions) => Promise<Application>

export interface StartOptions {
  readonly bodyParser: BodyParser
  readonly on: TestGate
}

export interface AdapterTraits {
  /** Where it takes the address from. */
  readonly from?: string
  /** It shows the first of two Authorization headers only, as node:http does. */
  readonly hidesSecondHeader?: true
  /** It has nothing in front of the routes that could set a cookie. */
  readonly setsNoCookie?: true
  /** A guard that fails is answered by Gatebook: there is no error handling to hand it to. */
  readonly answersFailures?: true
  /** Of a refusal by a guard, where it insists on another. */
  readonly problemType?: RegExp
  /** What its error handling says, where an application cannot have one of its own. */
  readonly failure?: string
  /** It mounts routes one by one, and those of the log and of admins are not among them. */
  readonly mountsNoLog?: true
  /** Handlers are plain listeners: what they throw ends the process. */
  readonly handlersMayNotThrow?: true
  /** Its server leaves a connection open on which somebody goes on sending after he was answered. */
  readonly readsForEver?: true
  readonly parsers?: readonly BodyParser[]
  readonly patience?: number
}

/** Throws `broken` where it should say who is calling. */
export function unlucky(gate: Gatebook): Gatebook {
  return { ...gate, authenticate: () => Promise.reject(new RangeError('broken')) }
}

/** For what only one framework has: the running application, in the tests that are added. */
export interface RunningApplication {
  readonly on: TestGate
  readonly tokens: SessionTokens
  send(line: string, token?: string): Promise<Response>
  refused(reason: string): ExpectedEvent
}

export function adapterContract(
  name: string,
  start: StartApplication,
  traits: AdapterTraits = {},
  addTests: (running: () => RunningApplication) => void = () => {},
): void {
  const { from = '127.0.0.1 socket', parsers = ['none', 'before', 'after'], patience = 60_000 } = traits
  const { failure = 'the application saw broken', problemType = /^application\/problem\+json$/ } = traits

  describe.each(parsers)(`${name}, body parser: %s`, (bodyParser) => {
    let on: TestGate
    let application: Application
    let endless: Endless
    let anna: Person
    let tokens: SessionTokens

    beforeAll(async () => {
      const options = {
        bodyLimitBytes: 4096,
        accessTokenSeconds: 600,
        cookies: 'lax',
        logPath: '/log',
        logPublic: true,
        adminPath: '/admin',
        dashboard: true,
      } as const
      const opened = await openGate(availableEngines[0]!, options)
      on = { ...opened, events }
      const wrapped = withEndless(on.gate)
      endless = wrapped.endless
      application = await start(wrapped.gate, { bodyParser, on })
      async function events() {
        await application.remote?.flush()
        return opened.events()
      }
      anna = on.person()
      tokens = await on.gate.register(anna, anna.context)
    }, patience)
    afterAll(async () => {
      await application?.close()
      await on?.close()
    })

    const advance = async (milliseconds: number): Promise<void> => {
      on.clock.advance(milliseconds)
      await application.remote?.setClock(on.clock.now())
    }
    const send = (line: string, token?: string, init: RequestInit = {}): Promise<Response> => {
      const [method = 'GET', path = '/'] = line.split(' ')
      const headers = new Headers(init.headers)
      if (token !== undefined) headers.set('Authorization', `Bearer ${token}`)
      return fetch(application.url + path, { ...init, method, headers, signal: AbortSignal.timeout(20_000) })
    }
    const sendJson = (line: string, body: unknown, token?: string): Promise<Response> =>
      send(line, token, { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
    const login = async (person: Person = anna): Promise<SessionTokens> =>
      on.gate.login({ identifier: person.identifier, password: person.password }, person.context)
    const newcomer = async (): Promise<{ readonly person: Person; readonly tokens: SessionTokens }> => {
      const person = on.person()
      return { person, tokens: await on.gate.register(person, person.context) }
    }
    const refused = (reason: string): ExpectedEvent => ({
      event: `token.refused denied ${reason}`,
      actor: 'anonymous',
      from,
      data: { count: 1, counted_from: on.clock.now() },
    })
    const problemOf = async (response: Response): Promise<unknown> => {
      expect(response.headers.get('content-type')).toMatch(problemType)
      expect(response.headers.get('cache-control')).toBe('no-store')
      const { code, request_id } = (await response.json()) as { code: string; request_id: string }
      expect(request_id).toBe(response.headers.get('x-request-id'))
      return [response.status, code]
    }

    describe('Gatebook itself', () => {
      test('logs in and tells who that is', async () => {
        const { expectEvents } = await scenario(on)
        const response = await sendJson('POST /auth/login', { identifier: anna.identifier, password: anna.password })
        expect(response.status).toBe(200)
        const answer = (await response.json()) as { access_token: string; session_id: string }
        expect(await (await send('GET /auth/me', answer.access_token)).json()).toMatchObject({ user_id: tokens.userId })
        await expectEvents([
          {
            event: 'login.succeeded success',
            actor: 'self',
            subject: tokens.userId,
            identifier: 'clear',
            session: answer.session_id,
            from,
            data: { known_device: false, rehashed: false },
          },
        ])
      })

      if (!traits.mountsNoLog) {
        test('answers with bytes where what it has is no text', async () => {
          const path = 'tile/0/000.p/1'
          const tile = await until('an entry is published', () => on.gate.log.file(path))
          const response = await send(`GET /log/${path}`)
          expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/octet-stream'])
          expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
          expect(Buffer.from(await response.arrayBuffer()).equals(tile)).toBe(true)
          const head = await send(`HEAD /log/${path}`)
          expect([head.status, head.headers.get('content-length')]).toEqual([200, '32'])
        })
      }

      if (!traits.mountsNoLog) {
        test('hands the dashboard out, with its policy', async () => {
          for (const path of ['/admin', '/admin/events?q=user:42', '/admin/users/a%2Fb']) {
            const page = await send(`GET ${path}`)
            expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
            expect(page.headers.get('content-security-policy')).toContain("script-src 'self';")
            const [, script] = /src="(\/admin\/assets\/[^"]+\.js)"/.exec(await page.text()) ?? []
            const loaded = await send(`GET ${script}`)
            expect([loaded.status, loaded.headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8'])
            expect((await loaded.text()).length).toBeGreaterThan(10_000)
          }
        })

        test('streams, and ends when the client leaves', async () => {
          const watch = vi.spyOn(on.gate.log, 'watch')
          const chief = on.person('streaming')
          await on.gate.users.create({ identifier: chief.identifier, password: chief.password, roles: ['admin'] })
          const admin = await login(chief)
          const leaving = new AbortController()
          const response = await fetch(`${application.url}/admin/api/events/stream?q=type:app.*`, {
            headers: { Authorization: `Bearer ${admin.accessToken}` },
            signal: leaving.signal,
          })
          expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
          const stream = readEventStream(response)
          expect(await stream.next()).toMatchObject({ event: 'ready' })
          // One after the other: none waits on the way until there are more.
          for (const type of ['app.one', 'app.two'] as const) {
            await on.gate.log.append({ type })
            expect(await stream.next()).toMatchObject({ event: 'event', data: { type } })
          }
          const { signal } = watch.mock.calls[0]![0]!
          expect(signal!.aborted).toBe(false)
          leaving.abort()
          await until('the watch has ended', async () => signal!.aborted)
          watch.mockRestore()
        })

        test('asks for no more than the client takes', async () => {
          const client = await askWithoutReading(application.url)
          let before = -1
          await until('nothing more is asked for', async () => {
            const same = before === endless.produced
            before = endless.produced
            await sleep(200)
            return same
          })
          // What the system keeps on its way, and not what this process could make in the time.
          expect(endless.produced).toBeLessThan(32 * 1024 * 1024)
          expect(endless.cancelled).toBe(false)
          client.leave()
          await until('it is cancelled', async () => endless.cancelled)
        })
      }

      test('refuses what is no log-in', async () => {
        await scenario(on)
        expect((await sendJson('POST /auth/login', { identifier: 'a', password: 'b', c: 1 })).status).toBe(422)
        const form = new URLSearchParams({ identifier: 'a', password: 'b' })
        expect((await send('POST /auth/login', undefined, { body: form })).status).toBe(415)
      })

      test('refuses a body that is too large', async () => {
        await scenario(on)
        const large = { identifier: 'a', password: 'b'.repeat(4_000_000) }
        expect((await sendJson('POST /auth/login', large)).status).toBe(413)
        expect((await send('GET /plain')).status).toBe(200)
      })

      // Where a parser stands in front, that is its business.
      if (bodyParser === 'none' && !traits.readsForEver) {
        test('closes on a client that sends for ever', async () => {
          await scenario(on)
          expect(await sendForEver(application.url)).toMatch(/^HTTP\/1\.1 413 [\s\S]*ERR_BODY_TOO_LARGE/)
        })
      }

      test('logs out without a body, and takes the session from then on for what it is', async () => {
        const { person, tokens: own } = await newcomer()
        const { expectEvents } = await scenario(on)
        expect((await send('POST /auth/logout', own.accessToken)).status).toBe(204)
        expect(await problemOf(await send('GET /orders', own.accessToken))).toEqual([401, 'ERR_TOKEN_REVOKED'])
        await expectEvents([
          {
            event: 'session.ended success logout',
            actor: 'self',
            subject: own.userId,
            session: own.sessionId,
            from,
          },
          refused('revoked'),
        ])
        expect(person.identifier).not.toBe(anna.identifier)
      })

      test('counts what it refuses itself', async () => {
        const { expectEvents } = await scenario(on)
        expect(await problemOf(await send('GET /auth/me'))).toEqual([401, 'ERR_TOKEN_MISSING'])
        await expectEvents([refused('missing')])
      })

      test('answers HEAD without a body and OPTIONS with what there is', async () => {
        await scenario(on)
        const head = await send('HEAD /auth/me', tokens.accessToken)
        expect([head.status, await head.text()]).toEqual([200, ''])
        const options = await send('OPTIONS /auth/login')
        expect([options.status, options.headers.get('allow')]).toEqual([204, 'POST, OPTIONS'])
      })

      test('leaves every other path to the application', async () => {
        await scenario(on)
        expect(await (await send('GET /plain')).text()).toBe('the application')
        const nowhere = await send('GET /nowhere')
        expect([nowhere.status, nowhere.headers.get('content-type')]).not.toEqual([404, 'application/problem+json'])
        expect(nowhere.status).toBe(404)
        if (bodyParser !== 'none') expect(await (await sendJson('POST /echo', { a: 1 })).json()).toEqual({ a: 1 })
        expect((await send('OPTIONS /orders')).status).not.toBe(401)
      })
    })

    describe('a route for users', () => {
      test('knows its caller, and the body of the request', async () => {
        await scenario(on)
        const response = await send('GET /orders', tokens.accessToken, { headers: { 'X-Request-Id': 'r-1' } })
        expect(await response.json()).toEqual({ user: tokens.userId, requestId: 'r-1', ip: '127.0.0.1' })
        const posted = await sendJson('POST /orders', { a: [1, 'b'] }, tokens.accessToken)
        expect(await posted.json()).toEqual({ user: tokens.userId, body: { a: [1, 'b'] } })
        const head = await send('HEAD /orders', tokens.accessToken)
        expect([head.status, await head.text()]).toEqual([200, ''])
      })

      test('refuses who has no token, with address and request id in the event', async () => {
        const { expectEvents } = await scenario(on)
        const response = await send('GET /orders', undefined, { headers: { 'X-Request-Id': 'r-2' } })
        expect(response.headers.get('www-authenticate')).toBe('Bearer realm="gatebook"')
        expect(await problemOf(response)).toEqual([401, 'ERR_TOKEN_MISSING'])
        await expectEvents([refused('missing')])
        expect((await on.events()).at(-1)).toMatchObject({ ip: '127.0.0.1', requestId: 'r-2' })
      })

      test('refuses a request with a body as well, and before it is looked at', async () => {
        const { expectEvents } = await scenario(on)
        expect(await problemOf(await sendJson('POST /orders', { a: 1 }))).toEqual([401, 'ERR_TOKEN_MISSING'])
        const head = await send('HEAD /orders')
        expect([head.status, await head.text()]).toEqual([401, ''])
        await expectEvents([{ ...refused('missing'), data: { count: 2, counted_from: on.clock.now() } }])
      })

      test('refuses a token that is none', async () => {
        const { expectEvents } = await scenario(on)
        const response = await send('GET /orders', 'a.b.c')
        expect(response.headers.get('www-authenticate')).toContain('error="invalid_token"')
        expect(await problemOf(response)).toEqual([401, 'ERR_TOKEN_INVALID'])
        await expectEvents([refused('invalid')])
      })

      test('refuses two Authorization headers', async () => {
        const { expectEvents } = await scenario(on)
        const bearer = `Authorization: Bearer ${tokens.accessToken}`
        const answer = await sendRaw(application.url, closing('GET /orders', bearer, bearer))
        if (traits.hidesSecondHeader) return expect(answer).toMatch(/^HTTP\/1\.1 200 /)
        expect(answer).toMatch(/^HTTP\/1\.1 401 [\s\S]*ERR_TOKEN_INVALID/)
        return expectEvents([refused('invalid')])
      })

      test('refuses a token that has expired', async () => {
        const { expectEvents } = await scenario(on)
        const { accessToken, sessionId } = tokens
        await advance(700_000)
        expect(await problemOf(await send('GET /orders', accessToken))).toEqual([401, 'ERR_TOKEN_EXPIRED'])
        await expectEvents([refused('expired')])
        tokens = await login()
        expect(tokens.sessionId).not.toBe(sessionId)
        await expectEvents([
          {
            event: 'login.succeeded success',
            actor: 'self',
            subject: tokens.userId,
            identifier: 'clear',
            session: tokens.sessionId,
            from: anna.from,
            data: { known_device: false, rehashed: false },
          },
        ])
      })

      test('refuses a token whose roles have changed', async () => {
        const { person, tokens: old } = await newcomer()
        const { expectEvents } = await scenario(on)
        const actor = { kind: 'system', id: 'test' } as const
        const grantRole = application.remote?.grantRole ?? ((id, role) => on.gate.users.grantRole(id, role, { actor }))
        await grantRole(old.userId, 'editor')
        expect(await problemOf(await send('GET /orders', old.accessToken))).toEqual([401, 'ERR_TOKEN_STALE'])
        await expectEvents([
          { event: 'role.granted success', actor: 'system test', subject: old.userId, data: { role: 'editor' } },
          refused('stale'),
        ])
        expect(person.identifier).toMatch(/@/)
      })
    })

    describe('a page that keeps its tokens in cookies', () => {
      const evil = { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' }
      let cookie = ''
      let sessionId = ''
      const ask = (line: string, headers: Record<string, string>, body?: object): Promise<Response> =>
        send(line, undefined, {
          headers: { ...(body !== undefined && { 'Content-Type': 'application/json' }), ...headers },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        })
      /** Of a new session of Anna's, in this order. */
      const logInWithCookies = async (): Promise<Response> => {
        const { identifier, password } = anna
        const response = await ask('POST /auth/login', OWN_PAGE, { identifier, password, cookies: true })
        expect(response.status).toBe(200)
        const answer = (await response.json()) as { session_id: string }
        expect(Object.keys(answer)).not.toContain('access_token')
        sessionId = answer.session_id
        return response
      }
      const loggedIn = (): ExpectedEvent => ({
        event: 'login.succeeded success',
        actor: 'self',
        subject: tokens.userId,
        identifier: 'clear',
        session: sessionId,
        from,
        data: { known_device: false, rehashed: false },
      })
      const readCookies = (response: Response): void => {
        const own = response.headers.getSetCookie().filter((line) => line.startsWith(PREFIX))
        const headers = new Headers(own.map((line): [string, string] => ['Set-Cookie', line]))
        cookie = setCookies({ headers })
          .map(({ name, value }) => `${PREFIX}${name}=${value}`)
          .join('; ')
      }

      test('is sent each of them in a header of its own, beside those of the application', async () => {
        const { expectEvents } = await scenario(on)
        const response = await logInWithCookies()
        const names = response.headers.getSetCookie().map((line) => line.replace(/=.*/, ''))
        const own = traits.setsNoCookie ? [] : ['theme']
        const wanted = ['access', 'refresh', 'device'].map((name) => `${PREFIX}${name}`)
        expect([...names].sort()).toEqual([...wanted, ...own].sort())
        if (!traits.setsNoCookie) expect(response.headers.getSetCookie()).toContain(OWN_COOKIE)
        await expectEvents([loggedIn()])
      })

      test('is let in by them, and may change something', async () => {
        const { expectEvents } = await scenario(on)
        readCookies(await logInWithCookies())
        const Cookie = `theme=dark; ${cookie}`
        expect(await (await send('GET /orders', undefined, { headers: { Cookie } })).json()).toMatchObject({
          user: tokens.userId,
        })
        const posted = await ask('POST /orders', { ...OWN_PAGE, Cookie }, { a: 1 })
        expect(await posted.json()).toEqual({ user: tokens.userId, body: { a: 1 } })
        expect(await (await ask('GET /orders', { ...evil, Cookie })).json()).toMatchObject({ user: tokens.userId })
        await expectEvents([loggedIn()])
      })

      test('is the only one that may', async () => {
        const { expectEvents } = await scenario(on)
        readCookies(await logInWithCookies())
        const response = await ask('POST /orders', { ...evil, Cookie: cookie }, { a: 1 })
        expect(response.headers.getSetCookie().filter((line) => line.startsWith(PREFIX))).toEqual([])
        expect(await problemOf(response)).toEqual([403, 'ERR_CSRF'])
        const unsaid = await ask('POST /orders', { Cookie: cookie }, { a: 1 })
        expect(await problemOf(unsaid)).toEqual([403, 'ERR_CSRF'])
        const itself = await ask('POST /auth/logout', { ...evil, Cookie: cookie }, { cookies: true })
        expect(await problemOf(itself)).toEqual([403, 'ERR_CSRF'])
        await expectEvents([loggedIn(), { ...refused('cross-site'), data: { count: 2, counted_from: on.clock.now() } }])
      })

      test('is rid of them when it logs out', async () => {
        const { expectEvents } = await scenario(on)
        readCookies(await logInWithCookies())
        const response = await ask('POST /auth/logout', { ...OWN_PAGE, Cookie: cookie }, { cookies: true })
        const lines = response.headers.getSetCookie().filter((line) => line.startsWith(PREFIX))
        expect(lines.map((line) => line.split('; ').slice(0, 2))).toEqual([
          [`${PREFIX}access=`, 'Max-Age=0'],
          [`${PREFIX}refresh=`, 'Max-Age=0'],
        ])
        expect(await problemOf(await ask('GET /orders', { Cookie: cookie }))).toEqual([401, 'ERR_TOKEN_REVOKED'])
        await expectEvents([
          loggedIn(),
          { event: 'session.ended success logout', actor: 'self', subject: tokens.userId, session: sessionId, from },
          refused('revoked'),
        ])
      })
    })

    test('a route for everybody tells a user from nobody, and refuses a token that is bad', async () => {
      const { expectEvents } = await scenario(on)
      expect(await (await send('GET /greeting', tokens.accessToken)).json()).toEqual({ user: tokens.userId })
      expect(await (await send('GET /greeting')).json()).toEqual({ user: null })
      expect(await problemOf(await send('GET /greeting', 'a.b.c'))).toEqual([401, 'ERR_TOKEN_INVALID'])
      await expectEvents([refused('invalid')])
    })

    test('a route for a role is for it alone', async () => {
      const chief = on.person('chief')
      await on.gate.users.create({ identifier: chief.identifier, password: chief.password, roles: ['admin'] })
      const admin = await login(chief)
      const { expectEvents } = await scenario(on)
      expect(await (await send('GET /reports', admin.accessToken)).json()).toEqual({ user: admin.userId })
      expect(await problemOf(await send('GET /reports'))).toEqual([401, 'ERR_TOKEN_MISSING'])
      const response = await send('GET /reports', tokens.accessToken)
      expect(response.headers.get('www-authenticate')).toContain('error="insufficient_scope"')
      expect(await problemOf(response)).toEqual([403, 'ERR_FORBIDDEN'])
      expect(await (await send('GET /audits', admin.accessToken)).json()).toEqual({ user: admin.userId })
      await expectEvents([refused('missing'), refused('forbidden')])
    })

    test('a route for a recent log-in asks for one', async () => {
      const { person } = await newcomer()
      const first = await login(person)
      const { expectEvents } = await scenario(on)
      expect(await (await send('GET /transfers', first.accessToken)).json()).toEqual({ user: first.userId })
      await advance(61_000)
      const response = await send('GET /transfers', first.accessToken)
      expect(response.headers.get('www-authenticate')).toMatch(/insufficient_user_authentication.*max_age="60"/)
      expect(await problemOf(response)).toEqual([401, 'ERR_FRESH_REQUIRED'])
      await expectEvents([refused('not-fresh')])
      const again = await login(person)
      expect((await send('GET /transfers', again.accessToken)).status).toBe(200)
      expect((await send('GET /orders', first.accessToken)).status).toBe(200)
      await expectEvents([
        {
          event: 'login.succeeded success',
          actor: 'self',
          subject: again.userId,
          identifier: 'clear',
          session: again.sessionId,
          from: person.from,
          data: { known_device: false, rehashed: false },
        },
      ])
    })

    if (!traits.handlersMayNotThrow) {
      test('what a handler throws stays the business of the application', async () => {
        await scenario(on)
        const response = await send('GET /failing', tokens.accessToken)
        expect([response.status, await response.text()]).toEqual([500, expect.stringContaining(failure)])
      })
    }

    test('a guard that fails lets nobody in, and tells the application', async () => {
      await scenario(on)
      const response = await send('GET /unlucky', tokens.accessToken)
      expect(response.status).toBe(500)
      const wanted = traits.answersFailures ? 'ERR_INTERNAL' : failure
      expect(await response.text()).toContain(wanted)
    })

    test('goes on after a client that left in the middle of its body', async () => {
      await scenario(on)
      const head =
        'POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n'
      await sendRaw(application.url, `${head}{"ident`, { reset: true })
      await until('an answer', async () => (await send('GET /plain')).ok)
    })

    addTests(() => ({ on, tokens, send, refused }))
  })
}
