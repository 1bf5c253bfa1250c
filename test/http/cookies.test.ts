import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { GatebookOptions } from '../../src/options.ts'
import { availableEngines } from '../support/engines.ts'
import {
  codeOf,
  type ExpectedEvent,
  ISSUER,
  openGate,
  openOwnGate,
  PASSWORD,
  type Scenario,
  scenario,
  type TestGate,
  WRONG_PASSWORD,
} from '../support/gate.ts'
import { type Browser, createBrowser, OWN_PAGE, PREFIX, setCookies } from './browser.ts'
import { call, type Reply } from './caller.ts'

const DAY = 86_400_000
const NEW_PASSWORD = 'three grey herons wade'
const IN_COOKIES = { cookies: true }
const ATTRIBUTES = ['Path=/', 'Secure', 'HttpOnly', 'SameSite=Lax']

/** What is counted of requests to routes for users, here from the address of `call`. */
function refusals(
  { clock }: Pick<TestGate, 'clock'>,
  reason: string,
  { count = 1, from = '203.0.113.9 socket' }: { readonly count?: number; readonly from?: string } = {},
): ExpectedEvent {
  const data = { count, counted_from: clock.now() }
  return { event: `token.refused denied ${reason}`, actor: 'anonymous', from, data }
}

/** Status and code, and that no cookie was touched. */
function refusal(reply: Reply): string {
  expect(reply.headers.getSetCookie()).toEqual([])
  return `${reply.status} ${reply.json?.code}`
}

