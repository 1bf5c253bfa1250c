import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { run, startServer, stopServer } from '../cli/transcript.ts'
import { findChromium, startChromium, WITHOUT_CHROMIUM } from '../support/chromium.ts'
import { availableEngines, findEngine } from '../support/engines.ts'
import { PASSWORD, until, WRONG_PASSWORD } from '../support/gate.ts'
import { ADMIN, findBarriers, holdsIn, PHONE, type ServedDashboard, serveDashboard, visit } from './served-dashboard.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const executable = findChromium()

if (executable === null && process.env.CI === 'true') {
  test('a browser is there', () => {
    throw new Error(WITHOUT_CHROMIUM)
  })
} else if (executable === null) console.warn(`The dashboard was not looked at. ${WITHOUT_CHROMIUM}`)

const ANNA = { ip: '203.0.113.7', ipSource: 'socket', userAgent: 'anna/1', requestId: 'request-anna' } as const
const EVE = {
  ip: '2001:db8:1::1',
  ipSource: 'x-forwarded-for',
  userAgent: 'eve/1',
  requestId: 'request-eve',
} as const

/** As much markup, direction and length as a client can send. */
const HOSTILE = `<img src=x onerror=alert(1)><script>alert(2)</script>\u202egpj.exe\u2066"'&lt; ${'A'.repeat(8000)}`

