import type { IncomingMessage } from 'node:http'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requireUser, toNodeHandler } from '../../src/adapters/node.ts'
import type { Gatebook } from '../../src/api.ts'
import { type Listening, listen } from '../adapters/listener.ts'
import { findChromium, startChromium, WITHOUT_CHROMIUM } from '../support/chromium.ts'
import { until } from '../support/gate.ts'
import { openGate, PASSWORD } from './caller.ts'

const executable = findChromium()

if (executable === null && process.env.CI === 'true') {
  test('a browser is there', () => {
    throw new Error(WITHOUT_CHROMIUM)
  })
} else if (executable === null) console.warn(`The cookies were not looked at by a browser. ${WITHOUT_CHROMIUM}`)

/** What the application was asked, and what it answered. */
interface Asked {
  readonly line: string
  readonly site: string | undefined
  readonly hadCookie: boolean
  readonly status: number
}

/**
 * A page of the application, one of another origin of the same site (another port of `localhost`) and one of another site
 * (`127.0.0.1`). To a browser, `localhost` is as good as TLS.
 */
describe.skipIf(executable === null)('in a browser', () => {
  let gate: Gatebook
  let application: Listening
  let other: Listening
  let browser: Browser
  let context: BrowserContext
  let page: Page
  const asked: Asked[] = []
  let transfers = 0
  const at = ({ url }: Listening) => url.replace('127.0.0.1', 'localhost')

  beforeAll(async () => {
    gate = await openGate({ cookies: 'lax' })
    const handler = toNodeHandler(gate)
    const transfer = requireUser(gate, (_request, response) => {
      transfers += 1
      response.end('transferred')
    })
    application = await listen((request, response) => {
      response.once('finish', () => asked.push(describeRequest(request, response.statusCode)))
      if (request.url === '/') response.setHeader('Content-Type', 'text/html').end('<title>application</title>')
      else if (request.url === '/transfer') transfer(request, response)
      else handler(request, response)
    })
    other = await listen((_request, response) => {
      const form = `<form method="post" action="${at(application)}/transfer"><button>go</button></form>`
      response.setHeader('Content-Type', 'text/html').end(`<title>other</title>${form}`)
    })
    browser = await startChromium(executable as string)
    context = await browser.newContext()
    page = await context.newPage()
    await page.goto(at(application))
  })
  afterAll(async () => {
    await browser?.close()
    await Promise.all([application?.close(), other?.close()])
    await gate?.close()
  })

  function describeRequest({ method, url, headers }: IncomingMessage, status: number): Asked {
    const site = headers['sec-fetch-site'] as string | undefined
    return { line: `${method} ${url}`, site, hadCookie: headers.cookie?.includes('gatebook-access') === true, status }
  }

  /** By the scripts of the page that is open. */
  function readableCookies(): Promise<string> {
    return page.evaluate('document.cookie')
  }

  /** From the page that is open; what can be read of the answer. */
  function ask(path: string, body?: object): Promise<{ status: number; json: Record<string, unknown> | null }> {
    return page.evaluate(
      async ([target, text]) => {
        const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: text ?? null }
        const response = await fetch(target, text === undefined ? {} : init)
        const read = await response.text()
        return { status: response.status, json: read.startsWith('{') ? JSON.parse(read) : null }
      },
      [path, body === undefined ? undefined : JSON.stringify(body)] as const,
    )
  }

  /** Whatever a page of another origin can send without asking first, and what came of it at the application. */
  async function sendBlindly(path: string, body: string): Promise<Asked> {
    const before = asked.length
    await page.evaluate(
      ([target, text]) =>
        fetch(target, { method: 'POST', mode: 'no-cors', credentials: 'include', body: text }).then(
          () => undefined,
          () => undefined,
        ),
      [`${at(application)}${path}`, body] as const,
    )
    return until('the request', async () => asked.slice(before).find(({ line }) => line === `POST ${path}`))
  }

  test('the cookies are kept as they were meant, and no script can read them', async () => {
    const made = await ask('/auth/register', { identifier: 'anna@app.example', password: PASSWORD, cookies: true })
    expect(made.status).toBe(201)
    const kept = await context.cookies()
    expect(kept.map(({ name }) => name).sort()).toEqual(
      ['access', 'device', 'refresh'].map((kind) => `__Host-gatebook-${kind}`),
    )
    for (const cookie of kept) {
      expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Lax', path: '/', domain: 'localhost' })
    }
    expect(await readableCookies()).toBe('')
  })

  test('its own page is let in', async () => {
    const me = await ask('/auth/me')
    expect([me.status, me.json?.user_id]).toEqual([200, expect.stringMatching(/^usr_/)])
    expect((await ask('/auth/refresh', { cookies: true })).status).toBe(200)
    expect(await page.evaluate(async () => (await fetch('/transfer', { method: 'POST' })).text())).toBe('transferred')
    expect(transfers).toBe(1)
    expect(asked.at(-1)).toEqual({ line: 'POST /transfer', site: 'same-origin', hadCookie: true, status: 200 })
  })

  test('a page of another site sends no cookie, with a form or by script', async () => {
    await page.goto(other.url)
    expect(await sendBlindly('/transfer', 'x')).toMatchObject({ site: 'cross-site', hadCookie: false, status: 401 })
    expect(await sendBlindly('/auth/logout', '{"cookies":true}')).toMatchObject({ site: 'cross-site', status: 415 })
    const [answer] = await Promise.all([page.waitForNavigation(), page.click('button')])
    expect(answer?.status()).toBe(401)
    expect(asked.at(-1)).toMatchObject({ line: 'POST /transfer', site: 'cross-site', hadCookie: false })
    expect(transfers).toBe(1)
  })

  test('a page of another origin of the same site does, and is refused', async () => {
    await page.goto(at(other))
    expect(await sendBlindly('/transfer', 'x')).toMatchObject({ site: 'same-site', hadCookie: true, status: 403 })
    const [answer] = await Promise.all([page.waitForNavigation(), page.click('button')])
    expect([answer?.status(), await answer?.json()]).toEqual([403, expect.objectContaining({ code: 'ERR_CSRF' })])
    expect(asked.at(-1)).toMatchObject({ line: 'POST /transfer', site: 'same-site', hadCookie: true })
    expect(transfers).toBe(1)
  })

  test('it can neither ask with JSON nor sign its visitor in as somebody else', async () => {
    await page.goto(at(other))
    const before = await context.cookies()
    await gate.register({ identifier: 'eve@app.example', password: PASSWORD })
    const body = { identifier: 'eve@app.example', password: PASSWORD, cookies: true }
    const refused = await ask(`${at(application)}/auth/login`, body).then(
      () => 'answered',
      (error: Error) => error.message,
    )
    expect(refused).toContain('Failed to fetch')
    expect(await context.cookies()).toEqual(before)
    expect((await gate.log.search({ type: 'login.*', identifier: 'eve@app.example' })).items).toHaveLength(1)
  })

  test('nor toss a cookie of its own in between', async () => {
    await page.goto(at(other))
    const name = '__Host-gatebook-access'
    for (const cookie of [
      `${name}=eve; Path=/; Secure`,
      `${name}=eve; Path=/auth; Secure`,
      `${name}=eve; Path=/auth`,
      // A cookie without a name, whose value looks like ours.
      `=${name}=eve; Path=/auth; Secure`,
    ]) {
      await page.evaluate(`document.cookie = ${JSON.stringify(cookie)}`)
    }
    await page.goto(at(application))
    expect(await readableCookies()).toBe('')
    expect((await ask('/auth/me')).status).toBe(200)
  })

  test('a log-out leaves the cookie of the device', async () => {
    await page.goto(at(application))
    expect((await ask('/auth/logout', { cookies: true })).status).toBe(204)
    expect((await context.cookies()).map(({ name }) => name)).toEqual(['__Host-gatebook-device'])
    expect((await ask('/auth/me')).status).toBe(401)
  })
})