describe.each(availableEngines)('tokens in cookies on $name', (engine) => {
  interface Setting {
    readonly on: TestGate
    readonly browser: Browser
    readonly user: { readonly identifier: string; readonly userId: string; readonly sessionId: string }
    readonly expectEvents: Scenario['expectEvents']
    /** An event about this session. */
    event(name: string, more?: Partial<ExpectedEvent>): ExpectedEvent
  }

  let shared: TestGate
  let people = 0
  beforeAll(async () => {
    shared = await openGate(engine, { cookies: 'lax' })
  })
  afterAll(() => shared.close())

  /** Somebody who has registered in a browser of an address of their own. */
  async function signedIn(options?: Partial<GatebookOptions>): Promise<Setting> {
    const on = options === undefined ? shared : await openOwnGate(engine, { cookies: 'lax', ...options })
    people += 1
    const address = `198.51.100.${people}`
    const browser = createBrowser(on.gate, address)
    const identifier = `anna-${people}@example.org`
    const { status, json } = await browser.ask('POST /auth/register', {
      body: { identifier, password: PASSWORD, ...IN_COOKIES },
    })
    if (status !== 201) throw new Error(`the registration was answered ${status} ${JSON.stringify(json)}`)
    const user = { identifier, userId: json.user_id, sessionId: json.session_id }
    return {
      on,
      browser,
      user,
      expectEvents: (await scenario(on)).expectEvents,
      event: (name, more) => ({
        event: name,
        actor: 'self',
        subject: user.userId,
        session: user.sessionId,
        from: `${address} socket`,
        ...more,
      }),
    }
  }

  const login = ({ user }: Pick<Setting, 'user'>, password: string = PASSWORD) => ({
    body: { identifier: user.identifier, password, ...IN_COOKIES },
  })
  const loggedIn = (session: string, known = true): Partial<ExpectedEvent> => ({
    session,
    identifier: 'clear',
    data: { known_device: known, rehashed: false },
  })

  test('a log-in sets three cookies, with these attributes and no other, and tells no secret', async () => {
    const setting = await signedIn()
    const { on, browser, expectEvents, event } = setting
    const reply = await browser.ask('POST /auth/login', login(setting))
    const { session_id: session } = reply.json
    await expectEvents([event('login.succeeded success', loggedIn(session))])
    expect(reply.json).toEqual({
      expires_in: 600,
      refresh_expires_in: 14 * 86_400,
      session_id: session,
      user_id: setting.user.userId,
    })
    const found = setCookies(reply)
    expect(found).toEqual([
      { name: 'access', value: expect.stringMatching(/^eyJ/), maxAge: 600, attributes: ['Max-Age=600', ...ATTRIBUTES] },
      {
        name: 'refresh',
        value: expect.stringMatching(/^gbr_/),
        maxAge: 1_209_600,
        attributes: ['Max-Age=1209600', ...ATTRIBUTES],
      },
      {
        name: 'device',
        value: expect.stringMatching(/^gbd_/),
        maxAge: 31_536_000,
        attributes: ['Max-Age=31536000', ...ATTRIBUTES],
      },
    ])
    for (const line of reply.headers.getSetCookie()) expect(line).toMatch(/^__Host-gatebook-/)
    expect(reply.headers.get('cache-control')).toBe('no-store')
    expect((await on.gate.tokens.verify(found[0]!.value)).sessionId).toBe(session)
  })

  test('registering and refreshing set the same three', async () => {
    const { browser, expectEvents, event } = await signedIn()
    expect([...browser.cookies.keys()]).toEqual(['access', 'refresh', 'device'])
    const before = new Map(browser.cookies)
    const reply = await browser.ask('POST /auth/refresh', { body: IN_COOKIES })
    expect([reply.status, Object.keys(reply.json)]).toEqual([
      200,
      ['expires_in', 'refresh_expires_in', 'session_id', 'user_id'],
    ])
    expect(setCookies(reply).map(({ name }) => name)).toEqual(['access', 'refresh', 'device'])
    expect(browser.cookies.get('refresh')).not.toBe(before.get('refresh'))
    expect(browser.cookies.get('device')).toBe(before.get('device'))
    await expectEvents([event('session.refreshed success', { data: { counter: 1 } })])
  })

  test('so does confirming a registration, and asking for it sets none', async () => {
    let token = ''
    const on = await openOwnGate(engine, {
      cookies: 'lax',
      registration: 'confirm',
      sendConfirmation: (_recipient, sent) => {
        token = sent ?? ''
      },
    })
    const browser = createBrowser(on.gate)
    const body = { identifier: 'ben@example.org', password: PASSWORD, ...IN_COOKIES }
    const asked = await browser.ask('POST /auth/register', { body })
    expect([asked.status, asked.headers.getSetCookie()]).toEqual([202, []])
    await expect.poll(() => token, { timeout: 10_000 }).not.toBe('')
    const made = await browser.ask('POST /auth/register/confirm', {
      body: { token, password: PASSWORD, ...IN_COOKIES },
    })
    expect([made.status, made.json.access_token]).toEqual([201, undefined])
    expect((await browser.ask('GET /auth/me')).json.user_id).toBe(made.json.user_id)
  })

  test('strict is strict, and without TLS there is neither prefix nor Secure', async () => {
    const strict = await signedIn({ cookies: 'strict' })
    const [first] = setCookies(await strict.browser.ask('POST /auth/refresh', { body: IN_COOKIES }))
    expect(first?.attributes).toEqual(['Max-Age=600', 'Path=/', 'Secure', 'HttpOnly', 'SameSite=Strict'])
    await strict.expectEvents([strict.event('session.refreshed success', { data: { counter: 1 } })])

    const plain = await openOwnGate(engine, { cookies: 'lax', issuer: 'http://localhost:4280' })
    const body = { identifier: 'ben@example.org', password: PASSWORD, ...IN_COOKIES }
    const headers = { Origin: 'http://localhost:4280' }
    const reply = await call(plain.gate, 'POST /auth/register', { body, headers })
    expect(reply.headers.getSetCookie()[0]).toMatch(
      /^gatebook-access=[\w.-]+; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/,
    )
    const [access] = setCookies(reply)
    const { expectEvents } = await scenario(plain)
    const me = (name: string) => call(plain.gate, 'GET /auth/me', { headers: { Cookie: `${name}=${access?.value}` } })
    expect((await me('gatebook-access')).json.user_id).toBe(reply.json.user_id)
    expect((await me('__Host-gatebook-access')).status).toBe(401)
    await expectEvents([refusals(plain, 'missing')])
  })

  test('whoever has the cookies is who they say, for everything that a token is for', async () => {
    const setting = await signedIn()
    const { browser, user, expectEvents, event } = setting
    expect((await browser.ask('GET /auth/me')).json).toMatchObject({ user_id: user.userId, session_id: user.sessionId })
    expect((await browser.ask('GET /auth/sessions')).json.items).toHaveLength(1)
    const other = await browser.ask('POST /auth/login', login(setting))
    await expectEvents([event('login.succeeded success', loggedIn(other.json.session_id))])
    expect((await browser.ask(`DELETE /auth/sessions/${user.sessionId}`)).status).toBe(204)
    await expectEvents([event('session.ended success ended-by-user')])
    const changed = await browser.ask('POST /auth/password', {
      body: { current_password: PASSWORD, new_password: NEW_PASSWORD },
    })
    expect([changed.status, changed.headers.getSetCookie()]).toEqual([204, []])
    await expectEvents([event('password.changed success', { session: other.json.session_id })])
    expect((await browser.ask('GET /auth/me')).status).toBe(200)
  })

  test('a log-out ends the session and takes all cookies but that of the device, as often as it is asked for', async () => {
    const setting = await signedIn()
    const { on, browser, expectEvents, event } = setting
    const stolen = browser.header()
    const reply = await browser.ask('POST /auth/logout', { body: IN_COOKIES })
    expect([reply.status, reply.headers.getSetCookie()]).toEqual([
      204,
      ['access', 'refresh'].map((name) => [`${PREFIX}${name}=`, 'Max-Age=0', ...ATTRIBUTES].join('; ')),
    ])
    await expectEvents([event('session.ended success logout')])
    expect([...browser.cookies.keys()]).toEqual(['device'])
    expect((await call(on.gate, 'GET /auth/me', { headers: { Cookie: stolen } })).json.code).toBe('ERR_TOKEN_REVOKED')
    await expectEvents([refusals(on, 'revoked')])
    for (const headers of [{}, { Cookie: stolen }]) {
      const again = await browser.ask('POST /auth/logout', { body: IN_COOKIES, headers })
      expect([again.status, setCookies(again).length]).toEqual([204, 2])
    }
    const back = await browser.ask('POST /auth/login', login(setting))
    await expectEvents([event('login.succeeded success', loggedIn(back.json.session_id))])
  })

  test('a log-out works with the refresh cookie alone, with the access cookie alone, and with ones that are nobody’s', async () => {
    for (const name of ['access', 'refresh'] as const) {
      const { browser, expectEvents, event } = await signedIn({})
      const headers = { Cookie: `${PREFIX}${name}=${browser.cookies.get(name)}` }
      expect((await browser.ask('POST /auth/logout', { body: IN_COOKIES, headers })).status).toBe(204)
      await expectEvents([event('session.ended success logout')])
    }
    const { browser, expectEvents, event } = await signedIn({})
    const planted = { Cookie: `${PREFIX}refresh=gbr_planted; ${PREFIX}access=${browser.cookies.get('access')}` }
    expect((await browser.ask('POST /auth/logout', { body: IN_COOKIES, headers: planted })).status).toBe(204)
    await expectEvents([event('session.ended success logout')])
    const rubbish = { Cookie: `${PREFIX}refresh=a; ${PREFIX}refresh=b; ${PREFIX}access="x"` }
    const reply = await browser.ask('POST /auth/logout', { body: IN_COOKIES, headers: rubbish })
    expect([reply.status, setCookies(reply).map(({ maxAge }) => maxAge)]).toEqual([204, [0, 0]])
  })

  test('a log-out elsewhere takes a token that is good for it, and leaves these cookies alone', async () => {
    const setting = await signedIn()
    const { on, browser, user, expectEvents, event } = setting
    const { json: other } = await call(on.gate, 'POST /auth/login', {
      body: { identifier: user.identifier, password: PASSWORD },
      remoteAddress: '192.0.2.1',
    })
    await expectEvents([
      event('login.succeeded success', { ...loggedIn(other.session_id, false), from: '192.0.2.1 socket' }),
    ])
    const nobody = createBrowser(on.gate)
    for (const scope of ['others', 'all']) {
      expect(refusal(await nobody.ask(`POST /auth/logout?scope=${scope}`, { body: IN_COOKIES }))).toBe(
        '401 ERR_TOKEN_MISSING',
      )
      const headers = { Cookie: `${PREFIX}refresh=gbr_made-up` }
      expect(refusal(await nobody.ask(`POST /auth/logout?scope=${scope}`, { body: IN_COOKIES, headers }))).toBe(
        '401 ERR_REFRESH_INVALID',
      )
    }
    const reply = await browser.ask('POST /auth/logout?scope=others', { body: IN_COOKIES })
    expect([reply.status, reply.headers.getSetCookie()]).toEqual([204, []])
    await expectEvents([event('session.ended success logout-everywhere', { session: other.session_id })])
    expect((await browser.ask('GET /auth/me')).status).toBe(200)
    expect((await browser.ask('POST /auth/logout?scope=all', { body: IN_COOKIES })).status).toBe(204)
    await expectEvents([event('session.ended success logout')])
    expect([...browser.cookies.keys()]).toEqual(['device'])
  })

  test('a log-in, a refresh and a log-out without the member are those of before, and set no cookie', async () => {
    const setting = await signedIn()
    const { on, browser, user, expectEvents, event } = setting
    for (const cookies of [{}, { cookies: false }]) {
      const body = { identifier: user.identifier, password: PASSWORD, ...cookies }
      const reply = await call(on.gate, 'POST /auth/login', { body, headers: { Cookie: browser.header() } })
      expect([reply.status, reply.headers.getSetCookie()]).toEqual([200, []])
      const again = await call(on.gate, 'POST /auth/refresh', {
        body: { refresh_token: reply.json.refresh_token, ...cookies },
      })
      expect([again.status, again.headers.getSetCookie()]).toEqual([200, []])
      const about = { session: reply.json.session_id, from: '203.0.113.9 socket' }
      await expectEvents([
        // The cookie of the device is none of the business of a log-in without cookies.
        event('login.succeeded success', { ...loggedIn(reply.json.session_id, false), ...about }),
        event('session.refreshed success', { ...about, data: { counter: 1 } }),
      ])
    }
    // Nothing is done with the cookies of somebody who did not say so.
    for (const line of ['POST /auth/logout', 'POST /auth/refresh']) {
      const reply = await browser.ask(line, { body: {} })
      expect(refusal(reply)).toBe(line.endsWith('logout') ? '401 ERR_TOKEN_MISSING' : '422 ERR_BODY_INVALID')
    }
    // Two at once are a riddle.
    for (const line of ['POST /auth/logout', 'POST /auth/refresh']) {
      const reply = await browser.ask(line, { body: { refresh_token: 'gbr_x', ...IN_COOKIES } })
      expect([refusal(reply), reply.json.members]).toEqual(['422 ERR_BODY_INVALID', ['refresh_token']])
    }
  })

  test('while the option is off, cookies are refused where they are asked for, and are nothing elsewhere', async () => {
    const on = await openOwnGate(engine)
    const anna = on.person()
    const tokens = await on.gate.register(anna, anna.context)
    const { expectEvents } = await scenario(on)
    const browser = createBrowser(on.gate)
    browser.cookies.set('access', tokens.accessToken).set('refresh', tokens.refreshToken)
    const { identifier, password } = anna
    for (const [line, body] of [
      ['POST /auth/login', { identifier, password }],
      ['POST /auth/register', { identifier: 'new@example.org', password }],
      ['POST /auth/refresh', {}],
      ['POST /auth/logout', {}],
    ] as const) {
      const reply = await browser.ask(line, { body: { ...body, ...IN_COOKIES } })
      expect(refusal(reply)).toBe('400 ERR_COOKIES_OFF')
      expect(reply.json.detail).toContain('GATEBOOK_COOKIES')
    }
    expect(refusal(await browser.ask('GET /auth/me'))).toBe('401 ERR_TOKEN_MISSING')
    await expectEvents([refusals(on, 'missing')])
  })

  test('a refresh that fails touches no cookie, whatever the reason', async () => {
    const { on, browser, user, expectEvents, event } = await signedIn({})
    const refused = (reason: string, more: Partial<ExpectedEvent> = {}) =>
      event(`session.refresh-refused denied ${reason}`, { actor: 'anonymous', ...more })
    const refresh = (token: string | undefined, headers = {}) =>
      browser.ask('POST /auth/refresh', {
        body: IN_COOKIES,
        headers: { Cookie: token === undefined ? '' : `${PREFIX}refresh=${token}`, ...headers },
      })
    const first = browser.cookies.get('refresh')!
    await refresh(first)
    const second = browser.cookies.get('refresh')!
    await refresh(second)
    await expectEvents([1, 2].map((counter) => event('session.refreshed success', { data: { counter } })))

    // Nobody has shown anything.
    expect(refusal(await refresh(undefined))).toBe('401 ERR_REFRESH_INVALID')
    expect(refusal(await refresh(second, { 'Sec-Fetch-Site': 'cross-site' }))).toBe('403 ERR_CSRF')
    await expectEvents([])
    const { subject: _, session: __, ...unknown } = refused('invalid')
    expect(refusal(await refresh('gbr_made-up'))).toBe('401 ERR_REFRESH_INVALID')
    expect(refusal(await refresh(`${first}; ${PREFIX}refresh=${second}`))).toBe('401 ERR_REFRESH_INVALID')
    await expectEvents([unknown, unknown])
    expect(refusal(await refresh(first))).toBe('401 ERR_REFRESH_SUPERSEDED')
    await expectEvents([refused('superseded', { data: { counter: 0 } })])
    on.clock.advance(20_001)
    expect(refusal(await refresh(first))).toBe('401 ERR_REFRESH_REUSED')
    await expectEvents([refused('reused', { data: { counter: 0 } }), event('session.ended success refresh-reused')])
    const ended = await refresh(second)
    expect([refusal(ended), ended.json.end_reason]).toEqual(['401 ERR_REFRESH_ENDED', 'refresh-reused'])
    await expectEvents([refused('ended', { data: { counter: 1 } })])

    const back = await browser.ask('POST /auth/login', login({ user }))
    on.clock.advance(14 * DAY)
    expect(refusal(await refresh(browser.cookies.get('refresh')))).toBe('401 ERR_REFRESH_EXPIRED')
    const about = { session: back.json.session_id }
    await expectEvents([
      event('login.succeeded success', loggedIn(back.json.session_id)),
      event('session.ended success expired', about),
      refused('expired', { ...about, data: { counter: 0 } }),
    ])
  })

  test('neither does a log-in that fails', async () => {
    const setting = await signedIn({ throttlePairFree: 1 })
    const { browser, user, expectEvents, event } = setting
    const failed = { actor: 'anonymous', identifier: 'clear' } as const
    const { session: _, ...wrong } = event('login.failed failure wrong-password', failed)
    const { session: __, ...throttled } = event('login.failed denied throttled', failed)
    expect(refusal(await browser.ask('POST /auth/login', login(setting, WRONG_PASSWORD)))).toBe('401 ERR_LOGIN_REFUSED')
    await expectEvents([wrong])
    expect(refusal(await browser.ask('POST /auth/login', login(setting)))).toBe('429 ERR_THROTTLED')
    await expectEvents([{ ...throttled, data: { scope: 'pair', retry_after: 1 } }])
    const taken = { identifier: user.identifier, password: PASSWORD, ...IN_COOKIES }
    expect(refusal(await browser.ask('POST /auth/register', { body: taken }))).toBe('409 ERR_IDENTIFIER_TAKEN')
    const { session: ___, subject: ____, ...refused } = event('registration.refused denied identifier-taken', failed)
    await expectEvents([refused])
  })

  test('two tabs that refresh at once both go on', async () => {
    const { browser, expectEvents, event } = await signedIn()
    const sent = { body: IN_COOKIES, headers: { Cookie: browser.header() } }
    const replies = await Promise.all([1, 2, 3].map(() => browser.ask('POST /auth/refresh', sent)))
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(new Set(replies.map((reply) => setCookies(reply)[1]?.value)).size).toBe(1)
    const data = { counter: 1 }
    await expectEvents([
      event('session.refreshed success', { data }),
      event('session.refreshed success grace', { data }),
      event('session.refreshed success grace', { data }),
    ])
    expect((await browser.ask('GET /auth/me')).status).toBe(200)
    expect((await browser.ask('POST /auth/refresh', { body: IN_COOKIES })).status).toBe(200)
    await expectEvents([event('session.refreshed success', { data: { counter: 2 } })])
  })

  test('the cookie of the device exempts it from what others do to the account', async () => {
    const setting = await signedIn({ throttleAccountFailures: 1 })
    const { on, browser, user, expectEvents, event } = setting
    await browser.ask('POST /auth/logout', { body: IN_COOKIES })
    const attacker = createBrowser(on.gate, '192.0.2.66')
    expect(refusal(await attacker.ask('POST /auth/login', login(setting, WRONG_PASSWORD)))).toBe(
      '401 ERR_LOGIN_REFUSED',
    )
    const stranger = createBrowser(on.gate, '192.0.2.67')
    const device = browser.cookies.get('device')!
    // Nor does one of two, or one that is not written as it was sent.
    for (const Cookie of ['', `${PREFIX}device=${device}; ${PREFIX}device=${device}`, `${PREFIX}device="${device}"`]) {
      const reply = await stranger.ask('POST /auth/login', { ...login(setting), headers: { Cookie } })
      expect(refusal(reply)).toBe('429 ERR_THROTTLED')
    }
    const back = await browser.ask('POST /auth/login', login(setting))
    expect([back.status, browser.cookies.get('device')]).toEqual([200, device])
    const { session: _, ...failed } = event('login.failed failure wrong-password', {
      actor: 'anonymous',
      identifier: 'clear',
      from: '192.0.2.66 socket',
    })
    const until = on.clock.now() + DAY
    await expectEvents([
      event('session.ended success logout'),
      failed,
      { ...failed, event: 'throttle.locked success', data: { scope: 'account', until } },
      ...[1, 2, 3].map(() => ({
        ...failed,
        event: 'login.failed denied throttled',
        from: '192.0.2.67 socket',
        data: { scope: 'account', retry_after: 86_400 },
      })),
      event('login.succeeded success', loggedIn(back.json.session_id)),
    ])
    expect(user.userId).toBe(back.json.user_id)
  })

  test('an access token that does not fit into a cookie is not issued, and nothing has happened', async () => {
    const setting = await signedIn({
      accessTokenMaxBytes: 8192,
      claims: ({ roles }) => (roles.includes('large') ? { large: 'x'.repeat(2000) } : {}),
    })
    const { on, browser, user, expectEvents, event } = setting
    const roles = ['large', ...Array.from({ length: 20 }, (_, at) => `${at}`.padEnd(40, 'r'))]
    for (const role of roles) await on.gate.users.grantRole(user.userId, role)
    const granted = roles.map((role) => ({
      event: 'role.granted success',
      actor: 'application',
      subject: user.userId,
      data: { role },
    }))
    await expectEvents(granted)
    const refused = await browser.ask('POST /auth/login', login(setting))
    expect(refusal(refused)).toBe('422 ERR_TOKEN_TOO_LARGE')
    const [attributes] = setCookies(await createBrowser(shared.gate).ask('POST /auth/logout', { body: IN_COOKIES }))
    const around = `${PREFIX}access=; Max-Age=600; ${attributes!.attributes.slice(1).join('; ')}`
    expect(refused.json).toMatchObject({ maximum: 4096 - around.length, length: expect.any(Number) })
    expect(refusal(await browser.ask('POST /auth/refresh', { body: IN_COOKIES }))).toBe('422 ERR_TOKEN_TOO_LARGE')
    await expectEvents([])
    // Where it is sent in a header, it may be larger.
    const body = { identifier: user.identifier, password: PASSWORD }
    const { json } = await call(on.gate, 'POST /auth/login', { body })
    expect(json.access_token.length).toBe(refused.json.length)
    await expectEvents([
      event('login.succeeded success', { ...loggedIn(json.session_id, false), from: '203.0.113.9 socket' }),
    ])
  })

  test('Authorization wins over a cookie, whatever it says', async () => {
    const { on, browser, expectEvents, event } = await signedIn()
    const other = await on.gate.sessions.start(4711)
    const me = async (authorization: string, cookie = browser.header()) => {
      const headers = { Authorization: authorization, Cookie: cookie }
      const { json } = await call(on.gate, 'GET /auth/me', { headers })
      return json.code ?? json.user_id
    }
    expect(await me(`Bearer ${other.accessToken}`)).toBe('4711')
    expect(await me(`Bearer ${other.accessToken}`, `${PREFIX}access=a; ${PREFIX}access=b`)).toBe('4711')
    expect(await me('Bearer x')).toBe('ERR_TOKEN_INVALID')
    expect(await me('Bearer')).toBe('ERR_TOKEN_INVALID')
    expect(await me('Basic YW5uYTp4')).toBe('ERR_TOKEN_MISSING')
    // A page of another origin cannot have made it up, so it needs no other sign.
    const headers = { Authorization: `Bearer ${other.accessToken}`, 'Sec-Fetch-Site': 'cross-site', Origin: 'null' }
    expect((await call(on.gate, `DELETE /auth/sessions/${other.sessionId}`, { headers })).status).toBe(204)
    const about = { subject: '4711', session: other.sessionId }
    const { from: _, ...started } = event('login.succeeded success', about)
    await expectEvents([
      started,
      event('session.ended success ended-by-user', { ...about, from: '203.0.113.9 socket' }),
      refusals(on, 'invalid', { count: 2 }),
      refusals(on, 'missing'),
    ])
  })

  test.each([
    ['two of one name', (token: string) => `${PREFIX}access=${token}; ${PREFIX}access=${token}`],
    ['one planted before it', (token: string) => `${PREFIX}access=eyJ.e30.x; ${PREFIX}access=${token}`],
    ['one in quotes', (token: string) => `${PREFIX}access="${token}"`],
    ['one that is too long', (token: string) => `${PREFIX}access=${token}${'a'.repeat(4096)}`],
    ['more cookies than anybody has', (token: string) => `a=${'a'.repeat(40_000)}; ${PREFIX}access=${token}`],
    ['an empty one', () => `${PREFIX}access=`],
    ['an escaped one', (token: string) => `${PREFIX}access=${token.replaceAll('.', '%2E')}`],
  ])('%s is a bad token', async (_, header) => {
    const { on, browser, expectEvents } = await signedIn()
    const headers = { Cookie: header(browser.cookies.get('access')!) }
    expect(refusal(await call(on.gate, 'GET /auth/me', { headers }))).toBe('401 ERR_TOKEN_INVALID')
    await expectEvents([refusals(on, 'invalid')])
  })

  test('the cookie of an access token is not taken for one of another kind', async () => {
    const { on, browser, expectEvents } = await signedIn()
    for (const kind of ['refresh', 'device']) {
      const headers = { Cookie: `${PREFIX}access=${browser.cookies.get(kind)}` }
      expect(refusal(await call(on.gate, 'GET /auth/me', { headers }))).toBe('401 ERR_TOKEN_INVALID')
    }
    await expectEvents([refusals(on, 'invalid', { count: 2 })])
  })

  describe('a page of another origin', () => {
    const FOREIGN: Record<string, string>[] = [
      { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' },
      { 'Sec-Fetch-Site': 'same-site', Origin: 'https://sub.app.example' },
      // What is newer decides.
      { 'Sec-Fetch-Site': 'cross-site', Origin: ISSUER },
      { Origin: 'https://evil.example' },
      { Origin: 'null' },
      {},
    ]

    test.each(FOREIGN)('logs nobody in or out, and changes nothing: %j', async (headers) => {
      const setting = await signedIn()
      const { on, browser, user, expectEvents } = setting
      const asked: [string, object?][] = [
        ['POST /auth/login', login(setting).body],
        ['POST /auth/login', login(setting, WRONG_PASSWORD).body],
        ['POST /auth/register', { identifier: `x-${user.identifier}`, password: PASSWORD, ...IN_COOKIES }],
        ['POST /auth/refresh', IN_COOKIES],
        ['POST /auth/logout', IN_COOKIES],
        ['POST /auth/logout?scope=all', IN_COOKIES],
        ['POST /auth/password', { current_password: PASSWORD, new_password: NEW_PASSWORD }],
        [`DELETE /auth/sessions/${user.sessionId}`],
      ]
      for (const [line, body] of asked) {
        const options = { remoteAddress: '192.0.2.9', headers: { Cookie: browser.header(), ...headers } }
        const reply = await call(on.gate, line, body === undefined ? options : { ...options, body })
        expect([line, refusal(reply)]).toEqual([line, '403 ERR_CSRF'])
      }
      // Of the last two: the others are for everybody, and have not looked for a token.
      await expectEvents([refusals(on, 'cross-site', { count: 2, from: '192.0.2.9 socket' })])
      expect((await browser.ask('GET /auth/me')).status).toBe(200)
    })

    test('is not let in by CORS either', async () => {
      const on = await openOwnGate(engine, { cookies: 'lax', corsOrigins: [ISSUER, 'https://page.example'] })
      const browser = createBrowser(on.gate)
      const body = { identifier: 'ben@example.org', password: PASSWORD, ...IN_COOKIES }
      const made = await browser.ask('POST /auth/register', { body })
      expect([made.status, made.headers.has('access-control-allow-credentials')]).toEqual([201, false])
      const headers = { Origin: 'https://page.example', 'Sec-Fetch-Site': 'cross-site' }
      const reply = await browser.ask('POST /auth/logout', { body: IN_COOKIES, headers })
      expect(refusal(reply)).toBe('403 ERR_CSRF')
      expect(reply.headers.has('access-control-allow-credentials')).toBe(false)
    })
  })
})

describe('which requests may use the cookie of their sender', () => {
  let on: TestGate
  let cookie = ''
  beforeAll(async () => {
    on = await openGate(availableEngines[0]!, { cookies: 'lax' })
    const browser = createBrowser(on.gate)
    await browser.ask('POST /auth/register', {
      body: { identifier: 'anna@example.org', password: PASSWORD, ...IN_COOKIES },
    })
    cookie = browser.header()
  })
  afterAll(() => on.close())

  const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'post', 'get']
  const SITES = [null, 'same-origin', 'none', 'same-site', 'cross-site', 'Same-Origin', '', 'same-origin, cross-site']
  const ORIGINS = [
    null,
    ISSUER,
    'null',
    'http://app.example',
    'https://app.example:8443',
    'https://sub.app.example',
    'https://example',
    'https://app.example.evil.example',
    'https://evil.example',
    'HTTPS://APP.EXAMPLE',
    `${ISSUER}/`,
    `${ISSUER}, https://evil.example`,
    '',
  ]
  /** What is let through with a method that changes something: every other row of the table is not. */
  const LET_THROUGH = new Set([
    ...ORIGINS.flatMap((origin) => [`same-origin ${origin}`, `none ${origin}`]),
    `null ${ISSUER}`,
  ])

  async function judge(method: string, headers: Record<string, string | null>): Promise<string> {
    const sent = Object.entries({ Cookie: cookie, ...headers }).filter(([, value]) => value !== null)
    const request = { method, headers: new Headers(sent as [string, string][]) }
    return on.gate.authenticate(request, {}, { ip: '203.0.113.9', ipSource: 'socket' }).then(
      () => 'let through',
      (error: { code: string }) => error.code,
    )
  }

  test.each(METHODS)('%s', async (method) => {
    const { expectEvents } = await scenario(on)
    const isSafe = ['GET', 'HEAD', 'OPTIONS'].includes(method)
    let count = 0
    for (const site of SITES) {
      for (const origin of ORIGINS) {
        const wanted = isSafe || LET_THROUGH.has(`${site} ${origin}`) ? 'let through' : 'ERR_CSRF'
        const judged = await judge(method, { 'Sec-Fetch-Site': site, Origin: origin })
        expect([site, origin, judged]).toEqual([site, origin, wanted])
        if (wanted === 'ERR_CSRF') count += 1
      }
    }
    await expectEvents(count === 0 ? [] : [refusals(on, 'cross-site', { count })])
  })

  test('the handshake of a WebSocket is no harmless GET', async () => {
    const { expectEvents } = await scenario(on)
    const upgrade = { Upgrade: 'websocket' }
    expect(await judge('GET', { ...upgrade, Origin: 'https://evil.example' })).toBe('ERR_CSRF')
    expect(await judge('GET', upgrade)).toBe('ERR_CSRF')
    expect(await judge('GET', { ...upgrade, Origin: ISSUER })).toBe('let through')
    expect(await judge('GET', { ...upgrade, ...OWN_PAGE })).toBe('let through')
    await expectEvents([refusals(on, 'cross-site', { count: 2 })])
  })

  test('an application that writes the cookies itself has tokens that are as small', async () => {
    const start = (accessTokenMaxBytes: number) => on.gate.sessions.start(4711, {}, { accessTokenMaxBytes })
    const { accessToken } = await start(4000)
    const events = await on.events()
    for (const limit of [accessToken.length - 1, 0, -1, Number.NaN]) {
      expect(await codeOf(start(limit))).toBe('ERR_TOKEN_TOO_LARGE')
    }
    expect(await on.events()).toEqual(events)
    expect((await start(accessToken.length)).accessToken).toHaveLength(accessToken.length)
  })

  test('of the same issuer with a path, and another port of this machine', async () => {
    const port = await openOwnGate(availableEngines[0]!, { cookies: 'lax', issuer: 'http://localhost:3000/api' })
    const body = { identifier: 'ben@example.org', password: PASSWORD, ...IN_COOKIES }
    const ask = (Origin: string) => call(port.gate, 'POST /auth/register', { body, headers: { Origin } })
    for (const foreign of [
      'http://localhost:3001',
      'http://127.0.0.1:3000',
      'https://localhost:3000',
      'http://localhost',
    ]) {
      expect(refusal(await ask(foreign))).toBe('403 ERR_CSRF')
    }
    expect((await ask('http://localhost:3000')).status).toBe(201)
  })
})
