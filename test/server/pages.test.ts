import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createInstallation, type Installation } from '../cli/installation.ts'
import { run, startServer, stopServer } from '../cli/transcript.ts'
import { availableEngines } from '../support/engines.ts'
import { PASSWORD } from '../support/gate.ts'
import { openReader, type Reader } from './reader.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const NEW_PASSWORD = 'three grey herons wade'

describe.each(availableEngines)('the pages, on $name', (engine) => {
  let at: Installation
  let people = 0
  beforeAll(async () => {
    at = await createInstallation(engine)
  })
  afterAll(() => at.remove())

  const typesOf = async (identifier: string) => {
    const { stdout } = await at.gatebook(['user', 'show', identifier, '--json'])
    const { id } = JSON.parse(stdout) as { id: string }
    return (await at.eventsOf('--user', id)).map(({ type, reason }) => [type, reason].filter(Boolean).join(' '))
  }

  async function signedUp(): Promise<{ reader: Reader; identifier: string }> {
    const reader = openReader(at.server.url)
    const identifier = `reader-${people++}@example.org`
    const page = await reader.post('/sign-up', { identifier, password: PASSWORD })
    expect([page.status, page.to]).toEqual([303, '/account'])
    return { reader, identifier }
  }

  test('lead from nothing to an account, and back to where somebody wanted to go', async () => {
    const reader = openReader(at.server.url)
    expect((await reader.get('/')).to).toBe('/account')
    expect((await reader.get('/account')).to).toBe('/sign-in?return_to=%2Faccount')
    const { identifier } = await signedUp()
    const { text } = await reader.get('/sign-in?return_to=%2Faccount%2Fpassword')
    expect(text).toContain('<input type="hidden" name="return_to" value="/account/password">')
    const form = { identifier, password: PASSWORD, return_to: '/account/password' }
    expect((await reader.post('/sign-in', form)).to).toBe('/account/password')
    expect((await reader.get('/account')).text).toContain(`<bdi>${identifier}</bdi>`)
    expect((await reader.get('/sign-in')).to).toBe('/account')
    expect(await typesOf(identifier)).toEqual(['user.registered', 'login.succeeded', 'login.succeeded'])
  })

  test('refuse a log-in in the words of the reader, without a cookie', async () => {
    const { identifier } = await signedUp()
    const reader = openReader(at.server.url)
    const form = { identifier, password: 'not the right one', return_to: '/account' }
    const page = await reader.post('/sign-in', form, { 'accept-language': 'ko-KR,ko;q=0.9' })
    expect([page.status, [...reader.cookies]]).toEqual([401, []])
    expect(page.text).toContain('<html lang="ko">')
    expect(page.text).toContain('아이디 또는 비밀번호가 맞지 않습니다.')
    expect(page.text).not.toContain('not the right one')
    expect(await typesOf(identifier)).toEqual(['user.registered', 'login.succeeded', 'login.failed wrong-password'])
  })

  test('log out, and end the session that the cookies are of', async () => {
    const { reader, identifier } = await signedUp()
    const refresh = reader.cookies.get('gatebook-refresh')!
    expect((await reader.post('/sign-out', {})).to).toBe('/sign-in')
    expect([...reader.cookies.keys()]).toEqual(['gatebook-device'])
    reader.cookies.set('gatebook-refresh', refresh)
    expect((await reader.get('/account')).to).toBe('/sign-in?return_to=%2Faccount')
    expect(await typesOf(identifier)).toEqual([
      'user.registered',
      'login.succeeded',
      'session.ended logout',
      'session.refresh-refused ended',
    ])
  })

  test('go on with the refresh token when the access token is over', async () => {
    const { reader, identifier } = await signedUp()
    const before = reader.cookies.get('gatebook-refresh')
    reader.cookies.delete('gatebook-access')
    expect((await reader.get('/account')).status).toBe(200)
    expect(reader.cookies.get('gatebook-access')).toBeDefined()
    expect(reader.cookies.get('gatebook-refresh')).not.toBe(before)
    expect(await typesOf(identifier)).toEqual(['user.registered', 'login.succeeded', 'session.refreshed'])
  })

  test('show sessions and history in words, and end another session', async () => {
    const { reader, identifier } = await signedUp()
    const other = openReader(
      at.server.url,
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0',
    )
    await other.post('/sign-in', { identifier, password: PASSWORD })
    const { text } = await reader.get('/account')
    expect(text).toContain('Chrome on Linux')
    expect(text).toMatch(
      /Firefox on Windows<\/p><p class="quiet">from 127\.0\.0\.1, last used <time datetime="[^"]+Z">/,
    )
    const [, session] = /name="session" value="(\w+)"/.exec(text)!
    expect((await reader.post('/account/end-session', { session: session! })).to).toBe('/account?notice=ended')
    expect((await other.get('/account')).to).toContain('/sign-in')
    expect(await typesOf(identifier)).toEqual([
      'user.registered',
      'login.succeeded',
      'login.succeeded',
      'session.ended ended-by-user',
      'session.refresh-refused ended',
    ])
  })

  test('end everything else', async () => {
    const { reader, identifier } = await signedUp()
    const other = openReader(at.server.url)
    await other.post('/sign-in', { identifier, password: PASSWORD })
    expect((await reader.post('/account/end-others', {})).to).toBe('/account?notice=ended')
    expect((await reader.get('/account')).status).toBe(200)
    expect((await typesOf(identifier)).slice(3)).toEqual(['session.ended logout-everywhere'])
  })

  test('take "this was not me": the session ends, and a new password is asked for', async () => {
    const { reader, identifier } = await signedUp()
    const thief = openReader(at.server.url, 'curl/8.5.0')
    await thief.post('/sign-in', { identifier, password: PASSWORD })
    const { text } = await reader.get('/account')
    const [, event] = /event=(evt_\w+)/.exec(text)!
    const asked = await reader.get(`/account/disown?event=${event}`)
    expect(asked.text).toContain('curl')
    expect((await reader.post('/account/disown', { event: event! })).to).toBe('/account/password?notice=disowned')
    expect((await reader.get('/account/password?notice=disowned')).text).toContain('choose a new password')
    const change = { current_password: PASSWORD, new_password: NEW_PASSWORD }
    expect((await reader.post('/account/password', change)).to).toBe('/account?notice=password')
    expect((await thief.get('/account')).to).toContain('/sign-in')
    expect((await thief.post('/sign-in', { identifier, password: PASSWORD })).status).toBe(401)
    expect((await typesOf(identifier)).slice(3)).toEqual([
      'session.ended disowned',
      'session.disowned',
      'password.changed',
      'session.refresh-refused ended',
      'login.failed wrong-password',
    ])
  })

  test('never touch what is another user’s', async () => {
    const { reader: anna, identifier } = await signedUp()
    const { reader: bert } = await signedUp()
    const { text } = await anna.get('/account')
    const [, event] = /event=(evt_\w+)/.exec(text)!
    expect((await bert.get(`/account/disown?event=${event}`)).to).toBe('/account')
    expect((await bert.post('/account/disown', { event: event! })).status).toBe(404)
    const { stdout } = await at.gatebook(['session', 'list', identifier, '--json'])
    const session = String((JSON.parse(stdout.split('\n')[0]!) as { id: string }).id)
    await bert.post('/account/end-session', { session })
    expect((await anna.get('/account')).status).toBe(200)
    expect(await typesOf(identifier)).toEqual(['user.registered', 'login.succeeded'])
  })

  test('do nothing that a page of another site asks for', async () => {
    const { reader, identifier } = await signedUp()
    for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]) {
      for (const path of ['/sign-in', '/sign-out', '/account/end-others', '/account/password', '/account/disown']) {
        expect((await reader.post(path, {}, headers)).status).toBe(403)
      }
    }
    expect(await typesOf(identifier)).toEqual(['user.registered', 'login.succeeded'])
  })

  test('set a new password by the link in a mail', async () => {
    const { reader, identifier } = await signedUp()
    expect((await openReader(at.server.url).post('/forgot-password', { identifier })).text).toContain(
      'Look at your mail',
    )
    const [, token] = await at.server.saw('stderr', /\/reset-password#token=(gbp_[\w-]{43})/)
    const wrong = await reader.post('/reset-password', { token: token!, new_password: 'short' })
    expect([wrong.status, wrong.text.includes('at least')]).toEqual([422, true])
    const done = await reader.post('/reset-password', { token: token!, new_password: NEW_PASSWORD })
    expect(done.to).toBe('/sign-in?notice=reset')
    expect((await reader.post('/sign-in', { identifier, password: NEW_PASSWORD })).to).toBe('/account')
    expect((await reader.post('/reset-password', { token: token!, new_password: NEW_PASSWORD })).status).toBe(403)
  })
})

