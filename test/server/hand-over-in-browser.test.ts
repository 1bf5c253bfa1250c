import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createInstallation, type Installation } from '../cli/installation.ts'
import { findBarriers, visit } from '../dashboard/served-dashboard.ts'
import { findChromium, startChromium, WITHOUT_CHROMIUM } from '../support/chromium.ts'
import { linkModules, ROOT } from '../support/consumer.ts'
import { availableEngines } from '../support/engines.ts'
import { PASSWORD, until } from '../support/gate.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const executable = findChromium()
if (executable === null && process.env.CI === 'true') {
  test('there is a browser', () => {
    throw new Error(WITHOUT_CHROMIUM)
  })
} else if (executable === null) console.warn(`The hand-over was not looked at. ${WITHOUT_CHROMIUM}`)

interface Shop {
  listen(port: number, host: string, then: () => void): void
  close(then: () => void): void
  closeAllConnections(): void
}

/** The application in `examples/`, as it stands there. */
async function openShop(folder: string, settings: { issuer: string; clientId: string; clientSecret: string }) {
  cpSync(join(ROOT, 'examples', 'handed-over-node', 'app.js'), join(folder, 'app.mjs'))
  linkModules(folder)
  const { createShop } = (await import(/* @vite-ignore */ join(folder, 'app.mjs'))) as {
    createShop(given: typeof settings & { origin: string }): Promise<Shop>
  }
  const port = await findFreePort()
  const origin = `http://127.0.0.1:${port}`
  const shop = await createShop({ ...settings, origin })
  await new Promise<void>((resolve) => shop.listen(port, '127.0.0.1', resolve))
  return {
    origin,
    async close() {
      shop.closeAllConnections()
      await new Promise<void>((resolve) => shop.close(resolve))
    },
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

// What a browser makes of a page does not depend on the database behind it; two of them stand for the three.
const engines = availableEngines.filter(({ name }) => name !== 'mysql')

describe.skipIf(executable === null).each(engines)(
  'a browser is led from a shop to Gatebook and back, on $name',
  (engine) => {
    let folder: string
    let browser: Browser
    let at: Installation
    let url: string
    let shop: Awaited<ReturnType<typeof openShop>>
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'gatebook-shop-'))
      mkdirSync(join(folder, 'shop'))
      browser = await startChromium(executable as string)
      at = await createInstallation(engine)
      // Another site than that of the shop, to a browser.
      url = at.server.url.replace('127.0.0.1', 'localhost')
      const add = ['client', 'add', 'Shop', '--redirect-uri', 'http://127.0.0.1/signed-in', '--json']
      const { id: clientId, secret: clientSecret } = JSON.parse((await at.gatebook(add)).stdout) as Record<
        string,
        string
      >
      shop = await openShop(join(folder, 'shop'), { issuer: url, clientId: clientId!, clientSecret: clientSecret! })
    })
    afterAll(async () => {
      await shop.close()
      await browser.close()
      await at.remove()
      rmSync(folder, { recursive: true })
    })

    test.each([
      { locale: 'en-GB', phone: false, button: 'Log in', says: 'Log in to go on to Shop.' },
      { locale: 'ko-KR', phone: true, button: '로그인', says: '로그인하면 Shop 앱으로 이동합니다.' },
    ])('logged in, and out again from the account page: $locale', async ({ locale, phone, button, says }) => {
      const identifier = `${locale.toLowerCase()}@example.org`
      expect((await at.gatebook(['user', 'add', identifier, '--password-stdin'], `${PASSWORD}\n`)).status).toBe(0)
      const { page, close } = await visit(browser, url, { locale, phone, application: shop.origin })
      await page.goto(shop.origin)
      await page.getByRole('link', { name: 'Log in' }).click()
      await page.waitForURL(`${url}/sign-in?**`)
      await page.getByText(says).waitFor()
      expect(await findBarriers(page)).toEqual([])
      await page.fill('[name=identifier]', identifier)
      await page.fill('[name=password]', 'not the right one')
      await page.getByRole('button', { name: button }).click()
      await page.getByRole('alert').waitFor()
      await page.fill('[name=password]', PASSWORD)
      await page.getByRole('button', { name: button }).click()
      await page.waitForURL(`${shop.origin}/`)
      await page.getByText(/^Hello usr_/).waitFor()

      // The second time nobody is asked.
      await page.getByRole('button', { name: 'Log out' }).click()
      await page.getByRole('link', { name: 'Log in' }).click()
      await page.getByText(/^Hello usr_/).waitFor()

      await page.goto(`${url}/account`)
      await page
        .getByText(locale === 'ko-KR' ? /^Shop 앱으로 이동$/ : /^Went on to Shop$/)
        .first()
        .waitFor()
      expect(await findBarriers(page)).toEqual([])
      await page.getByRole('button', { name: locale === 'ko-KR' ? '로그아웃' : 'Log out', exact: true }).click()
      await page.waitForURL(`${url}/sign-in`)
      const loggedOutAt = Date.now()
      await until('the shop knows of it', async () => {
        await page.goto(shop.origin)
        return page.getByRole('link', { name: 'Log in' }).isVisible()
      })
      expect(Date.now() - loggedOutAt).toBeLessThan(10_000)
      await close()
    })
  },
)
