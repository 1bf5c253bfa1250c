import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createShop } from './app.js'

const GATEBOOK = join(import.meta.dirname, 'node_modules', '.bin', 'gatebook')
const folder = mkdtempSync(join(tmpdir(), 'gatebook-shop-'))
const port = await findFreePort()
const issuer = `http://localhost:${port}`
let gatebook
let shop
let origin

before(async () => {
  gatebook = spawn(GATEBOOK, ['serve', '--port', String(port)], { cwd: folder, stdio: 'ignore' })
  for (let tries = 0; !(await fetch(`${issuer}/readyz`).catch(() => ({ ok: false }))).ok; tries++) {
    assert.ok(tries < 200, 'Gatebook starts within 20 s')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  // A port of this machine may be any (RFC 8252 §7.3).
  const add = ['client', 'add', 'shop', '--redirect-uri', 'http://127.0.0.1/signed-in', '--json']
  const added = execFileSync(GATEBOOK, add, { cwd: folder })
  const { id: clientId, secret: clientSecret } = JSON.parse(added)
  const shopPort = await findFreePort()
  origin = `http://127.0.0.1:${shopPort}`
  shop = await createShop({ issuer, clientId, clientSecret, origin })
  await new Promise((resolve) => shop.listen(shopPort, '127.0.0.1', resolve))
})

after(async () => {
  shop?.close()
  gatebook.kill()
  await new Promise((resolve) => gatebook.once('exit', resolve))
  rmSync(folder, { recursive: true })
})

async function findFreePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port: free } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return free
}

/** Follows no redirect by itself, and keeps the cookies of each site. */
function openBrowser() {
  const jars = new Map()
  return async (url, form) => {
    const jar = jars.get(new URL(url).host) ?? new Map()
    jars.set(new URL(url).host, jar)
    const response = await fetch(url, {
      redirect: 'manual',
      headers: {
        cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
        ...(form && { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' }),
      },
      ...(form && { method: 'POST', body: new URLSearchParams(form).toString() }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)
      jar.set(name, value)
    }
    const to = response.headers.get('location')
    return { status: response.status, text: await response.text(), to: to === null ? null : new URL(to, url).href }
  }
}

test('a user logs in at Gatebook, comes back, and is logged out here by a log-out there', async () => {
  const visit = openBrowser()
  const begun = await visit(`${origin}/sign-in`)
  const asked = await visit(begun.to)
  assert.match(asked.to, /\/sign-in\?/)
  const to = new URL(asked.to).searchParams.get('return_to')
  const account = { identifier: 'anna@example.org', password: 'nine purple otters sing', return_to: to }
  const signedUp = await visit(`${issuer}/sign-up`, account)
  // A page leads on, and not the answer to the form: a policy holds for where a form leads to.
  assert.equal(signedUp.status, 200)
  assert.match(signedUp.text, /http-equiv="refresh"/)
  const back = await visit(issuer + to)
  assert.match(back.to, /^http:\/\/127\.0\.0\.1:\d+\/signed-in\?code=gba_/)
  assert.equal((await visit(back.to)).to, `${origin}/`)
  assert.match((await visit(origin)).text, /Hello usr_/)

  // The same code is good for nothing more, and for nobody else.
  assert.equal((await visit(back.to)).to, `${origin}/sign-in`)
  assert.equal((await openBrowser()(back.to)).to, `${origin}/sign-in`)

  await visit(`${issuer}/sign-out`, {})
  const loggedOutAt = Date.now()
  while (!(await visit(origin)).text.includes('Log in')) {
    assert.ok(Date.now() - loggedOutAt < 2000, 'the shop knows of it within 2 s')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
})

test('a log-out in the shop leaves the log-in at Gatebook, which needs no password to come back', async () => {
  const visit = openBrowser()
  const account = { identifier: 'bert@example.org', password: 'nine purple otters sing' }
  await visit(`${issuer}/sign-up`, account)
  const logIn = async () => visit((await visit((await visit(`${origin}/sign-in`)).to)).to)
  assert.equal((await logIn()).to, `${origin}/`)
  await visit(`${origin}/sign-out`, {})
  assert.match((await visit(origin)).text, /Log in/)
  assert.equal((await logIn()).to, `${origin}/`)
  assert.match((await visit(origin)).text, /Hello usr_/)
})