const [first] = availableEngines

describe('the pages', () => {
  let at: Installation
  beforeAll(async () => {
    at = await createInstallation(first!)
  })
  afterAll(() => at.remove())

  test.each([
    ['https://evil.example/'],
    ['//evil.example/'],
    ['/..//evil.example/'],
    ['/.//evil.example/'],
    ['/a/..//evil.example/'],
    ['/%2e%2e//evil.example/'],
    ['/\\evil.example/'],
    ['/%5cevil.example/\\'],
    ['javascript:alert(1)'],
    ['/a\r\nSet-Cookie: x=1'],
    ['account'],
  ])('lead nowhere else: %j', async (to) => {
    const page = await openReader(at.server.url).get(`/sign-in?${new URLSearchParams({ return_to: to }).toString()}`)
    expect(page.text).not.toContain('name="return_to"')
    expect(page.text).toContain('href="/sign-up"')
  })

  test('have a strict policy, and are kept by nobody', async () => {
    const { headers } = await openReader(at.server.url).get('/sign-in')
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    )
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
  })

  test('offer their style and script for ever, by content', async () => {
    const reader = openReader(at.server.url)
    const { text } = await reader.get('/sign-in')
    const paths = [...text.matchAll(/(?:href|src)="(\/pages\/[^"]+)"/g)].map(([, path]) => path!)
    expect(paths).toHaveLength(2)
    for (const path of paths) {
      const { status, headers } = await reader.get(path)
      expect([status, headers.get('cache-control')]).toEqual([200, 'public, max-age=31536000, immutable'])
    }
    expect((await reader.get('/pages/../style.css')).status).toBe(404)
  })

  test('keep the language that was chosen', async () => {
    const reader = openReader(at.server.url)
    const page = await reader.get('/sign-in?lang=ko&return_to=%2Faccount')
    expect(page.to).toBe('/sign-in?return_to=%2Faccount')
    expect((await reader.get(page.to!)).text).toContain('<html lang="ko">')
    expect((await reader.get('/sign-in?lang=xx')).text).toContain('<html lang="ko">')
  })

  test('show what is hostile as what it is', async () => {
    const reader = openReader(at.server.url, `<script>alert(1)</script>${'x'.repeat(4000)}`)
    const identifier = '"><img src=x onerror=alert(1)>'
    const refused = await reader.post('/sign-in', { identifier, password: 'x' })
    expect(refused.text).toContain('value="&quot;&gt;&lt;img src=x onerror=alert(1)&gt;"')
    await reader.post('/sign-up', { identifier: '<b>anna</b>', password: PASSWORD })
    const { text } = await reader.get('/account')
    expect(text).toContain('<bdi>&lt;b&gt;anna&lt;/b&gt;</bdi>')
    expect(text).not.toContain('<script>alert')
  })

  test('know their methods', async () => {
    const response = await fetch(`${at.server.url}/sign-out`)
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
    expect((await fetch(`${at.server.url}/sign-in`, { method: 'HEAD' })).status).toBe(200)
    expect((await fetch(`${at.server.url}/account/none`)).status).toBe(404)
  })
})

