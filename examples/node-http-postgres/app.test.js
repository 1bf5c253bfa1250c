import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { createApp } from './app.js'

const WHO = { identifier: 'anna@example.org', password: 'nine purple otters sing' }
const secret = randomBytes(32).toString('base64url')
const processes = []

before(async () => {
  assert.ok(process.env.POSTGRES_URL, 'POSTGRES_URL names an empty database of PostgreSQL')
  // Two of them over one database, as behind a load balancer.
  for (let count = 0; count < 2; count++) {
    const made = await createApp(process.env.POSTGRES_URL, { secret })
    await new Promise((resolve) => made.server.listen(0, '127.0.0.1', resolve))
    processes.push({ ...made, origin: `http://127.0.0.1:${made.server.address().port}` })
  }
})

after(async () => {
  for (const { server, gate } of processes) {
    server.close()
    await gate.close()
  }
})

const post = (url, body, headers = {}) =>
  fetch(url, {
    method: 'POST',
    headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
    body: body && JSON.stringify(body),
  })

test('what one process issues, the other takes; a logout is seen in both', async () => {
  const [first, second] = processes
  const registered = await post(`${first.origin}/auth/register`, WHO)
  assert.equal(registered.status, 201)
  const { access_token: token, user_id: userId } = await registered.json()
  const headers = { authorization: `Bearer ${token}` }
  assert.deepEqual(await (await fetch(`${second.origin}/hello`, { headers })).json(), { hello: userId })

  assert.equal((await post(`${first.origin}/auth/logout`, null, headers)).status, 204)
  assert.equal((await fetch(`${first.origin}/hello`, { headers })).status, 401)
  const loggedOutAt = Date.now()
  while ((await fetch(`${second.origin}/hello`, { headers })).status !== 401) {
    assert.ok(Date.now() - loggedOutAt < 2000, 'the other process refuses the token within 2 s')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
})

test('what is nobody’s is answered 404', async () => {
  const answer = await fetch(`${processes[0].origin}/nothing`)
  assert.equal(answer.status, 404)
  assert.equal((await answer.json()).code, 'ERR_NOT_FOUND')
})
