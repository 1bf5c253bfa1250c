import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const gatebook = join(here, 'node_modules/gatebook/dist/cli/bin.cjs')
const WHO = { identifier: 'anna@example.org', password: 'nine purple otters sing' }
const folder = mkdtempSync(join(tmpdir(), 'gatebook-nginx-'))
const started = []
let site
let server
let environment

before(async () => {
  const [port, sitePort] = [await findFreePort(), await findFreePort()]
  site = `http://localhost:${sitePort}`
  environment = {
    PATH: `${process.env.PATH}:/usr/sbin`,
    GATEBOOK_DATABASE: `sqlite:${join(folder, 'gatebook.db')}`,
    GATEBOOK_SECRET: randomBytes(32).toString('base64'),
    GATEBOOK_ISSUER: site,
    GATEBOOK_COOKIES: 'lax',
    GATEBOOK_TRUSTED_PROXIES: '127.0.0.1',
    GATEBOOK_PORT: String(port),
  }
  server = start(process.execPath, [gatebook, 'serve'])
  cpSync(join(here, 'site'), join(folder, 'site'), { recursive: true })
  mkdirSync(join(folder, 'tmp'))
  const config = readFileSync(join(here, 'nginx.conf'), 'utf8')
  const ported = config
    .replace('127.0.0.1:4280', `127.0.0.1:${port}`)
    .replace('127.0.0.1:8080', `127.0.0.1:${sitePort}`)
  writeFileSync(join(folder, 'nginx.conf'), process.getuid() === 0 ? `user root;\n${ported}` : ported)
  start('nginx', ['-p', folder, '-c', 'nginx.conf'])
  await answers(`${site}/login.html`)
  await answers(`http://localhost:${port}/readyz`)
})

after(() => {
  for (const child of started) child.kill()
  rmSync(folder, { recursive: true, force: true })
})

function start(command, args) {
  const child = spawn(command, args, { cwd: folder, env: environment, stdio: ['ignore', 'inherit', 'inherit'] })
  started.push(child)
  return child
}

const run = (...args) => execFileSync(process.execPath, [gatebook, ...args], { env: environment, encoding: 'utf8' })

async function answers(url) {
  for (const giveUpAt = Date.now() + 30_000; ; await sleep(100)) {
    if ((await fetch(url).catch(() => null))?.ok) return
    if (Date.now() > giveUpAt) throw new Error(`${url} does not answer`)
  }
}

function findFreePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}

/** What a page of the site sends. */
const post = (path, body, headers = {}) =>
  fetch(site + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: site, ...headers },
    body: JSON.stringify({ ...body, cookies: true }),
  })

const cookiesOf = (answer) => answer.headers.getSetCookie().map((cookie) => cookie.split(';')[0])
const get = (path, cookies = []) => fetch(site + path, { headers: { cookie: cookies.join('; ') }, redirect: 'manual' })

test('whoever is not signed in is sent to the log-in, and back from there', async () => {
  const answer = await get('/index.html?a=1')
  assert.equal(answer.status, 302)
  assert.equal(answer.headers.get('location'), `${site}/login.html?next=/index.html?a=1`)
  assert.equal((await get('/login.html')).status, 200)
})

test('whoever signs in sees the site until the log-out', async () => {
  assert.equal((await post('/auth/register', WHO)).status, 201)
  const login = await post('/auth/login', WHO)
  assert.equal(login.status, 200)
  assert.deepEqual(Object.keys(await login.json()).sort(), [
    'expires_in',
    'refresh_expires_in',
    'session_id',
    'user_id',
  ])
  const cookies = cookiesOf(login)
  const page = await get('/', cookies)
  assert.equal(page.status, 200)
  assert.match(await page.text(), /Only for people who are signed in/)
  assert.equal(page.headers.get('cache-control'), 'private, no-store')

  // Only the access token has expired, and the page of the log-in trades the other one.
  const refreshed = await post('/auth/refresh', {}, { cookie: cookies.find((cookie) => cookie.includes('refresh')) })
  assert.equal(refreshed.status, 200)

  const logout = await post('/auth/logout', {}, { cookie: cookiesOf(refreshed).join('; ') })
  assert.equal(logout.status, 204)
  assert.equal((await get('/', cookies)).status, 302)
})

test('another site can do nothing with the cookies, and nothing but GET gets in', async () => {
  const cookies = cookiesOf(await post('/auth/login', WHO))
  const foreign = { origin: 'https://evil.example', cookie: cookies.join('; ') }
  assert.equal((await post('/auth/logout', {}, foreign)).status, 403)
  assert.equal((await post('/auth/login', WHO, { origin: 'https://evil.example' })).status, 403)
  assert.equal((await fetch(`${site}/`, { method: 'POST', headers: { cookie: cookies.join('; ') } })).status, 403)
  assert.equal((await get('/', cookies)).status, 200)
})

test('the log has the address of the visitor, not that of nginx', () => {
  const [event] = run('log', 'search', '--type', 'login.succeeded', '--limit', '1', '--json').trim().split('\n')
  const { ip, ip_source: source } = JSON.parse(event)
  assert.deepEqual([ip, source], ['127.0.0.1', 'x-forwarded-for'])
})

test('without Gatebook nobody gets in, and everybody is told to come again', async () => {
  const cookies = cookiesOf(await post('/auth/login', WHO))
  server.kill()
  await new Promise((resolve) => server.once('exit', resolve))
  const answer = await get('/', cookies)
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '5'])
})
