import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { createPool } from 'mysql2/promise'
import { createApp } from './app.js'
import { addUser, createUsersTable } from './users.js'

const PASSWORD = 'three green lanterns'
let pool
let gate
let server
let origin
let anna
let ben

before(async () => {
  assert.ok(process.env.MYSQL_URL, 'MYSQL_URL names an empty database of MySQL or MariaDB')
  pool = createPool({ uri: process.env.MYSQL_URL })
  await createUsersTable(pool)
  anna = await addUser(pool, { email: 'anna@example.org', name: 'Anna', password: PASSWORD, isStaff: true })
  ben = await addUser(pool, { email: 'ben@example.org', name: 'Ben', password: PASSWORD })
  const made = await createApp(pool, { secret: randomBytes(32).toString('base64url') })
  gate = made.gate
  server = made.app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  origin = `http://127.0.0.1:${server.address().port}`
})

after(async () => {
  server?.close()
  await gate?.close()
  await pool?.end()
})

const login = (email, password) =>
  fetch(`${origin}/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password }),
  })

const get = (path, token) => fetch(origin + path, { headers: { authorization: `Bearer ${token}` } })

test('the form is served, and what a browser sends from it logs in', async () => {
  assert.match(await (await fetch(`${origin}/login`)).text(), /<form method="post">/)
  const body = new URLSearchParams({ email: 'anna@example.org', password: PASSWORD })
  const answer = await fetch(`${origin}/login`, { method: 'POST', body })
  assert.equal(answer.status, 200)
  assert.equal((await answer.json()).user_id, String(anna))
})

test('JSON logs in, the token opens the account, and logging out closes it', async () => {
  const { access_token: token } = await (await login('ben@example.org', PASSWORD)).json()
  assert.deepEqual(await (await get('/account', token)).json(), { id: ben, name: 'Ben' })
  const headers = { authorization: `Bearer ${token}` }
  assert.equal((await fetch(`${origin}/auth/logout`, { method: 'POST', headers })).status, 204)
  const refused = await get('/account', token)
  assert.equal(refused.status, 401)
  assert.equal((await refused.json()).code, 'ERR_TOKEN_REVOKED')
})

test('a wrong password and an unknown address get the same answer, and different reasons in the log', async () => {
  const wrong = await login('ben@example.org', 'three green bottles')
  const unknown = await login('nobody@example.org', 'three green bottles')
  assert.equal(wrong.status, 401)
  assert.equal(unknown.status, 401)
  assert.deepEqual(await wrong.json(), await unknown.json())
  const { items } = await gate.log.search({ type: 'login.failed' }, { limit: 2 })
  assert.deepEqual(
    items.map(({ reason, subject }) => [reason, subject]),
    [
      ['unknown-user', null],
      ['wrong-password', String(ben)],
    ],
  )
})

test('after five failures the next attempt has to wait, even with the right password', async () => {
  // One failure of this account is from the test before.
  for (let failure = 2; failure <= 5; failure++) assert.equal((await login('ben@example.org', 'wrong')).status, 401)
  // The first wait is one second, the next two: on a slow machine it takes another failure to meet one.
  let throttled = await login('ben@example.org', 'wrong')
  for (let more = 0; more < 3 && throttled.status === 401; more++) throttled = await login('ben@example.org', 'wrong')
  assert.equal(throttled.status, 429)
  assert.ok(Number(throttled.headers.get('retry-after')) >= 1)
  assert.equal((await throttled.json()).code, 'ERR_THROTTLED')
  assert.equal((await login('ben@example.org', PASSWORD)).status, 429)
})

test('the view joins with the users table of the application', async () => {
  const [rows] = await pool.query(
    `SELECT users.name, user_logs.user_id, ip_address, logout_time IS NULL AS open, end_reason
     FROM user_logs JOIN users ON users.id = user_logs.user_id
     ORDER BY user_logs.id`,
  )
  assert.deepEqual(
    rows.map((row) => ({ ...row })),
    [
      { name: 'Anna', user_id: anna, ip_address: '127.0.0.1', open: 1, end_reason: null },
      { name: 'Ben', user_id: ben, ip_address: '127.0.0.1', open: 0, end_reason: 'logout' },
    ],
  )
  const [events] = await pool.query('SELECT event, user_id FROM user_log_events ORDER BY id')
  assert.deepEqual(
    events.map(({ event, user_id: userId }) => [event, userId]),
    [
      ['login', anna],
      ['login', ben],
      ['logout', ben],
    ],
  )
})

test('only staff sees the sign-ins', async () => {
  const { access_token: token } = await (await login('anna@example.org', PASSWORD)).json()
  const rows = await (await get('/sign-ins', token)).json()
  assert.deepEqual(
    rows.map(({ email }) => email),
    ['anna@example.org', 'ben@example.org', 'anna@example.org'],
  )
  const { accessToken } = await gate.sessions.start(ben)
  assert.equal((await get('/sign-ins', accessToken)).status, 403)
})
