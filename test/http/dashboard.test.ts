import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gatebook } from '../../src/api.ts'
import { createDashboard } from '../../src/http/dashboard.ts'
import { codeOf } from '../support/gate.ts'
import { call, openGate } from './caller.ts'

const BUILT = fileURLToPath(new URL('../../dist/dashboard/', import.meta.url))
/** Of all scripts that the first page loads before anybody can do anything. */
const MOST_GZIPPED = 200_000

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

let gate: Gatebook
beforeAll(async () => {
  if (!existsSync(BUILT)) throw new Error('The dashboard has not been built: npm run build')
  gate = await openGate({ dashboard: true })
})
afterAll(() => gate?.close())

const assets = () => readdirSync(join(BUILT, 'assets'))

describe('the page', () => {
  test.each(['/admin', '/admin/', '/admin/events', '/admin/users/a%2Fb%20c', '/admin/nowhere/at/all', '/admin/apis'])(
    'is what stands at %s',
    async (path) => {
      const reply = await call(gate, `GET ${path}`)
      expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
      expect(reply.text).toContain('<div id="app"></div>')
    },
  )

  test('is allowed nothing that is not of this origin, and nothing inline', async () => {
    const { headers, text } = await call(gate, 'GET /admin')
    expect(headers.get('content-security-policy')).toBe(POLICY)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('cross-origin-opener-policy')).toBe('same-origin')
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
    expect(headers.get('strict-transport-security')).toBe('max-age=31536000')
    expect(headers.get('set-cookie')).toBeNull()
    expect(text).not.toMatch(/<script(?![^>]* src="\/admin\/assets\/)|<style|\sstyle=|\son\w+=|https?:/)
    for (const name of assets().filter((asset) => asset.endsWith('.js') || asset.endsWith('.css'))) {
      const content = readFileSync(join(BUILT, 'assets', name), 'utf8')
      expect(content.match(/\beval\(|new Function\(|sourceMappingURL|@import|url\(\s*["']?(https?:|data:)/g)).toBeNull()
    }
  })

  test('says where it is, and nothing that is secret', async () => {
    const { text } = await call(gate, 'GET /admin')
    const content = /name="gatebook" content="([^"]*)"/.exec(text)?.[1]?.replaceAll('&#34;', '"')
    expect(JSON.parse(content!)).toEqual({ admin: '/admin', operations: '', log: '/log', cookies: 'off' })
  })

  test('is asked for again each time, and sent only when it is another one', async () => {
    const first = await call(gate, 'GET /admin')
    expect(first.headers.get('cache-control')).toBe('no-cache')
    const tag = first.headers.get('etag')!
    const again = await call(gate, 'GET /admin/users', { headers: { 'If-None-Match': `"x", ${tag}` } })
    expect([again.status, again.text, again.headers.get('etag')]).toEqual([304, '', tag])
    expect(again.headers.get('content-security-policy')).toBe(POLICY)
    expect((await call(gate, 'GET /admin', { headers: { 'If-None-Match': '"other"' } })).status).toBe(200)
  })
})

describe('an asset', () => {
  test('has a name that says what is in it, so it is kept for ever', async () => {
    expect(assets().length).toBeGreaterThan(3)
    for (const name of assets()) {
      expect(name).toMatch(/-[\w-]{8}\.(js|css|svg)$/)
      const reply = await call(gate, `GET /admin/assets/${name}`)
      expect([name, reply.status, reply.text]).toEqual([name, 200, readFileSync(join(BUILT, 'assets', name), 'utf8')])
      expect(reply.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
      expect(reply.headers.get('content-type')).toMatch(
        { js: /^text\/javascript/, css: /^text\/css/, svg: /^image\/svg\+xml$/ }[name.split('.').pop() as 'js']!,
      )
    }
  })

  test('is compressed for whoever can read that', async () => {
    const name = assets().find((asset) => /^index-.*\.js$/.test(asset))!
    const content = readFileSync(join(BUILT, 'assets', name))
    const ask = async (coding: string) => {
      const request = new Request(`http://localhost/admin/assets/${name}`, { headers: { 'Accept-Encoding': coding } })
      const response = await gate.fetch(request)
      return { response, bytes: Buffer.from(await response.arrayBuffer()) }
    }
    for (const coding of ['gzip', 'br, gzip;q=0.5', 'GZIP']) {
      const { response, bytes } = await ask(coding)
      expect([response.headers.get('content-encoding'), response.headers.get('vary')]).toEqual([
        'gzip',
        'Accept-Encoding',
      ])
      expect(gunzipSync(bytes).equals(content)).toBe(true)
      expect(response.headers.get('content-length')).toBe(String(bytes.length))
    }
    for (const coding of ['identity', 'br', 'gzip;q=0', 'gzip; q=0.0', '']) {
      const { response, bytes } = await ask(coding)
      expect([coding, response.headers.get('content-encoding')]).toEqual([coding, null])
      expect(bytes.equals(content)).toBe(true)
    }
  })

  test('that the first page needs is small: its scripts together', async () => {
    const { text } = await call(gate, 'GET /admin')
    const first = [...text.matchAll(/assets\/([^"]+\.js)"/g)].map(([, name]) => name!)
    // What a script imports at once is loaded with it; `import()` is not.
    const needed = new Set(first)
    for (const name of needed) {
      const source = readFileSync(join(BUILT, 'assets', name), 'utf8')
      for (const [, other] of source.matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)) needed.add(other!)
    }
    expect(first.length).toBeGreaterThan(0)
    const size = [...needed].reduce((sum, name) => sum + gzipSync(readFileSync(join(BUILT, 'assets', name))).length, 0)
    expect(size).toBeLessThanOrEqual(MOST_GZIPPED)
    expect([...needed].some((name) => name.startsWith('draw-chart'))).toBe(false)
  })

  test.each([
    '/admin/assets/nothing.js',
    '/admin/assets/',
    '/admin/assets/..%2Findex.html',
    '/admin/assets/%2e%2e%2f%2e%2e%2f%2e%2e%2fpackage.json',
    '/admin/assets/..%5C..%5Cpackage.json',
    '/admin/assets/%00',
    `/admin/assets/${'a'.repeat(4000)}`,
  ])('that is none: %s', async (path) => {
    const reply = await call(gate, `GET ${path}`)
    expect([reply.status, reply.json.code]).toEqual([404, 'ERR_NOT_FOUND'])
  })

  test('is not reached past the prefix', async () => {
    for (const path of ['/admin/../package.json', '/admin/assets/../../package.json', '/adminx', '/admin.html']) {
      const reply = await call(gate, `GET ${path}`)
      expect([path, reply.status]).toEqual([path, 404])
    }
  })
})

test('other methods are not for pages', async () => {
  const head = await call(gate, 'HEAD /admin/events')
  expect([head.status, head.text]).toEqual([200, ''])
  expect(Number(head.headers.get('content-length'))).toBeGreaterThan(0)
  const posted = await call(gate, 'POST /admin/events')
  expect([posted.status, posted.json.code, posted.headers.get('allow')]).toEqual([
    405,
    'ERR_METHOD',
    'GET, HEAD, OPTIONS',
  ])
  expect((await call(gate, 'OPTIONS /admin')).headers.get('allow')).toBe('GET, HEAD, OPTIONS')
})

test('the API under the same prefix stays what it is', async () => {
  for (const path of ['/admin/api', '/admin/api/', '/admin/api/nothing', '/admin/api/../api/nothing']) {
    const reply = await call(gate, `GET ${path}`)
    expect([path, reply.status, reply.json.code]).toEqual([path, 404, 'ERR_NOT_FOUND'])
    expect(reply.headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'")
  }
  expect((await call(gate, 'GET /admin/api/events')).json.code).toBe('ERR_TOKEN_MISSING')
})

describe('another prefix', () => {
  test('stands in every address', async () => {
    const other = await openGate({
      dashboard: true,
      adminPath: '/intern/gate-book',
      operationsPath: '/ops',
      cookies: 'lax',
      logPath: '',
    })
    try {
      const { text } = await call(other, 'GET /intern/gate-book')
      const addresses = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address!)
      expect(addresses.length).toBeGreaterThan(2)
      for (const address of addresses) {
        expect(address).toMatch(/^\/intern\/gate-book\/assets\//)
        expect((await call(other, `GET ${address}`)).status).toBe(200)
      }
      expect(text).toContain(
        '{&#34;admin&#34;:&#34;/intern/gate-book&#34;,&#34;operations&#34;:&#34;/ops&#34;,&#34;log&#34;:null,&#34;cookies&#34;:&#34;secure&#34;}',
      )
      expect(other.handles('/admin')).toBe(false)
      expect([other.handles('/intern/gate-book/users'), other.handles('/intern/gate-bookx')]).toEqual([true, false])
    } finally {
      await other.close()
    }
  })

  test('or none, or a dashboard that is off: nothing is claimed', async () => {
    for (const options of [{ dashboard: true, adminPath: '' }, {}, { dashboard: false }]) {
      const other = await openGate(options)
      try {
        expect((await call(other, 'GET /admin')).status).toBe(404)
        expect([other.handles('/admin'), other.handles('/admin/events'), other.handles('/')]).toEqual([
          false,
          false,
          false,
        ])
      } finally {
        await other.close()
      }
    }
  })
})

test('one that was not built is refused when it starts', async () => {
  const settings = { dashboard: true, adminPath: '/admin', operationsPath: null, logPath: null } as const
  const create = async () =>
    createDashboard({ ...settings, cookies: 'off', issuer: 'https://app.example' }, ['./no-such-folder/'])
  expect(await codeOf(create())).toBe('ERR_OPTION_INVALID')
})
