import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { NewClient, SessionTokens } from '../../src/api.ts'
import { availableEngines } from '../support/engines.ts'
import { ISSUER, openGate, scenario, type TestGate } from '../support/gate.ts'
import { call, type Reply } from './caller.ts'

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }
const basic = (id: string, secret: string) => ({
  Authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
})

describe.each(availableEngines)('the OAuth endpoints on $name', (engine) => {
  let on: TestGate
  let client: NewClient
  beforeAll(async () => {
    on = await openGate(engine, {
      oauthPath: '/oauth',
      claims: () => ({ plan: 'gold', active: 'never', username: 'x' }),
    })
    client = await on.gate.clients.create({ name: 'gateway' })
  })
  afterAll(() => on.close())

  function post(path: string, form: Record<string, string> | string, headers?: Record<string, string>): Promise<Reply> {
    return call(on.gate, `POST ${path}`, {
      body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
      headers: { ...FORM, ...(headers ?? basic(client.id, client.secret)) },
    })
  }
  const introspect = async (token: string) => (await post('/oauth/introspect', { token })).json
  async function signIn(): Promise<SessionTokens> {
    const anna = on.person()
    return on.gate.register(anna, anna.context)
  }

  test('say of an access token what it says, and of a refresh token whose it is', async () => {
    const tokens = await signIn()
    const common = {
      active: true,
      iss: ISSUER,
      sub: tokens.userId,
      sid: tokens.sessionId,
      client_id: 'gatebook',
      auth_time: Math.floor(on.clock.now() / 1000),
    }
    const iat = Math.floor(on.clock.now() / 1000)
    expect(await introspect(tokens.accessToken)).toEqual({
      ...common,
      plan: 'gold',
      username: 'x',
      token_type: 'Bearer',
      aud: ISSUER,
      iat,
      exp: iat + tokens.expiresIn,
      jti: expect.stringMatching(/^tok_/),
      roles: [],
    })
    expect(await introspect(tokens.refreshToken)).toEqual({ ...common, exp: iat + tokens.refreshExpiresIn })
  })

  test('say nothing but that it is not active of every other one, whatever is wrong', async () => {
    const ended = await signIn()
    await on.gate.sessions.end(ended.sessionId, 'ended-by-admin')
    const stale = await signIn()
    await on.gate.users.grantRole(stale.userId, 'editor')
    const spent = await signIn()
    await on.gate.refresh(spent.refreshToken)
    on.clock.advance(21_000)
    const old = await signIn()
    on.clock.advance(700_000)
    const tokens = [
      ...[ended.accessToken, ended.refreshToken, stale.accessToken, spent.refreshToken, old.accessToken],
      ...['x', 'a.b.c', `${old.accessToken}x`, 'eyJhbGciOiJub25lIn0.e30.', 'gbr_x', '💥', ' '],
    ]
    for (const token of tokens) expect(await introspect(token), token.slice(0, 8)).toEqual({ active: false })
  })

  test('know at once what another process has ended, before any poll', async () => {
    const other = await on.another()
    const { accessToken, sessionId } = await signIn()
    await other.sessions.end(sessionId, 'ended-by-admin')
    expect(await introspect(accessToken)).toEqual({ active: false })
  })

  test('end the session of either token once, also of an expired one, and answer alike for what is none', async () => {
    const { expectEvents } = await scenario(on)
    const people = [on.person(), on.person()]
    const [first, second] = [await on.gate.register(people[0]!), await on.gate.register(people[1]!)]
    on.clock.advance(700_000)
    await expectEvents(
      [first, second].flatMap(({ userId: subject, sessionId: session }) => {
        const about = { actor: 'self', subject, identifier: 'clear' as const }
        return [
          { ...about, event: 'user.registered success' },
          { ...about, event: 'login.succeeded success', session, data: { known_device: false } },
        ]
      }),
    )
    for (const token of [first.refreshToken, first.refreshToken, second.accessToken, 'x', 'a.b.c', 'gbr_x']) {
      const reply = await post('/oauth/revoke', { token, token_type_hint: 'whatever' })
      expect([reply.status, reply.text]).toEqual([200, ''])
    }
    await expectEvents(
      [first, second].map(({ userId: subject, sessionId: session }) => ({
        event: 'session.ended success ended-by-application',
        actor: `application ${client.id}`,
        subject,
        session,
        from: '203.0.113.9 socket',
      })),
    )
  })

  test('take the client in the header or in the form, and never in both', async () => {
    const { accessToken } = await signIn()
    const inForm = { client_id: client.id, client_secret: client.secret }
    const rows: readonly [Record<string, string>, Record<string, string>, number][] = [
      [{}, basic(client.id, client.secret), 200],
      [{ client_id: client.id }, basic(client.id, client.secret), 200],
      [inForm, {}, 200],
      [inForm, basic(client.id, client.secret), 401],
      [{ client_id: 'cli_x' }, basic(client.id, client.secret), 401],
      [{ client_id: client.id }, {}, 401],
      [inForm, { Authorization: `Bearer ${accessToken}` }, 401],
      [{}, { Authorization: 'Basic ???' }, 401],
      [{}, { Authorization: `Basic ${Buffer.from('no colon').toString('base64')}` }, 401],
      [{}, { Authorization: `Basic ${Buffer.from('%ff:x').toString('base64')}` }, 401],
      [{}, { Authorization: `Basic ${'A'.repeat(2000)}` }, 401],
      [{}, basic(client.id, 'wrong'), 401],
      [{}, {}, 401],
    ]
    for (const [form, headers, status] of rows) {
      const reply = await post('/oauth/introspect', { token: accessToken, ...form }, headers)
      expect(reply.status, JSON.stringify([Object.keys(form), headers.Authorization?.slice(0, 12)])).toBe(status)
      if (status === 401) {
        expect(reply.json).toEqual({ error: 'invalid_client', error_description: expect.any(String) })
        expect(reply.headers.get('www-authenticate')).toBe('Basic realm="gatebook", charset="UTF-8"')
      }
    }
  })

  test('tell of a wrong request what RFC 6749 says', async () => {
    const rows: readonly [string, Record<string, string>, number][] = [
      ['', {}, 400],
      ['token=', {}, 400],
      ['token=a&token=b', {}, 400],
      ['token=%ff', {}, 200],
      ['token=a&more=b&whatever=c', {}, 200],
      [`token=${'x'.repeat(20_000)}`, {}, 413],
      ['{"token":"x"}', { 'Content-Type': 'application/json' }, 415],
    ]
    for (const [body, headers, status] of rows) {
      const reply = await post('/oauth/introspect', body, { ...basic(client.id, client.secret), ...headers })
      expect(reply.status, body.slice(0, 20)).toBe(status)
      if (status !== 200) expect(reply.json.error).toBe('invalid_request')
    }
    const get = await call(on.gate, 'GET /oauth/introspect', {})
    expect([get.status, get.headers.get('allow'), get.json.error]).toEqual([405, 'POST, OPTIONS', 'invalid_request'])
    expect(on.gate.handles('/oauth/callback')).toBe(false)
  })

  test('are found, asked and understood by oauth4webapi', async () => {
    const fetching = {
      [oauth.customFetch]: async (url: string, init: RequestInit) => on.gate.fetch(new Request(url, init)),
    } as never
    const issuer = new URL(ISSUER)
    const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...(fetching as object) })
    const server = await oauth.processDiscoveryResponse(issuer, found)
    expect(server).toMatchObject({
      introspection_endpoint: `${ISSUER}/oauth/introspect`,
      revocation_endpoint: `${ISSUER}/oauth/revoke`,
      jwks_uri: `${ISSUER}/.well-known/jwks.json`,
    })
    const who = { client_id: client.id }
    for (const how of [oauth.ClientSecretBasic(client.secret), oauth.ClientSecretPost(client.secret)]) {
      const { accessToken, userId } = await signIn()
      const asked = await oauth.introspectionRequest(server, who, how, accessToken, fetching)
      expect(await oauth.processIntrospectionResponse(server, who, asked)).toMatchObject({ active: true, sub: userId })
      const revoked = await oauth.revocationRequest(server, who, how, accessToken, fetching)
      expect(await oauth.processRevocationResponse(revoked)).toBeUndefined()
      const again = await oauth.introspectionRequest(server, who, how, accessToken, fetching)
      expect(await oauth.processIntrospectionResponse(server, who, again)).toEqual({ active: false })
    }
  })

  test('redeem a code and refresh for it, as oauth4webapi does', async () => {
    const own = await on.another({ authorizationUrl: `${ISSUER}/log-in` })
    const fetching = {
      [oauth.customFetch]: async (url: string, init: RequestInit) => own.fetch(new Request(url, init)),
    } as never
    const issuer = new URL(ISSUER)
    const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...(fetching as object) })
    const server = await oauth.processDiscoveryResponse(issuer, found)
    expect(server).toMatchObject({
      authorization_endpoint: `${ISSUER}/log-in`,
      token_endpoint: `${ISSUER}/oauth/token`,
      code_challenge_methods_supported: ['S256'],
    })
    const redirectUri = 'https://shop.example/back'
    const secret = await own.clients.create({ name: 'shop', redirectUris: [redirectUri] })
    const open = await own.clients.createPublic({ name: 'phone', redirectUris: [redirectUri] })
    const ways: readonly [string, oauth.ClientAuth][] = [
      [secret.id, oauth.ClientSecretBasic(secret.secret)],
      [secret.id, oauth.ClientSecretPost(secret.secret)],
      [open.id, oauth.None()],
    ]
    for (const [clientId, how] of ways) {
      const parent = await signIn()
      const who = { client_id: clientId }
      const verifier = oauth.generateRandomCodeVerifier()
      const codeChallenge = await oauth.calculatePKCECodeChallenge(verifier)
      const { code } = await own.authorizations.issue({
        ...{ sessionId: parent.sessionId, clientId, redirectUri, codeChallenge },
      })
      const back = new URL(`${redirectUri}?${new URLSearchParams({ code, state: 'here', iss: ISSUER }).toString()}`)
      const answer = oauth.validateAuthResponse(server, who, back, 'here')
      const reply = await oauth.authorizationCodeGrantRequest(server, who, how, answer, redirectUri, verifier, fetching)
      expect(reply.headers.get('cache-control')).toBe('no-store')
      const tokens = await oauth.processAuthorizationCodeResponse(server, who, reply)
      expect(Object.keys(tokens).sort()).toEqual([
        ...['access_token', 'expires_in', 'refresh_expires_in', 'refresh_token', 'session_id', 'token_type', 'user_id'],
      ])
      const refreshed = await oauth.processRefreshTokenResponse(
        server,
        who,
        await oauth.refreshTokenGrantRequest(server, who, how, tokens.refresh_token!, fetching),
      )
      expect(await own.tokens.verify(refreshed.access_token)).toMatchObject({ clientId, userId: parent.userId })
      // A second time, it is refused as RFC 6749 §5.2 says, and the session is over.
      const again = await oauth.authorizationCodeGrantRequest(server, who, how, answer, redirectUri, verifier, fetching)
      expect([again.status, await again.json()]).toEqual([
        400,
        { error: 'invalid_grant', error_description: expect.any(String) },
      ])
      expect(await own.tokens.introspect(refreshed.access_token)).toEqual({ active: false })
    }
  })

  test('say what is wrong with a request for tokens', async () => {
    const redirectUri = 'https://shop.example/back'
    const open = await on.gate.clients.createPublic({ name: 'phone', redirectUris: [redirectUri] })
    const code = { grant_type: 'authorization_code', code: 'x', redirect_uri: redirectUri, code_verifier: 'x' }
    const rows: readonly [Record<string, string>, number, string][] = [
      [{}, 400, 'invalid_request'],
      [{ grant_type: 'password', username: 'a', password: 'b' }, 400, 'unsupported_grant_type'],
      [{ grant_type: 'authorization_code' }, 400, 'invalid_request'],
      [{ grant_type: 'refresh_token' }, 400, 'invalid_request'],
      [{ grant_type: 'refresh_token', refresh_token: 'x' }, 400, 'invalid_grant'],
      [code, 400, 'invalid_grant'],
      [{ ...code, client_id: 'cli_x' }, 401, 'invalid_client'],
      [{ ...code, client_id: client.id }, 401, 'invalid_client'],
      [{ ...code, client_secret: 'x' }, 401, 'invalid_client'],
    ]
    for (const [form, status, error] of rows) {
      const reply = await post('/oauth/token', { client_id: open.id, ...form }, {})
      expect([JSON.stringify(form), reply.status, reply.json.error]).toEqual([JSON.stringify(form), status, error])
    }
  })

  test('let nobody into the admin API with the token of an application', async () => {
    const own = await on.another({ adminPath: '/admin' })
    const admin = await signIn()
    await own.users.grantRole(admin.userId, 'admin')
    const redirectUri = 'https://shop.example/back'
    const open = await own.clients.createPublic({ name: 'phone', redirectUris: [redirectUri] })
    const verifier = oauth.generateRandomCodeVerifier()
    const codeChallenge = await oauth.calculatePKCECodeChallenge(verifier)
    const { code } = await own.authorizations.issue({
      ...{ sessionId: admin.sessionId, clientId: open.id, redirectUri, codeChallenge },
    })
    const child = await own.authorizations.redeem({ code, clientId: open.id, redirectUri, codeVerifier: verifier })
    const { accessToken } = await own.refresh(admin.refreshToken)
    const statusOf = async (token: string, path: string) =>
      (await call(own, `GET ${path}`, { headers: { Authorization: `Bearer ${token}` } })).status
    expect(await statusOf(accessToken, '/admin/api/clients')).toBe(200)
    expect(await statusOf(child.accessToken, '/admin/api/clients')).toBe(403)
    expect(await statusOf(child.accessToken, '/auth/me')).toBe(200)
    for (const path of ['/auth/sessions', '/auth/activity']) expect(await statusOf(child.accessToken, path)).toBe(403)
    // The application sees its own tokens, and no others.
    const shop = await own.clients.create({ name: 'shop', redirectUris: [redirectUri] })
    const asked = await post('/oauth/introspect', { token: accessToken }, basic(shop.id, shop.secret))
    expect(asked.json).toEqual({ active: false })
    expect(await introspect(child.refreshToken)).toMatchObject({ active: true, client_id: open.id })
  })

  test('are off by themselves in a library, but for the metadata, which then names neither', async () => {
    const plain = await on.another({ oauthPath: '' })
    expect(plain.handles('/oauth/introspect')).toBe(false)
    const { json } = await call(plain, 'GET /.well-known/oauth-authorization-server', {})
    expect(Object.keys(json).sort()).toEqual([
      'grant_types_supported',
      'issuer',
      'jwks_uri',
      'response_types_supported',
    ])
  })
})