describe.skipIf(executable === null)('the dashboard', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await startChromium(executable as string)
  })
  afterAll(() => browser?.close())

  describe.each(availableEngines)('on $name', (engine) => {
    let served: ServedDashboard
    beforeAll(async () => {
      served = await serveDashboard(engine)
      const { gate } = served.on
      await gate.users.create({ identifier: 'anna@example.org', password: PASSWORD })
      await gate.login({ identifier: 'anna@example.org', password: PASSWORD }, ANNA)
      await gate.login({ identifier: 'anna@example.org', password: WRONG_PASSWORD }, EVE).catch(() => undefined)
      await served.on.events()
    })
    afterAll(() => served?.close())

    test('an admin searches, opens an event, verifies its proof, goes on to its user, and leaves what that leaves', async () => {
      const before = (await served.on.events()).length
      const { page, signIn, close } = await visit(browser, served.url)
      await signIn('/admin/events')
      await page.fill('.query-input', 'outcome:failure user')
      await page.keyboard.press('ControlOrMeta+a')
      await page.keyboard.type('outcome:fail')
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('Tab')
      expect(await page.inputValue('.query-input')).toBe('outcome:failure ')
      await page.keyboard.press('Escape')
      await page.keyboard.press('Enter')
      await page.waitForURL('**/events?q=outcome%3Afailure')
      await holdsIn(page, "document.querySelectorAll('.event-rows .event-row').length === 1")
      expect(await page.locator('.chip').allInnerTexts()).toEqual(['outcome: failure'])

      await page.click('.event-rows .row-button')
      const drawer = page.locator('dialog[open]')
      expect(await drawer.textContent()).toContain('from the header X-Forwarded-For')
      for (const told of ['2001:db8:1::1', 'eve/1', 'request-eve', 'wrong-password', 'anna@example.org']) {
        expect(await drawer.textContent()).toContain(told)
      }
      await until('a checkpoint over the event', async () => {
        await drawer.locator('.proof .button').first().click()
        await drawer.locator('[data-verdict], .problem').first().waitFor()
        return (await drawer.locator('[data-verdict]').count()) > 0
      })
      expect(await drawer.locator('[data-verdict]').getAttribute('data-verdict')).toBe('good')
      expect(
        await drawer.locator('.step').evaluateAll((steps) => steps.map((step) => step.getAttribute('data-result'))),
      ).toEqual(['done', 'done', 'done', 'done', 'done'])

      await drawer.locator('.pivots a', { hasText: /^This user/ }).click()
      await page.waitForURL('**/users/usr_*')
      await page.locator('h1', { hasText: 'anna@example.org' }).waitFor()
      await holdsIn(page, "document.querySelectorAll('.timeline li').length === 3")
      await close()

      const left = (await served.on.events()).slice(before).map(({ type, actor }) => `${type} ${actor.kind}`)
      // One for each time that it was tried, until a checkpoint covered the event.
      expect(left.filter((event) => event === 'log.exported admin').length).toBeGreaterThanOrEqual(1)
      expect(left.filter((event) => event !== 'log.exported admin').sort()).toEqual([
        // All events, the search, and the timeline.
        'log.read admin',
        'log.read admin',
        'log.read admin',
        'login.succeeded user',
        // The page asks who is signed in before anybody is.
        'token.refused anonymous',
      ])
    })

    test('a row that was changed in the database does not fit, and the page says what', async () => {
      const { direct } = served.on
      const event = (await served.on.events()).find(({ type }) => type === 'login.failed')!
      const { page, signIn, close } = await visit(browser, served.url)
      await signIn(`/admin/events?event=${event.id}`)
      const proof = page.locator('dialog[open] .proof')
      const change = (columns: { reason?: string; ip?: string }) =>
        direct.kysely.updateTable('gatebook_event').set(columns).where('id', '=', event.id).execute()

      await change({ reason: 'unknown-user' })
      await proof.locator('.button').first().click()
      await proof.locator('[data-verdict=bad]').waitFor()
      expect(await proof.locator('[data-step=columns]').getAttribute('data-result')).toBe('failed')
      expect(await proof.locator('[data-step=inclusion]').getAttribute('data-result')).toBe('done')
      expect(await proof.locator('.wrong').textContent()).toContain('reason')

      await change({ reason: 'wrong-password', ip: '203.0.113.99' })
      await proof.locator('.button').first().click()
      await proof.locator('.verdict-bad', { hasText: 'The server itself will not prove it' }).waitFor()

      await change({ ip: EVE.ip })
      await proof.locator('.button').first().click()
      await proof.locator('[data-verdict=good]').waitFor()
      await close()
    })

    test('somebody follows the log, pauses, and goes on where he was', async () => {
      const { gate } = served.on
      const { page, signIn, close } = await visit(browser, served.url)
      await signIn('/admin/events?q=type%3Alogin.*')
      await page.waitForSelector('.event-rows .event-row')
      await page.click('.live button[aria-pressed]')
      await page.waitForSelector('[data-tail=following]')
      const count = () => page.locator('.event-rows .event-row').count()
      const settled = await count()
      await gate.login({ identifier: 'anna@example.org', password: PASSWORD }, ANNA)
      await holdsIn(page, `document.querySelectorAll('.event-rows .event-row').length > ${settled}`)
      expect(new URL(page.url()).searchParams.get('live')).toBe('1')

      await page.click('.live button:not([aria-pressed])')
      const paused = await count()
      await gate.login({ identifier: 'anna@example.org', password: PASSWORD }, ANNA)
      await page.locator('.live [role=status]', { hasText: '1 new' }).waitFor()
      expect(await count()).toBe(paused)
      await page.click('.live button:not([aria-pressed])')
      await holdsIn(page, `document.querySelectorAll('.event-rows .event-row').length === ${paused + 1}`)
      await close()
    })

    test('an admin looks at figures, one address, the record, and has it audited', async () => {
      const { page, signIn, close } = await visit(browser, served.url)
      await signIn('/admin')
      await page.waitForSelector('[data-figure=failures]')
      expect(await page.locator('[data-figure=failures] .large').textContent()).toBe('1')
      await page.waitForSelector('[data-signature=good]')
      await page.waitForSelector('[data-health=good]')
      await holdsIn(page, "document.querySelectorAll('.chart canvas').length === 2")
      await page.click('summary')
      const rows = await page
        .locator('[data-figures] tbody tr')
        .evaluateAll((lines) =>
          lines.map((line) =>
            Object.fromEntries(
              [...line.querySelectorAll('td')].map((cell) => [cell.dataset.series ?? '', Number(cell.textContent)]),
            ),
          ),
        )
      // Every session has begun within the window, so it begins with none and ends with what is active.
      expect(rows[0]!.active! - rows[0]!.logins! + rows[0]!.ended!).toBe(0)
      expect(String(rows.at(-1)!.active)).toBe(await page.locator('.figure-active .large').textContent())

      await page.goto(`${served.url}/admin/addresses/2001%3Adb8%3A1%3A%3A%2F64`)
      await page.locator('.figure-failed .large', { hasText: '1' }).waitFor()
      await page.locator('table a', { hasText: 'anna@example.org' }).waitFor()

      await page.goto(`${served.url}/admin/integrity`)
      await page.waitForSelector('[data-signature=good]')
      await page.locator('.button', { hasText: 'Run an audit' }).click()
      await page.waitForSelector('[data-audit=done]')
      await page.getByText('Nothing was found.').waitFor()
      await page.locator('p', { hasText: /Last audit: .*success/ }).waitFor()
      await close()
    })
  })

  describe.skipIf(findEngine('sqlite') === null)('on any engine', () => {
    let served: ServedDashboard
    let hostile: string
    beforeAll(async () => {
      served = await serveDashboard(findEngine('sqlite')!)
      const { gate } = served.on
      const context = { ip: '198.51.100.9', ipSource: 'socket', userAgent: HOSTILE, requestId: HOSTILE } as const
      const user = await gate.users.create({ identifier: '<b>eve</b>"\'@example.org', password: PASSWORD })
      hostile = user.id
      await gate.login({ identifier: '<b>eve</b>"\'@example.org', password: PASSWORD }, context)
      await gate.clients.create({ name: '<img src=x onerror=alert(3)>' })
      for (let at = 0; at < 260; at++) {
        const tokens = await gate.login({ identifier: ADMIN, password: PASSWORD }, ANNA)
        await gate.sessions.end(tokens.sessionId, 'logout', ANNA)
      }
      await served.on.events()
    })
    afterAll(() => served?.close())

    const PAGES = () => [
      ['overview', '/admin', '[data-figure=logins]'],
      ['events', '/admin/events?q=-type%3Akey.*', '.event-rows .event-row'],
      ['a query that is wrong', '/admin/events?q=outcome%3Afailur', '.query-error'],
      ['users', '/admin/users', 'tbody tr'],
      ['a user', `/admin/users/${hostile}`, '.timeline li'],
      ['addresses', '/admin/addresses', 'input'],
      ['an address', '/admin/addresses/198.51.100.9', '.figure'],
      ['integrity', '/admin/integrity', '[data-signature=good]'],
      ['settings', '/admin/settings', '[data-setting]'],
      ['no page', '/admin/nowhere', 'h1'],
    ]

    test.each([
      ['light', 'en-GB', false],
      ['dark', 'ko-KR', false],
      ['light', 'ko-KR', true],
      ['dark', 'en-GB', true],
    ] as const)(
      'no page has a barrier, or is wider than the screen: %s, %s, phone %s',
      async (colorScheme, locale, phone) => {
        const visitor = await visit(browser, served.url, { colorScheme, locale, phone })
        const { page } = visitor
        await page.goto(`${served.url}/admin`)
        await page.waitForSelector('input[name=username]')
        expect(await findBarriers(page)).toEqual([])
        await visitor.signIn()
        for (const [name, path, ready] of PAGES()) {
          await page.goto(served.url + path)
          await page.waitForSelector(ready!)
          expect([name, await findBarriers(page)]).toEqual([name, []])
          const width = await page.evaluate('document.documentElement.scrollWidth')
          expect([name, width]).toEqual([name, phone ? PHONE.width : 1280])
        }
        // What is open above a page.
        await page.goto(`${served.url}/admin/events?q=type%3Alogin.succeeded`)
        await page.click('.event-rows .row-button')
        await page.waitForSelector('dialog[open] .field-group')
        expect(await findBarriers(page)).toEqual([])
        await page.goto(`${served.url}/admin/users/${hostile}`)
        await page.click('.danger-quiet')
        await page.waitForSelector('dialog[open] [data-count=events]')
        expect(await findBarriers(page)).toEqual([])
        await visitor.close()
      },
    )

    test('speaks the language of the browser, and another one for whoever chooses it', async () => {
      const { page, signIn, close } = await visit(browser, served.url, { locale: 'ko-KR' })
      await signIn('/admin/events')
      expect(await page.getAttribute('html', 'lang')).toBe('ko')
      expect(await page.title()).toBe('이벤트 · Gatebook')
      expect(await page.locator('nav li').allInnerTexts()).toEqual([
        '개요',
        '이벤트',
        '사용자',
        '주소',
        '무결성',
        '설정',
      ])
      await page.waitForSelector('.event-rows .event-row')
      expect(await page.locator('.cell-at time').first().textContent()).toMatch(
        /^\d{4}\. \d{2}\. \d{2}\. \d{2}:\d{2}:\d{2}$/,
      )
      await page.goto(`${served.url}/admin/events?q=outcom%3Afailure`)
      expect(await page.locator('.query-error').textContent()).toContain(
        '1번째 열: 이런 이름의 연산자가 없습니다. 혹시 outcome인가요?',
      )

      await page.selectOption('.preferences select', 'en')
      await holdsIn(page, "document.title === 'Events · Gatebook'")
      expect(await page.locator('.query-error').textContent()).toContain(
        'Column 1: There is no operator of this name. Did you mean outcome?',
      )
      await page.reload()
      await page.waitForSelector('.shell')
      expect(await page.getAttribute('html', 'lang')).toBe('en')
      await close()
    })

    test('shows as text whatever somebody has sent', async () => {
      const { page, signIn, close } = await visit(browser, served.url)
      await signIn(`/admin/users/${hostile}`)
      await page.locator('h1', { hasText: '<b>eve</b>' }).waitFor()
      await page.waitForSelector('.timeline li')
      await page.goto(`${served.url}/admin/events?q=${encodeURIComponent(`user:${hostile} type:login.succeeded`)}`)
      await page.click('.event-rows .row-button')
      const drawer = page.locator('dialog[open]')
      await drawer.getByText('<img src=x onerror=alert(1)><script>alert(2)</script>').first().waitFor()
      expect(await page.locator('img, .foreign script, .foreign b').count()).toBe(0)
      expect(await page.evaluate('document.body.innerText')).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/)
      await page.goto(`${served.url}/admin/settings`)
      await page.getByText('<img src=x onerror=alert(3)>').waitFor()
      // A query is part of an address that somebody may have been sent.
      const query = `identifier:"${'<img src=x onerror=alert(4)>\u202e'}"`
      await page.goto(`${served.url}/admin/events?q=${encodeURIComponent(query)}`)
      await page.waitForSelector('.query-error')
      expect(await page.locator('.query-place').textContent()).toContain('⟨U+202E⟩')
      expect(await page.evaluate('document.body.textContent')).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/)
      await page.goto(`${served.url}/admin/users/${encodeURIComponent('"><script>alert(5)</script>')}`)
      await page.waitForSelector('.problem, .timeline')
      await close()
    })

    test('pages through what is long, with a few rows at a time and by the keyboard alone', async () => {
      const { page, signIn, close } = await visit(browser, served.url)
      await signIn('/admin/events?q=type%3Alogin.succeeded,session.ended')
      await page.waitForSelector('.event-rows .event-row')
      expect(await page.locator('.event-rows .event-row').count()).toBeLessThan(60)
      await page.focus('.event-rows .row-button[tabindex="0"]')
      for (const wanted of [100, 200, 300, 400, 500]) {
        await page.keyboard.press('End')
        await holdsIn(page, `Number(document.querySelector('.table-foot').textContent.match(/\\d+/)?.[0]) > ${wanted}`)
      }
      expect(await page.locator('.event-rows .event-row').count()).toBeLessThan(60)
      await page.keyboard.press('End')
      await page.keyboard.press('ArrowUp')
      await page.keyboard.press('Enter')
      await page.waitForSelector('dialog[open]')
      const opened = new URL(page.url()).searchParams.get('event')
      await page.keyboard.press('ArrowUp')
      await holdsIn(page, `!location.search.includes(${JSON.stringify(opened)})`)
      await page.keyboard.press('Escape')
      await page.waitForSelector('dialog', { state: 'detached' })
      await page.keyboard.press('Home')
      await holdsIn(page, "document.querySelector('.event-scroll').scrollTop === 0")
      await close()
    })

    test('carries the whole view in its address', async () => {
      const { page, context, signIn, close } = await visit(browser, served.url)
      await signIn('/admin/events?q=type%3Alogin.succeeded')
      await page.click('.event-rows .row-button')
      const address = page.url()
      const other = await context.newPage()
      await other.goto(address)
      await other.waitForSelector('dialog[open] .field-group')
      expect(await other.inputValue('.query-input')).toBe('type:login.succeeded')
      await page.goBack()
      await page.waitForSelector('dialog', { state: 'detached' })
      await page.goForward()
      await page.waitForSelector('dialog[open]')
      await page.goto(`${served.url}/admin?range=7d`)
      await page.waitForSelector('.segments [aria-pressed=true]:text("7 days")')
      await close()
    })

    test('zooms into a stretch of time', async () => {
      const { page, signIn, close } = await visit(browser, served.url)
      await signIn('/admin?range=1h')
      const over = page.locator('.chart .u-over').first()
      await over.waitFor()
      const box = (await over.boundingBox())!
      await page.mouse.move(box.x + box.width * 0.5, box.y + 40)
      await page.mouse.down()
      await page.mouse.move(box.x + box.width * 0.95, box.y + 60, { steps: 5 })
      await page.mouse.up()
      await page.waitForURL(/[?&]from=\d+&to=\d+/)
      const { searchParams } = new URL(page.url())
      const width = Number(searchParams.get('to')) - Number(searchParams.get('from'))
      expect(width / 3_600_000).toBeGreaterThan(0.4)
      expect(width / 3_600_000).toBeLessThan(0.5)
      await page.locator('.button', { hasText: 'Whole time' }).click()
      await holdsIn(page, "!location.search.includes('from')")
      await close()
    })
  })
})

