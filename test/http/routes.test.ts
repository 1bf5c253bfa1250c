import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gatebook } from '../../src/api.ts'
import { listRoutes } from '../../src/http/table.ts'
import { systemClock } from '../../src/util/clock.ts'
import { type CallOptions, call, openGate, PASSWORD, type Reply, register, registerAdmin } from './caller.ts'

const NEW_PASSWORD = 'another long enough phrase'
const ROUTES = listRoutes({
  issuer: 'https://app.example',
  adminPath: '/admin',
  operationsPath: '',
  oauthPath: '/oauth',
  logPath: '/log',
  logPublic: false,
  clock: systemClock,
  audience: 'https://app.example',
  clientId: 'gatebook',
  authorizationUrl: null,
  registration: 'confirm',
  cookies: 'off',
  sendReset: () => {},
})

let gate: Gatebook
let admin: { access: string; userId: string }
const sent: string[] = []

beforeAll(async () => {
  gate = await openGate()
  admin = await registerAdmin(gate)
})
afterAll(() => gate.close())

/** A call whose answer is one that the document describes, to the last member. */
async function ask(line: string, options: CallOptions = {}): Promise<Reply> {
  const reply = await call(gate, line, options)
  sent.push(reply.text)
  const [method, path = ''] = line.replace(/\?.*/, '').split(' ')
  const route = ROUTES.find(
    (row) => row.method === method && new RegExp(`^${row.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
  )
  const schema = route?.responses[reply.status]
  if (schema) expect(schema.parse(reply.json)).toEqual(reply.json)
  else if (schema === null) expect(reply.text).toBe('')
  else expect(reply.json).toMatchObject({ status: reply.status, code: expect.stringMatching(/^ERR_/) })
  return reply
}

async function login(
  identifier: string,
  password = PASSWORD,
): Promise<{ access: string; refresh: string; sessionId: string }> {
  const { json } = await ask('POST /auth/login', { body: { identifier, password } })
  return { access: json.access_token, refresh: json.refresh_token, sessionId: json.session_id }
}

describe('a user', () => {
  test('is registered, called, refreshed and logged out', async () => {
    const registered = await ask('POST /auth/register', {
      body: { identifier: 'anna@app.example', password: PASSWORD },
    })
    expect(registered.status).toBe(201)
    const me = await ask('GET /auth/me', { token: registered.json.access_token })
    expect(me.json).toMatchObject({
      user_id: registered.json.user_id,
      session_id: registered.json.session_id,
      roles: [],
      claims: {},
    })
    expect(me.json.expires_at).toBeGreaterThan(Date.now())
    const refreshed = await ask('POST /auth/refresh', { body: { refresh_token: registered.json.refresh_token } })
    expect(refreshed.json.session_id).toBe(registered.json.session_id)
    const again = { token: refreshed.json.access_token }
    expect((await ask('POST /auth/logout', again)).status).toBe(204)
    expect((await ask('POST /auth/logout', again)).status).toBe(204)
    expect((await ask('POST /auth/logout', { body: { refresh_token: refreshed.json.refresh_token } })).status).toBe(204)
    expect((await ask('GET /auth/me', again)).json.code).toBe('ERR_TOKEN_REVOKED')
    expect((await ask('POST /auth/refresh', { body: { refresh_token: refreshed.json.refresh_token } })).status).toBe(
      401,
    )
    expect((await ask('POST /auth/logout')).json.code).toBe('ERR_TOKEN_MISSING')
    expect((await ask('POST /auth/logout', { token: 'x' })).json.code).toBe('ERR_TOKEN_INVALID')
  })

  test('logs the others out, then everybody', async () => {
    await register(gate, 'ben@app.example')
    const [first, second] = [await login('ben@app.example'), await login('ben@app.example')]
    expect((await ask('POST /auth/logout?scope=others', { token: first.access })).status).toBe(204)
    expect((await ask('GET /auth/me', { token: second.access })).status).toBe(401)
    expect((await ask('GET /auth/me', { token: first.access })).status).toBe(200)
    expect((await ask('POST /auth/logout?scope=all', { body: { refresh_token: first.refresh } })).status).toBe(204)
    expect((await ask('GET /auth/me', { token: first.access })).status).toBe(401)
  })

  test('sees and ends own sessions, and nobody else’s', async () => {
    const other = await register(gate, 'carl@app.example')
    await register(gate, 'dora@app.example')
    const [here, there] = [await login('dora@app.example'), await login('dora@app.example')]
    const list = await ask('GET /auth/sessions', { token: here.access })
    expect(list.json.items).toHaveLength(3)
    expect(list.json.items[0]).toMatchObject({
      id: there.sessionId,
      ip: '203.0.113.9',
      method: 'password',
      ended_at: null,
    })
    const end = (id: string) => ask(`DELETE /auth/sessions/${id}`, { token: here.access })
    expect((await end(there.sessionId)).status).toBe(204)
    expect((await end(there.sessionId)).status).toBe(204)
    expect((await ask('GET /auth/me', { token: there.access })).status).toBe(401)
    for (const id of [other.sessionId, 'ses_00000000000000000000000000', 'x', '%ff%2F', '%00']) {
      expect((await end(id)).json.code).toBe('ERR_SESSION_NOT_FOUND')
    }
    expect((await ask('GET /auth/me', { token: other.access })).status).toBe(200)
    const { items } = await gate.log.search({ type: 'session.ended', session: there.sessionId })
    expect(items).toMatchObject([{ reason: 'ended-by-user', actor: { kind: 'user' } }])
  })

  test('changes the password', async () => {
    const { access } = await register(gate, 'emil@app.example')
    const elsewhere = await login('emil@app.example')
    const change = (current: string, next: string) =>
      ask('POST /auth/password', { token: access, body: { current_password: current, new_password: next } })
    const wrong = await change('not the pass phrase', NEW_PASSWORD)
    expect([wrong.status, wrong.json.code, wrong.headers.has('www-authenticate')]).toEqual([
      403,
      'ERR_PASSWORD_WRONG',
      false,
    ])
    expect((await change(PASSWORD, 'short')).json).toMatchObject({ code: 'ERR_PASSWORD_TOO_SHORT', minimum: 15 })
    expect((await change(PASSWORD, NEW_PASSWORD)).status).toBe(204)
    expect((await ask('GET /auth/me', { token: elsewhere.access })).status).toBe(401)
    expect((await ask('GET /auth/me', { token: access })).status).toBe(200)
    expect(
      (await ask('POST /auth/login', { body: { identifier: 'emil@app.example', password: PASSWORD } })).status,
    ).toBe(401)
    expect((await login('emil@app.example', NEW_PASSWORD)).access).toBeDefined()
  })

  test('reads the own history in pages, without a trace and without the ids of others', async () => {
    const { access, userId } = await register(gate, 'finn@app.example')
    await login('finn@app.example')
    await ask(`PATCH /admin/api/users/${userId}`, { token: admin.access, body: { roles: ['editor'] } })
    const { access: fresh } = await login('finn@app.example')
    expect((await ask('GET /auth/me', { token: access })).json.code).toBe('ERR_TOKEN_STALE')
    const before = (await gate.log.search({})).items[0]?.id
    const types: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page: Reply = await ask(`GET /auth/activity?limit=2${cursor && `&cursor=${cursor}`}`, { token: fresh })
      expect(page.text).not.toContain(admin.userId)
      for (const { type } of page.json.items) types.push(type)
      cursor = page.json.next
    }
    expect(types).toEqual(['login.succeeded', 'role.granted', 'login.succeeded', 'login.succeeded', 'user.registered'])
    expect((await gate.log.search({})).items[0]?.id).toBe(before)
    expect((await ask('GET /auth/activity?cursor=x', { token: fresh })).json.code).toBe('ERR_CURSOR_INVALID')
  })

  test('with a device that is known says so', async () => {
    const { json } = await ask('POST /auth/register', { body: { identifier: 'gerd@app.example', password: PASSWORD } })
    const body = { identifier: 'gerd@app.example', password: PASSWORD, device_token: json.device_token }
    expect((await ask('POST /auth/login', { body })).status).toBe(200)
    const { items } = await gate.log.search({ type: 'login.succeeded' })
    expect(items[0]?.data).toMatchObject({ known_device: true })
  })
})

describe('an admin', () => {
  const as = (options: CallOptions = {}): CallOptions => ({ token: admin.access, ...options })

  test('searches the log, and the log says so', async () => {
    const { userId } = await register(gate, 'hans@app.example')
    await call(gate, 'POST /auth/login', {
      body: { identifier: 'hans@app.example', password: 'wrong wrong wrong' },
      remoteAddress: '198.51.100.7',
    })
    const page = await ask('GET /admin/api/events?ip=198.51.100.0/24&type=login.*', as())
    expect(page.json.items).toMatchObject([
      {
        type: 'login.failed',
        outcome: 'failure',
        reason: 'wrong-password',
        subject: userId,
        ip: '198.51.100.7',
        ip_source: 'socket',
      },
    ])
    const [event] = page.json.items
    expect(event.time).toBe(new Date(event.at).toISOString())
    const { items } = await gate.log.search({ type: 'log.read' })
    expect(items[0]).toMatchObject({
      actor: { kind: 'admin', id: admin.userId },
      data: { filters: ['ip', 'type'], returned: 1 },
    })
    expect((await ask(`GET /admin/api/events/${event.id}`, as())).json).toEqual(event)
    expect((await ask('GET /admin/api/events/evt_1', as())).json.code).toBe('ERR_EVENT_NOT_FOUND')
    const byIdentifier = await ask(
      `GET /admin/api/events?identifier=${encodeURIComponent('hans@app.example')}&from=${event.at}`,
      as(),
    )
    expect(byIdentifier.json.items).toMatchObject([{ id: event.id }])
    const byTime = await ask(`GET /admin/api/events?user=${userId}&to=${event.time}`, as())
    expect(byTime.json.items.map((item: { type: string }) => item.type)).not.toContain('login.failed')
  })

  test('searches the log by a query', async () => {
    const reasons = async (q: string) => {
      const page = await ask(`GET /admin/api/events?limit=500&q=${encodeURIComponent(q)}`, as())
      return page.json.items.map(({ type, reason }: Record<string, string>) => `${type} ${reason}`)
    }
    expect(await reasons('198.51.100.0/24 outcome:failure,denied since:1h')).toEqual(['login.failed wrong-password'])
    const { items } = await gate.log.search({ type: 'log.read' })
    expect(items[0]?.data).toEqual({ filters: ['from', 'ip', 'outcome'], returned: 1 })
    expect(await reasons('198.51.100.0/24 -reason:wrong-password')).toEqual([])
    expect(await reasons('type:login.* -type:login.failed -outcome:denied')).not.toHaveLength(0)
    expect((await gate.log.search({ type: 'log.read' })).items[0]?.data).toMatchObject({
      filters: ['not.outcome', 'not.type', 'type'],
    })
    // What is 13:00 in UTC was 13:00 in Kiritimati fourteen hours before.
    const inAnHour = new Date(Date.now() + 3_600_000).toISOString().slice(0, 16)
    const line = `GET /admin/api/events?q=since:${inAnHour}`
    expect((await ask(line, as())).json.items).toEqual([])
    expect((await ask(`${line}&time_zone=Pacific/Kiritimati`, as())).json.items).not.toHaveLength(0)
  })

  test('is told where a query is wrong, without it', async () => {
    const reply = await ask(`GET /admin/api/events?q=${encodeURIComponent('user:hunter2 outcome:failre')}`, as())
    expect(reply.json).toMatchObject({
      ...{ status: 422, code: 'ERR_QUERY_INVALID', members: ['q'], reason: 'ERR_QUERY_VALUE', column: 22 },
      expected: 'Did you mean failure?',
    })
    expect(reply.text).not.toMatch(/hunter2|failre/)
    const both = await ask('GET /admin/api/events?q=user:1&type=login.*', as())
    expect(both.json).toMatchObject({ code: 'ERR_QUERY_INVALID', members: ['q', 'type'] })
    // Pages are no filter.
    const [first] = (await ask('GET /admin/api/events?q=type:login.*&limit=1', as())).json.items
    const { next } = (await ask('GET /admin/api/events?q=type:login.*&limit=1', as())).json
    const second = await ask(`GET /admin/api/events?q=type:login.*&limit=1&cursor=${next}`, as())
    expect(second.json.items[0].number).toBeLessThan(first.number)
  })

  test('makes, finds, changes, disables and enables a user, with an event for each difference', async () => {
    const created = await ask(
      'POST /admin/api/users',
      as({ body: { identifier: 'ida@app.example', password: PASSWORD, roles: ['a', 'b'] } }),
    )
    expect([created.status, created.json.roles.toSorted()]).toEqual([201, ['a', 'b']])
    const path = `/admin/api/users/${created.json.id}`
    const found = await ask(`GET /admin/api/users?identifier=${encodeURIComponent('ida@app.example')}`, as())
    const { json: shown } = await ask(`GET ${path}`, as())
    expect(found.json).toEqual({ items: [shown], next: null })
    expect((await ask('GET /admin/api/users?limit=1', as())).json.items).toEqual([shown])
    const ida = await login('ida@app.example')
    const changed = await ask(`PATCH ${path}`, as({ body: { disabled: true, roles: ['b', 'c', 'c'] } }))
    expect([changed.json.roles.toSorted(), changed.json.disabled_at !== null]).toEqual([['b', 'c'], true])
    expect((await ask('GET /auth/me', { token: ida.access })).status).toBe(401)
    await ask(`PATCH ${path}`, as({ body: { disabled: true, roles: ['c', 'b'] } }))
    expect((await ask(`PATCH ${path}`, as({ body: { disabled: false } }))).json.disabled_at).toBeNull()
    const { items } = await gate.log.search({ user: created.json.id })
    const told = items.map(({ type, data, actor }) => `${actor.kind} ${type} ${data.role ?? ''}`.trim()).reverse()
    expect(told).toEqual([
      'admin user.registered',
      'admin role.granted a',
      'admin role.granted b',
      'user login.succeeded',
      'admin user.disabled',
      'admin session.ended',
      'admin role.revoked a',
      'admin role.granted c',
      'admin user.enabled',
    ])
  })

  test('sees and ends the sessions of a user', async () => {
    const { userId, sessionId, access } = await register(gate, 'jana@app.example')
    await login('jana@app.example')
    expect((await ask(`GET /admin/api/users/${userId}/sessions`, as())).json.items).toHaveLength(2)
    expect((await ask(`DELETE /admin/api/sessions/${sessionId}`, as())).status).toBe(204)
    expect((await ask(`DELETE /admin/api/sessions/${sessionId}`, as())).status).toBe(204)
    expect((await ask('GET /auth/me', { token: access })).status).toBe(401)
    expect((await ask(`POST /admin/api/users/${userId}/sessions/end`, as())).json).toEqual({ ended: 1 })
    expect((await ask(`POST /admin/api/users/${userId}/sessions/end`, as())).json).toEqual({ ended: 0 })
    const { items } = await gate.log.search({ type: 'session.ended', user: userId })
    expect(items).toMatchObject(
      [1, 2].map(() => ({ reason: 'ended-by-admin', actor: { kind: 'admin', id: admin.userId } })),
    )
  })

  test('finds out why a session has ended, who ended it, and from where', async () => {
    const { userId, sessionId, refresh } = await register(gate, 'lena@app.example')
    const before = (await gate.log.search({ type: 'log.read' })).items
    expect((await ask(`GET /admin/api/sessions/${sessionId}`, as())).json).toMatchObject({
      id: sessionId,
      ended_at: null,
      end_event: null,
    })
    const sessions = `GET /admin/api/users/${userId}/sessions`
    expect((await ask(`${sessions}?ended=true`, as())).json).toEqual({ items: [], next: null })
    await ask(`DELETE /admin/api/sessions/${sessionId}`, as({ remoteAddress: '192.0.2.66' }))
    const { json: shown } = await ask(`GET /admin/api/sessions/${sessionId}`, as())
    expect(shown).toMatchObject({
      end_reason: 'ended-by-admin',
      end_event: {
        type: 'session.ended',
        actor: { kind: 'admin', id: admin.userId },
        ip: '192.0.2.66',
      },
    })
    const last = await login('lena@app.example')
    await ask('POST /auth/logout', { token: last.access })
    const first = (await ask(`${sessions}?ended=true&limit=1`, as())).json
    expect(first.items).toMatchObject([{ end_reason: 'logout' }])
    const second = (await ask(`${sessions}?ended=true&cursor=${first.next}`, as())).json
    const { end_event: _, ...session } = shown
    expect(second).toEqual({ items: [session], next: null })
    expect((await ask(`${sessions}?ended=false`, as())).json).toEqual({ items: [], next: null })
    // And whoever was logged out is told as well.
    const refused = await ask('POST /auth/refresh', { body: { refresh_token: refresh } })
    expect(refused.json).toMatchObject({ code: 'ERR_REFRESH_ENDED', end_reason: 'ended-by-admin' })
    expect((await ask('GET /admin/api/sessions/ses_x', as())).json.code).toBe('ERR_SESSION_NOT_FOUND')
    expect((await ask(`${sessions}?ended=yes`, as())).json).toMatchObject({ members: ['ended'] })
    // A page of the live ones would be taken for all of them.
    expect((await ask(`${sessions}?limit=1`, as())).json).toMatchObject({
      code: 'ERR_QUERY_INVALID',
      members: ['limit'],
    })
    expect((await gate.log.search({ type: 'log.read' })).items).toEqual(before)
  })

  test.each([
    `GET /admin/api/users/usr_${'0'.repeat(26)}`,
    `GET /admin/api/users/usr_${'0'.repeat(26)}/sessions`,
    'POST /admin/api/users/4711/sessions/end',
  ])('is told that there is no such user: %s', async (line) => {
    expect((await ask(line, as())).json.code).toBe('ERR_USER_NOT_FOUND')
  })

  test('manages the application’s own users by their own ids', async () => {
    await gate.sessions.start('team/ä b', { roles: ['buyer'] })
    const path = `/admin/api/users/${encodeURIComponent('team/ä b')}`
    expect((await ask(`GET ${path}`, as())).json).toMatchObject({ id: 'team/ä b', identifier: null })
    expect((await ask(`PATCH ${path}`, as({ body: { roles: ['seller'] } }))).json.roles).toEqual(['seller'])
    expect((await ask(`POST ${path}/sessions/end`, as())).json).toEqual({ ended: 1 })
  })
})

test('operations are answered to anybody', async () => {
  expect((await ask('GET /healthz')).json).toEqual({ status: 'ok' })
  expect((await ask('GET /readyz')).json).toEqual({ ready: true })
  expect((await ask('GET /.well-known/jwks.json')).json.keys[0]).toMatchObject({ kty: 'EC', alg: 'ES256' })
})

test('no answer of all of these repeats a password', () => {
  for (const text of sent)
    for (const secret of [PASSWORD, NEW_PASSWORD, 'wrong wrong wrong']) expect(text).not.toContain(secret)
})

test('admins add, list and revoke clients, and see a secret once', async () => {
  const token = admin.access
  const made = await ask('POST /admin/api/clients', { token, body: { name: 'gateway' } })
  expect([made.status, made.json.secret]).toEqual([201, expect.stringMatching(/^gbk_/)])
  const listed = await ask('GET /admin/api/clients?limit=1', { token })
  expect(listed.json.items).toEqual([
    {
      ...{ id: made.json.id, name: 'gateway', public: false, redirect_uris: [], created_by: admin.userId },
      ...{ created_at: made.json.created_at, revoked_at: null },
    },
  ])
  for (let times = 0; times < 2; times++) {
    expect((await ask(`DELETE /admin/api/clients/${made.json.id}`, { token })).status).toBe(204)
  }
  expect((await ask('GET /admin/api/clients', { token })).json.items[0].revoked_at).toEqual(expect.any(Number))
  expect((await ask('DELETE /admin/api/clients/cli_x', { token })).status).toBe(404)
  const refused: readonly [object, string][] = [
    [{ name: ' ' }, 'ERR_CLIENT_NAME_INVALID'],
    [{ name: 'x', redirect_uris: ['http://shop.example/'] }, 'ERR_REDIRECT_URI_INVALID'],
    [{ name: 'x', public: true }, 'ERR_REDIRECT_URI_INVALID'],
    [{ name: 'x', redirect_uris: 'https://shop.example/' }, 'ERR_BODY_INVALID'],
  ]
  for (const [body, code] of refused) {
    const reply = await ask('POST /admin/api/clients', { token, body })
    expect([reply.status, reply.json.code]).toEqual([422, code])
  }
  const uris = ['https://shop.example/back']
  const open = await ask('POST /admin/api/clients', { token, body: { name: 'x', redirect_uris: uris, public: true } })
  expect([open.status, open.json]).toEqual([
    201,
    expect.objectContaining({ secret: null, public: true, redirect_uris: uris }),
  ])
  expect((await ask(`DELETE /admin/api/clients/${open.json.id}`, { token })).status).toBe(204)
  const user = await register(gate, 'no-admin-of-clients@app.example')
  expect((await ask('GET /admin/api/clients', { token: user.access })).status).toBe(403)
})

test('admins hold and erase, and everybody else does not', async () => {
  const token = admin.access
  const user = await register(gate, 'to-be-erased@app.example')
  const path = `/admin/api/users/${user.userId}/personal-data`
  const hold = await ask('POST /admin/api/holds', { token, body: { user_id: user.userId, reason: 'court' } })
  expect([hold.status, hold.json]).toEqual([
    201,
    expect.objectContaining({ user_id: user.userId, created_by: admin.userId }),
  ])
  expect((await ask('GET /admin/api/holds', { token })).json.items).toEqual([hold.json])
  expect((await ask(`GET ${path}`, { token })).json).toMatchObject({ user_id: user.userId, holds: [hold.json.id] })
  const held = await ask(`DELETE ${path}`, { token })
  expect([held.status, held.json]).toEqual([409, expect.objectContaining({ code: 'ERR_HELD', hold: hold.json.id })])
  expect((await ask('POST /admin/api/holds', { token, body: { reason: ' ' } })).status).toBe(422)
  for (const status of [204, 404]) {
    expect((await ask(`DELETE /admin/api/holds/${hold.json.id}`, { token })).status).toBe(status)
  }
  expect((await ask(`DELETE ${path}?reference=a%20b`, { token })).json.code).toBe('ERR_REFERENCE_INVALID')
  expect((await ask(`DELETE ${path}`, { token: user.access })).status).toBe(403)
  const erased = await ask(`DELETE ${path}?reference=DSR-17`, { token })
  expect([erased.status, erased.json]).toEqual([200, expect.objectContaining({ user_id: user.userId, sessions: 1 })])
  expect((await ask(`GET /admin/api/users/${user.userId}`, { token })).status).toBe(404)
  expect((await ask('GET /admin/api/users/usr_00000000000000000000000000/personal-data', { token })).status).toBe(404)
})

test('admins erase an identifier that is nobody’s', async () => {
  const token = admin.access
  const identifier = 'misspelt@app.example'
  await ask('POST /auth/login', { body: { identifier, password: PASSWORD } })
  const body = { identifier }
  const none = { user_id: null, sessions: 0, devices: 0, tokens: 0 }
  const preview = await ask('POST /admin/api/erasures/preview', { token, body })
  expect([preview.status, preview.json]).toEqual([200, expect.objectContaining({ ...none, events: 1, holds: [] })])
  const user = await register(gate, 'no-admin-of-erasures@app.example')
  for (const path of ['POST /admin/api/erasures/preview', 'POST /admin/api/erasures']) {
    expect((await ask(path, { token: user.access, body })).status).toBe(403)
    expect((await ask(path, { token, body: { identifier: '' } })).json.code).toBe('ERR_IDENTIFIER_INVALID')
    expect((await ask(path, { token, body: { user_id: user.userId } })).json.code).toBe('ERR_BODY_INVALID')
  }
  const erased = await ask('POST /admin/api/erasures', { token, body: { ...body, reference: 'DSR-18' } })
  expect([erased.status, erased.json]).toEqual([200, expect.objectContaining({ ...none, events: 1 })])
  expect((await ask('POST /admin/api/erasures/preview', { token, body })).json.events).toBe(0)
})