describe('the feed over HTTP', () => {
  const engine = availableEngines[0]!

  test('is for clients alone', async () => {
    const on = await openGate(engine)
    const { id, secret } = await on.gate.clients.create({ name: 'x' })
    const { accessToken, sessionId } = await on.gate.register(on.person())
    const refused = await call(on.gate, 'GET /auth/revocations', { token: accessToken })
    expect([refused.status, refused.json.code]).toEqual([401, 'ERR_CLIENT_INVALID'])
    expect(refused.headers.get('www-authenticate')).toMatch(/^Basic /)
    await on.gate.sessions.end(sessionId, 'ended-by-admin')
    const page = await call(on.gate, 'GET /auth/revocations?wait=0', { headers: basic(id, secret) })
    expect([page.status, page.json]).toEqual([
      200,
      {
        entries: [{ sid: sessionId, kind: 'ended', gen: 0, reason: 'ended-by-admin', forget_at: expect.any(Number) }],
        next: expect.any(String),
        more: false,
        as_of: on.clock.now(),
      },
    ])
    const next = await call(on.gate, `GET /auth/revocations?after=${page.json.next}`, { headers: basic(id, secret) })
    expect(next.json.entries).toEqual([])
    for (const query of ['wait=31', 'wait=x', 'wait=-1', 'after=1;2', 'after=', 'more=1']) {
      const reply = await call(on.gate, `GET /auth/revocations?${query}`, { headers: basic(id, secret) })
      expect([400, 422], query).toContain(reply.status)
      expect(['ERR_QUERY_INVALID', 'ERR_CURSOR_INVALID']).toContain(reply.json.code)
    }
    await on.close()
  })

  test('is measured for whoever watches', async () => {
    const on = await openGate(engine, { operationsPath: '' })
    const { status, headers, text } = await call(on.gate, 'GET /metrics', {})
    expect([status, headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
    const staleness = /^gatebook_revocation_staleness_seconds (\d+(?:\.\d+)?(?:e-\d+)?)$/m.exec(text)?.[1]
    expect(Number(staleness)).toBeLessThan(60)
    expect(text).toMatch(/^gatebook_revocation_entries 0$/m)
    await on.close()
  })
})