describe.skipIf(executable === null)('gatebook serve', () => {
  test('the first admin is made on the command line and signs in; others are told that they are none', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatebook-dashboard-'))
    const browser = await startChromium(executable as string)
    const server = await startServer([], { folder })
    try {
      const url = server.url.replace('127.0.0.1', 'localhost')
      const made = await run(['user', 'add', '--admin', ADMIN, '--password-stdin'], { folder, input: PASSWORD })
      expect(made.status).toBe(0)
      const added = await run(['user', 'add', 'anna@example.org', '--password-stdin'], { folder, input: PASSWORD })
      expect(added.status).toBe(0)
      const { page, context, close } = await visit(browser, url)
      await page.goto(`${url}/admin`)
      await page.fill('input[name=username]', 'anna@example.org')
      await page.fill('input[name=password]', WRONG_PASSWORD)
      await page.click('button[type=submit]')
      await page.getByText('The name or the password is not right.').waitFor()
      await page.fill('input[name=password]', PASSWORD)
      await page.click('button[type=submit]')
      await page.getByText('you are not an admin').waitFor()
      await page.locator('.button', { hasText: 'somebody else' }).click()
      await holdsIn(page, "document.querySelector('.problem') === null")
      await page.fill('input[name=username]', ADMIN)
      await page.fill('input[name=password]', PASSWORD)
      await page.click('button[type=submit]')
      await page.waitForSelector('[data-figure=logins]')

      // It lasts, without a token that any script could read.
      await page.reload()
      await page.waitForSelector('[data-figure=logins]')
      const kept = JSON.stringify([
        await page.evaluate('document.cookie'),
        await page.evaluate('({ ...localStorage })'),
        await page.evaluate('({ ...sessionStorage })'),
      ])
      expect(kept).not.toMatch(/eyJ|gbr_|gbd_/)
      expect((await context.cookies()).every(({ httpOnly, sameSite }) => httpOnly && sameSite === 'Lax')).toBe(true)
      await page.locator('.bar-end .button').click()
      await page.waitForSelector('input[name=username]')
      expect((await context.cookies()).map(({ name }) => name)).toEqual(['gatebook-device'])
      await close()
    } finally {
      await browser.close()
      await stopServer(server)
      rmSync(folder, { recursive: true })
    }
  })

  test('where tokens are not in cookies, they are in the memory of the page', async () => {
    const served = await serveDashboard(findEngine('sqlite')!, { cookies: 'off' })
    const browser = await startChromium(executable as string)
    try {
      const { page, context, signIn, close } = await visit(browser, served.url)
      await page.goto(`${served.url}/admin`)
      await page.getByText('Tokens stay in the memory of this page').waitFor()
      await signIn()
      await page.waitForSelector('[data-figure=logins]')
      expect(await context.cookies()).toEqual([])
      expect(JSON.stringify(await page.evaluate('({ ...localStorage, ...sessionStorage })'))).not.toMatch(
        /eyJ|gbr_|gbd_/,
      )
      await page.reload()
      await page.waitForSelector('input[name=username]')
      await close()
    } finally {
      await browser.close()
      await served.close()
    }
  })
})
