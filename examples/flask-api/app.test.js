import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const gatebook = join(here, 'node_modules/gatebook/dist/cli/bin.cjs')
const PASSWORD = 'nine purple otters sing'
const folder = mkdtempSync(join(tmpdir(), 'gatebook-flask-'))
const started = []
let issuer
let api
let environment
let server

before(async () => {
  const [port, apiPort] = [await findFreePort(), await findFreePort()]
  issuer = `http://localhost:${port}`
  api = `http://127.0.0.1:${apiPort}`
  environment = {
    PATH: process.env.PATH,
    GATEBOOK_DATABASE: `sqlite:${join(folder, 'gatebook.db')}`,
    GATEBOOK_SECRET: randomBytes(32).toString('base64'),
    GATEBOOK_ISSUER: issuer,
    GATEBOOK_PORT: String(port),
  }
  server = start(process.execPath, [gatebook, 'serve'])
  await answers(`${issuer}/readyz`)
  const client = JSON.parse(run('client', 'add', 'reports', '--json'))
  // Debian's, which has Debian's Flask.
  start('/usr/bin/python3', ['-m', 'flask', 'run', '--port', String(apiPort)], {
    AUTH_ISSUER: issuer,
    AUTH_CLIENT_ID: client.id,
    AUTH_CLIENT_SECRET: client.secret,
  })
  await answers(`${api}/reports`)
})

after(() => {
  for (const child of started) child.kill()
  rmSync(folder, { recursive: true, force: true })
})

function start(command, args, more = {}) {
  const child = spawn(command, args, {
    cwd: here,
    env: { ...environment, ...more },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  started.push(child)
  return child
}

const run = (...args) => execFileSync(process.execPath, [gatebook, ...args], { env: environment, encoding: 'utf8' })

async function answers(url) {
  for (const giveUpAt = Date.now() + 30_000; ; await sleep(100)) {
    const answer = await fetch(url).catch(() => null)
    if (answer !== null) return
    if (Date.now() > giveUpAt) throw new Error(`${url} does not answer`)
  }
}

function findFreePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

async function register(identifier) {
  const answer = await fetch(`${issuer}/auth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ identifier, password: PASSWORD }),
  })
  assert.equal(answer.status, 201)
  return answer.json()
}

const reports = (token) => fetch(`${api}/reports`, { headers: { authorization: `Bearer ${token}` } })

/** The answer that comes after a while, and how long it took. */
async function refusedWithin(token, milliseconds) {
  const begun = Date.now()
  for (;;) {
    const answer = await reports(token)
    if (answer.status === 401) return answer.headers.get('www-authenticate')
    assert.equal(answer.status, 200)
    assert.ok(Date.now() - begun < milliseconds, 'the log-out has not reached the API')
    await sleep(50)
  }
}

test('a user of Gatebook is let in, and a log-out reaches the API', async () => {
  const { access_token: token, user_id: userId } = await register('anna@example.org')
  const answer = await reports(token)
  assert.equal(answer.status, 200)
  assert.deepEqual(await answer.json(), { user: userId, roles: [] })
  const logout = await fetch(`${issuer}/auth/logout`, { method: 'POST', headers: { authorization: `Bearer ${token}` } })
  assert.equal(logout.status, 204)
  assert.match(await refusedWithin(token, 5000), /error="invalid_token", error_description="logout"/)
})

test('a change of roles makes the token of before stale, and the one of after it carries them', async () => {
  const { access_token: token, refresh_token: refreshToken, user_id: userId } = await register('ben@example.org')
  assert.equal((await reports(token)).status, 200)
  run('user', 'grant', userId, 'editor')
  assert.match(await refusedWithin(token, 5000), /error_description="stale"/)
  const refreshed = await fetch(`${issuer}/auth/refresh`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ refresh_token: refreshToken }),
  })
  const fresh = await reports((await refreshed.json()).access_token)
  assert.deepEqual(await fresh.json(), { user: userId, roles: ['editor'] })
})

test('nobody else is', async () => {
  const { access_token: token } = await register('cleo@example.org')
  const [header, payload, signature] = token.split('.')
  const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')
  for (const bad of ['x', `${none}.${payload}.`, `${header}.${payload}.${signature.slice(1)}A`, '']) {
    assert.equal((await reports(bad)).status, 401)
  }
  assert.equal((await fetch(`${api}/reports`)).status, 401)
})

test('while nobody can tell whether a token is good, the answer is 503', async () => {
  const { access_token: token } = await register('dora@example.org')
  server.kill()
  await new Promise((resolve) => server.once('exit', resolve))
  // Knows neither the keys nor the ended sessions.
  const port = await findFreePort()
  start('/usr/bin/python3', ['-m', 'flask', 'run', '--port', String(port)], {
    AUTH_ISSUER: issuer,
    AUTH_CLIENT_ID: 'cli_x',
    AUTH_CLIENT_SECRET: 'gbk_x',
  })
  await answers(`http://127.0.0.1:${port}/reports`)
  const answer = await fetch(`http://127.0.0.1:${port}/reports`, { headers: { authorization: `Bearer ${token}` } })
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '1'])
})
