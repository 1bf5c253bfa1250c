import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createApp } from './app.js'

const WHO = { identifier: 'anna@example.org', password: 'nine purple otters sing' }
const folder = mkdtempSync(join(tmpdir(), 'gatebook-example-'))
const secretFile = join(folder, 'gatebook.secret')
let gate
let server
let origin

before(async () => {
  const made = await createApp({ file: join(folder, 'gatebook.db'), secretFile })
  gate = made.gate
  server = made.app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  origin = `http://127.0.0.1:${server.address().port}`
})

after(async () => {
  server?.close()
  await gate?.close()
  rmSync(folder, { recursive: true })
})

const post = (path, body, headers = {}) =>
  fetch(origin + path, {
    method: 'POST',
    headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
    body: body && JSON.stringify(body),
  })

test('register, log in, call, log out, and find it all in the log', async () => {
  assert.equal((await post('/auth/register', WHO)).status, 201)
  assert.equal((await post('/auth/login', { ...WHO, password: 'another one' })).status, 401)

  const login = await post('/auth/login', WHO)
  assert.equal(login.status, 200)
  const { access_token: token, user_id: userId } = await login.json()
  const headers = { authorization: `Bearer ${token}` }

  const me = await (await fetch(`${origin}/auth/me`, { headers })).json()
  assert.equal(me.user_id, userId)
  assert.deepEqual(await (await fetch(`${origin}/hello`, { headers })).json(), { hello: userId })

  assert.equal((await post('/auth/logout', null, headers)).status, 204)
  assert.equal((await fetch(`${origin}/hello`, { headers })).status, 401)

  const { items } = await gate.log.activity(userId)
  assert.deepEqual(
    items.map(({ type, reason }) => [type, reason]),
    [
      ['session.ended', 'logout'],
      ['login.succeeded', null],
      ['login.failed', 'wrong-password'],
      ['login.succeeded', null],
      ['user.registered', null],
    ],
  )
})

test('without a token the route is closed', async () => {
  const answer = await fetch(`${origin}/hello`)
  assert.equal(answer.status, 401)
  assert.equal((await answer.json()).code, 'ERR_TOKEN_MISSING')
})

test('the secret is for its owner only', () => {
  assert.equal(statSync(secretFile).mode & 0o777, 0o600)
})
