// Makes the pictures of the documents out of `gatebook serve --demo`. Needs a build and Chromium.
// Usage: node scripts/screenshots.mjs

import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const root = fileURLToPath(new URL('..', import.meta.url))
const to = `${root}docs/images/`
const WEEK = 7 * 86_400_000
const DESKTOP = { width: 1280, height: 800 }
const PHONE = { width: 390, height: 844 }

const server = spawn(
  process.execPath,
  [`${root}dist/cli/main.js`, 'serve', '--demo', '--port', '0', '--application-name', 'Riverside'],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
  },
)
let said = ''
const banner = await new Promise((resolve, reject) => {
  server.once('exit', () => reject(new Error(`the demonstration did not start:\n${said}`)))
  server.stdout.setEncoding('utf8').on('data', (text) => {
    said += text
    const found = /dashboard +(http:\S+)\/admin\n.*\n {2}password +(\S+)\n/.exec(said)
    if (found !== null) resolve({ url: found[1].replace('127.0.0.1', 'localhost'), password: found[2] })
  })
})
const browser = await chromium.launch({
  executablePath: process.env.GATEBOOK_TEST_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
})

/** One picture; `prepare` brings the page to what is to be seen. */
async function take(name, { viewport = DESKTOP, colorScheme = 'light', locale = 'en-GB' }, path, prepare) {
  const context = await browser.newContext({ viewport, colorScheme, locale, timezoneId: 'Asia/Seoul' })
  const page = await context.newPage()
  if (path.startsWith('/admin')) await signIn(page, path)
  else await page.goto(banner.url + path)
  await prepare?.(page)
  await page.waitForTimeout(700)
  await page.screenshot({ path: `${to}${name}.png` })
  await context.close()
}

async function signIn(page, path) {
  await page.goto(`${banner.url}/admin`)
  await page.fill('input[name=username]', 'admin@demo.example')
  await page.fill('input[name=password]', banner.password)
  await page.click('button[type=submit]')
  await page.waitForSelector('.shell')
  await page.goto(banner.url + path)
  await page.waitForSelector('.shell')
}

async function openAccount(page) {
  await page.fill('[name=identifier]', 'otter@demo.example')
  await page.fill('[name=password]', 'a long and quiet river bank')
  await page.click('main button[type=submit]')
  await page.waitForURL(`${banner.url}/account`)
}

async function openFirstEvent(page) {
  await page.locator('[role=row][aria-rowindex="2"], [role=row]').nth(1).click()
  await page
    .getByRole('button', { name: /Verify|확인/ })
    .first()
    .click()
}

try {
  mkdirSync(to, { recursive: true })
  const now = Date.now()
  const week = `?from=${now - WEEK}&to=${now}`
  const attack = `/admin/events?q=${encodeURIComponent('ip:198.51.100.0/24')}`
  await take('overview', {}, `/admin${week}`)
  await take('overview-ko-dark', { colorScheme: 'dark', locale: 'ko-KR' }, `/admin${week}`)
  await take('events', {}, attack)
  await take('event-verified', {}, attack, openFirstEvent)
  await take('events-phone', { viewport: PHONE, colorScheme: 'dark' }, attack)
  await take('integrity', {}, '/admin/integrity')
  await take('account', {}, '/sign-in', openAccount)
  await take('account-ko-phone', { viewport: PHONE, locale: 'ko-KR' }, '/sign-in', openAccount)
  await take('sign-in', { viewport: PHONE }, '/sign-in')
} finally {
  await browser.close()
  server.kill('SIGTERM')
}
