import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { post, type Running, startServer, stopServer } from '../cli/transcript.ts'
import { findBarriers, PHONE, type VisitOptions, visit } from '../dashboard/served-dashboard.ts'
import { findChromium, startChromium, WITHOUT_CHROMIUM } from '../support/chromium.ts'
import { availableEngines, type TestDatabase } from '../support/engines.ts'
import { PASSWORD } from '../support/gate.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const executable = findChromium()
if (executable === null && process.env.CI === 'true') {
  test('there is a browser', () => {
    throw new Error(WITHOUT_CHROMIUM)
  })
} else if (executable === null) console.warn(`The pages were not looked at. ${WITHOUT_CHROMIUM}`)

const WINDOWS =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'

// What a browser makes of a page does not depend on the database behind it; two of them stand for the three.
const engines = availableEngines.filter(({ name }) => name !== 'mysql')

describe.skipIf(executable === null).each(engines)('the pages of the server, in a browser, on $name', (engine) => {
  let folder: string
  let database: TestDatabase
  let browser: Browser
  let server: Running & { url: string }
  let url: string
  let people = 0
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatebook-pages-'))
    browser = await startChromium(executable as string)
    database = await engine.createDatabase()
    server = await startServer([], { folder, env: { GATEBOOK_DATABASE: database.url } })
    url = server.url.replace('127.0.0.1', 'localhost')
  })
  afterAll(async () => {
    await browser.close()
    await stopServer(server)
    await database.drop()
    rmSync(folder, { recursive: true })
  })

  async function signUp(page: Page): Promise<string> {
    const identifier = `reader-${people++}@example.org`
    await page.goto(`${url}/sign-up`)
    await page.fill('[name=identifier]', identifier)
    await page.fill('[name=password]', PASSWORD)
    await page.click('main button[type=submit]')
    await page.waitForURL(`${url}/account`)
    return identifier
  }

  test.each<VisitOptions & { readonly phone: boolean }>([
    { colorScheme: 'light', locale: 'en-GB', phone: false },
    { colorScheme: 'dark', locale: 'ko-KR', phone: false },
    { colorScheme: 'light', locale: 'ko-KR', phone: true },
    { colorScheme: 'dark', locale: 'en-GB', phone: true },
  ])('no page has a barrier, or is wider than the screen: $colorScheme, $locale, phone $phone', async (options) => {
    const { page, close } = await visit(browser, url, options)
    const look = async (path: string) => {
      expect([path, await findBarriers(page)]).toEqual([path, []])
      const width = await page.evaluate('document.documentElement.scrollWidth')
      expect(width).toBeLessThanOrEqual(options.phone ? PHONE.width : 1280)
    }
    for (const path of ['/sign-in', '/sign-up', '/forgot-password', '/reset-password#token=gbp_x', '/confirm']) {
      await page.goto(url + path)
      await look(path)
    }
    await page.goto(`${url}/sign-in`)
    await page.fill('[name=identifier]', 'nobody@example.org')
    await page.fill('[name=password]', 'not the right one')
    await page.click('main button[type=submit]')
    await page.waitForSelector('[role=alert]')
    await look('refused')
    const identifier = await signUp(page)
    await post(`${url}/auth/login`, { identifier, password: PASSWORD }, { 'user-agent': WINDOWS })
    await page.goto(`${url}/account`)
    await look('/account')
    await page.locator('a[href*="/account/disown"]').first().click()
    await look('/account/disown')
    await page.goto(`${url}/account/password?notice=disowned`)
    await look('/account/password')
    await close()
  })

  test('somebody sees what has happened in words, and disowns a log-in', async () => {
    const { page, close } = await visit(browser, url)
    const identifier = await signUp(page)
    const stolen = await post(`${url}/auth/login`, { identifier, password: PASSWORD }, { 'user-agent': WINDOWS })
    const { access_token: token } = (await stolen.json()) as { access_token: string }
    await page.goto(`${url}/account`)
    await page.getByText(/^Chrome on Windows, today \d\d:\d\d, from (127\.0\.0\.1|::1)$/).waitFor()
    await page.locator('a[href*="/account/disown"]').first().click()
    await page.getByText('Chrome on Windows').waitFor()
    await page.click('main button[type=submit]')
    await page.waitForURL(`${url}/account/password?notice=disowned`)
    await page.getByText('The session has ended, and it was reported.').waitFor()
    expect((await fetch(`${url}/auth/me`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(401)
    await page.fill('[name=current_password]', PASSWORD)
    await page.fill('[name=new_password]', 'three grey herons wade')
    await page.click('main button[type=submit]')
    await page.getByText('The password is changed. All other sessions have ended.').waitFor()
    await close()
  })

  test('a token behind the hash goes into the form and out of the address', async () => {
    const { page, close } = await visit(browser, url)
    await page.goto(`${url}/reset-password#token=gbp_abc`)
    await page.waitForURL(`${url}/reset-password`)
    expect(await page.inputValue('[name=token]')).toBe('gbp_abc')
    expect(await page.isVisible('[name=token]')).toBe(false)
    await close()
  })

  test('a language that was chosen stays', async () => {
    const { page, close } = await visit(browser, url, { locale: 'ko-KR' })
    await page.goto(`${url}/sign-in`)
    await page.getByRole('button', { name: '로그인' }).waitFor()
    await page.getByText('English').click()
    await page.getByRole('button', { name: 'Log in' }).waitFor()
    await page.goto(`${url}/sign-up`)
    await page.getByRole('button', { name: 'Create an account' }).waitFor()
    await close()
  })

  test('everything can be reached by the keyboard', async () => {
    const { page, close } = await visit(browser, url)
    const identifier = `reader-${people++}@example.org`
    await page.goto(`${url}/sign-up`)
    await page.keyboard.press('Tab')
    await page.keyboard.type(identifier)
    await page.keyboard.press('Tab')
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press('Enter')
    await page.waitForURL(`${url}/account`)
    await close()
  })
})