describe('the settings of the pages', () => {
  async function serve(env: Record<string, string>) {
    const { mkdtempSync, rmSync, writeFileSync } = await import('node:fs')
    const folder = mkdtempSync('/tmp/gatebook-pages-')
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    writeFileSync(`${folder}/logo.svg`, '<svg xmlns="http://www.w3.org/2000/svg"/>')
    return {
      folder,
      start: () => startServer([], { folder, env }),
      fail: () => run(['serve', '--port', '0'], { folder, env }),
    }
  }

  test('name, colour and logo', async () => {
    const env = {
      GATEBOOK_APPLICATION_NAME: 'Herons',
      GATEBOOK_BRAND_COLOR: '#ffcc00',
      GATEBOOK_BRAND_LOGO: 'logo.svg',
    }
    const server = await (await serve(env)).start()
    onTestFinished(() => stopServer(server))
    const reader = openReader(server.url)
    const { text } = await reader.get('/sign-in')
    expect(text).toContain('<title>Log in · Herons</title>')
    const [, logo] = /<img src="([^"]+)" alt="Herons">/.exec(text)!
    expect((await reader.get(logo!)).headers.get('content-security-policy')).toContain('sandbox')
    const style = await reader.get(/href="(\/pages\/style[^"]+)"/.exec(text)![1]!)
    // Yellow cannot be read on white.
    expect(style.text).not.toContain('--brand:#ffcc00')
    expect(style.text).toContain('--brand-on-dark:#ffcc00')
  })

  test('off, by themselves or with the cookies', async () => {
    for (const env of [{ GATEBOOK_PAGES: 'off' }, { GATEBOOK_COOKIES: 'off' }]) {
      const server = await (await serve(env)).start()
      expect((await fetch(`${server.url}/sign-in`)).status).toBe(404)
      await stopServer(server)
    }
  })

  test.each([
    [{ GATEBOOK_PAGES: 'on', GATEBOOK_COOKIES: 'off' }, 'GATEBOOK_PAGES is on and GATEBOOK_COOKIES is off'],
    [{ GATEBOOK_BRAND_COLOR: 'red' }, 'GATEBOOK_BRAND_COLOR is "red": it must be a colour like #2f5bd0.'],
    [{ GATEBOOK_BRAND_LOGO: 'none.svg' }, 'GATEBOOK_BRAND_LOGO: "none.svg" cannot be read (ENOENT).'],
    [{ GATEBOOK_BRAND_LOGO: 'logo.gif' }, 'GATEBOOK_BRAND_LOGO: "logo.gif" must be one of svg, png, jpg, webp.'],
  ])('are refused by name: %j', async (env, problem) => {
    const { status, stderr } = await (await serve(env as Record<string, string>)).fail()
    expect([status, stderr]).toEqual([3, expect.stringContaining(problem)])
  })
})
