import express from 'express'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { gatebook, requireUser as requireInExpress } from '../../src/adapters/express.ts'
import { requireUser as requireInNode, toNodeHandler } from '../../src/adapters/node.ts'
import type { Gatebook } from '../../src/api.ts'
import { OWN_PAGE, PREFIX, setCookies } from '../http/browser.ts'
import { openGate, PASSWORD } from '../http/caller.ts'
import { closing, type Listening, listen } from './listener.ts'

const OWN = 'theme=dark; Path=/'

describe.each<[string, (gate: Gatebook) => Parameters<typeof listen>[0]]>([
  [
    'node:http',
    (gate) => {
      const handler = toNodeHandler(gate)
      const me = requireInNode(gate, (_request, response, { userId }) => response.end(userId))
      return (request, response) => {
        response.setHeader('Set-Cookie', OWN)
        if (request.url === '/mine') me(request, response)
        else handler(request, response)
      }
    },
  ],
  [
    'Express',
    (gate) =>
      express()
        .use((_request, response, next) => {
          response.cookie('theme', 'dark')
          next()
        })
        .use(gatebook(gate))
        .use('/mine', requireInExpress(gate), (request, response) => {
          response.end(request.user?.userId)
        }),
  ],
])('cookies through %s', (_, mount) => {
  let gate: Gatebook
  let server: Listening
  beforeAll(async () => {
    gate = await openGate({ cookies: 'lax' })
    server = await listen(mount(gate))
  })
  afterAll(async () => {
    await server.close()
    await gate.close()
  })

  let cookies: readonly (readonly [name: string, value: string])[] = []
  let userId = ''

  test('each is a header of its own, beside those of the application', async () => {
    const response = await fetch(`${server.url}/auth/register`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...OWN_PAGE },
      body: JSON.stringify({ identifier: 'anna@app.example', password: PASSWORD, cookies: true }),
    })
    const [theme, ...lines] = response.headers.getSetCookie()
    expect(theme).toBe(OWN)
    const headers = new Headers(lines.map((line): [string, string] => ['Set-Cookie', line]))
    cookies = setCookies({ headers }).map(({ name, value }) => [name, value] as const)
    expect(cookies.map(([name]) => name)).toEqual(['access', 'refresh', 'device'])
    userId = ((await response.json()) as { user_id: string }).user_id
  })

  const cookie = (name: string) => `${PREFIX}${name}=${cookies.find(([found]) => found === name)?.[1]}`

  test.each<[lines: () => readonly string[], status: number]>([
    [() => [`Cookie: a=1; ${cookie('access')}; ${cookie('device')}`], 200],
    // RFC 9113 §8.2.3: a proxy in front may have left them apart.
    [() => [`Cookie: ${cookie('device')}`, `Cookie: ${cookie('access')}`], 200],
    [() => [`Cookie: ${cookie('access')}`, `Cookie: ${cookie('access')}`], 401],
    [() => [`Cookie: ${cookie('access')}`, `cookie: ${PREFIX}access=x`], 401],
    [() => [`Cookie: ${cookie('access')},${cookie('device')}`], 401],
  ])('%# are read on both ways in', async (lines, status) => {
    for (const path of ['/mine', '/auth/me']) {
      const answer = await server.raw(closing(`GET ${path}`, ...lines()))
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
      if (status === 200) expect(answer).toContain(userId)
    }
  })

  test('a route of the application is closed to pages of another origin', async () => {
    const ask = (...headers: string[]) =>
      server.raw(closing('POST /mine', `Cookie: ${cookie('access')}`, 'Content-Length: 0', ...headers))
    expect(await ask('Sec-Fetch-Site: cross-site')).toMatch(/^HTTP\/1\.1 403 [\s\S]*ERR_CSRF/)
    expect(await ask('Sec-Fetch-Site: same-origin', 'Sec-Fetch-Site: cross-site')).toMatch(/^HTTP\/1\.1 403 /)
    expect(await ask('Origin: https://app.example', 'Origin: https://evil.example')).toMatch(/^HTTP\/1\.1 403 /)
    expect(await ask('Sec-Fetch-Site: same-origin')).toMatch(/^HTTP\/1\.1 200 /)
  })
})
