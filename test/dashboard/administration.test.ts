import { execFileSync } from 'node:child_process'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { findChromium, startChromium, WITHOUT_CHROMIUM } from '../support/chromium.ts'
import { availableEngines, findEngine } from '../support/engines.ts'
import { codeOf, PASSWORD, until } from '../support/gate.ts'
import { ADMIN, holdsIn, type ServedDashboard, serveDashboard, type Visit, visit } from './served-dashboard.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const executable = findChromium()
if (executable === null && process.env.CI !== 'true') {
  console.warn(`What admins do in the dashboard was not tried. ${WITHOUT_CHROMIUM}`)
}

/** What reading leaves, as often as a page is drawn. */
const HIDDEN: ReadonlySet<string> = new Set(['log.read', 'token.refused'])

describe.skipIf(executable === null && process.env.CI !== 'true')('what admins do', () => {
  let browser: Browser
  beforeAll(async () => {
    if (executable === null) throw new Error(WITHOUT_CHROMIUM)
    browser = await startChromium(executable)
  })
  afterAll(() => browser?.close())

  describe.each(availableEngines)('on $name', (engine) => {
    let served: ServedDashboard
    let visitor: Visit
    let admin: string
    let anna: string
    let seen = 0

    beforeAll(async () => {
      served = await serveDashboard(engine)
      const { gate } = served.on
      admin = (await gate.users.findByIdentifier(ADMIN))!.id
      anna = (await gate.users.create({ identifier: 'anna@example.org', password: PASSWORD })).id
      for (let at = 0; at < 3; at++) await login(`request-${at}`)
      visitor = await visit(browser, served.url)
      await visitor.signIn(`/admin/users/${anna}`)
      seen = (await served.on.events()).length
    })
    afterAll(async () => {
      await visitor?.close()
      await served?.close()
    })

    function login(requestId: string) {
      const context = { ip: '203.0.113.7', ipSource: 'socket', userAgent: 'anna/1', requestId } as const
      return served.on.gate.login({ identifier: 'anna@example.org', password: PASSWORD }, context)
    }

    /** Type, reason and cause of what has been left since the last call; not what reading leaves. */
    async function left(): Promise<string[]> {
      const events = (await served.on.events()).slice(seen)
      seen += events.length
      return events
        .filter(({ type }) => !HIDDEN.has(type))
        .map(({ type, reason, actor }) =>
          [type, reason, actor.kind, actor.id === admin ? 'root' : null].filter(Boolean).join(' '),
        )
    }

    const button = (name: string | RegExp) => visitor.page.locator('main .button', { hasText: name })
    const confirm = () => visitor.page.click('dialog[open] button[type=submit]')
    const closed = () => visitor.page.waitForSelector('dialog', { state: 'detached' })

    test('end one session, then all of them', async () => {
      const { page } = visitor
      await holdsIn(page, "document.querySelectorAll('.small-button').length === 3")
      await page.locator('.small-button').first().click()
      await confirm()
      await closed()
      await holdsIn(page, "document.querySelectorAll('.small-button').length === 2")
      expect(await left()).toEqual(['session.ended ended-by-admin admin root'])

      await button('End all sessions').click()
      await confirm()
      await page.getByText('2 sessions ended.').waitFor()
      expect(await served.on.gate.sessions.list(anna)).toEqual([])
      expect(await left()).toEqual([
        'session.ended ended-by-admin admin root',
        'session.ended ended-by-admin admin root',
      ])
      await page.locator('td', { hasText: 'ended by an admin' }).first().waitFor()
    })

    test('disable a user, and enable it again', async () => {
      await button(/^Disable$/).click()
      await confirm()
      await visitor.page.locator('.fields .badge', { hasText: 'disabled' }).waitFor()
      expect(await codeOf(login('request-disabled'))).toBe('ERR_LOGIN_REFUSED')
      await button(/^Enable$/).click()
      await confirm()
      await visitor.page.locator('.fields .badge', { hasText: 'active' }).waitFor()
      expect(await left()).toEqual([
        'user.disabled admin root',
        'login.failed disabled anonymous',
        'user.enabled admin root',
      ])
    })

    test('grant and take roles; one that is none is refused, and said so', async () => {
      const { page } = visitor
      const change = async (roles: string) => {
        await button('Change roles').click()
        await page.fill('dialog[open] input', roles)
        await confirm()
      }
      await change('support audit')
      await closed()
      await page.locator('.fields .badge', { hasText: 'support' }).waitFor()
      await change('support')
      await closed()
      await holdsIn(page, "!document.querySelector('.fields').textContent.includes('audit')")
      await change('Not A Role!')
      await page.locator('dialog[open] .problem').waitFor()
      await page.keyboard.press('Escape')
      await closed()
      expect((await served.on.gate.users.find(anna))!.roles).toEqual(['support'])
      expect(await left()).toEqual(['role.granted admin root', 'role.granted admin root', 'role.revoked admin root'])
    })

    test('make the next key, and a client whose secret is shown once', async () => {
      const { page } = visitor
      await page.goto(`${served.url}/admin/settings`)
      await button('Rotate').click()
      await confirm()
      await page.getByText('signs next.').waitFor()
      await page.locator('td .badge', { hasText: 'next' }).waitFor()
      expect(await left()).toEqual(['key.created admin root'])

      await button('Add a client').click()
      await page.fill('dialog[open] input', 'phone')
      await page.fill('dialog[open] textarea', 'http://shop.example/back')
      await page.check('dialog[open] [type=checkbox]')
      await confirm()
      await page.locator('dialog[open] .problem').waitFor()
      await page.fill('dialog[open] textarea', 'com.example.phone:/back\nhttps://phone.example/back')
      await confirm()
      await page.getByText('This application has no secret.').waitFor()
      await page.getByText('https://phone.example/back').waitFor()
      expect((await served.on.gate.clients.list()).items).toMatchObject([
        { name: 'phone', public: true, redirectUris: ['com.example.phone:/back', 'https://phone.example/back'] },
      ])
      expect(await left()).toEqual(['client.created admin root'])

      await button('Add a client').click()
      await page.fill('dialog[open] input', 'billing')
      await confirm()
      await page.getByText('The secret is shown this once.').waitFor()
      const secret = await page.locator('.notice .hash').last().textContent()
      const [client] = (await served.on.gate.clients.list()).items
      expect(await served.on.gate.clients.authenticate({ id: client!.id, secret: secret! })).toMatchObject({
        name: 'billing',
      })
      await page.reload()
      await page.locator('td', { hasText: 'billing' }).waitFor()
      expect(await page.content()).not.toContain(secret)
      await page.locator('tr', { hasText: 'billing' }).locator('.small-button').click()
      await confirm()
      await page.locator('tr', { hasText: 'billing' }).locator('.badge', { hasText: 'revoked' }).waitFor()
      expect(await left()).toEqual(['client.created admin root', 'client.revoked admin root'])
    })

    test('see the settings in force, and of a secret nothing', async () => {
      const { page } = visitor
      await page.locator('[data-setting=cookies] td', { hasText: 'strict' }).waitFor()
      expect(await page.locator('[data-setting=secret]').textContent()).toContain('set, and not shown')
      await page.fill('input[type=search]', 'ADMIN_PATH')
      await holdsIn(page, "document.querySelectorAll('[data-setting]').length === 1")
      expect(new URL(page.url()).searchParams.get('setting')).toBe('ADMIN_PATH')
      expect(await left()).toEqual([])
    })

    test('find a user by how the identifier begins, and by all of it', async () => {
      const { page } = visitor
      const find = async (text: string) => {
        await page.goto(`${served.url}/admin/users`)
        await page.fill('main input', text)
        await page.keyboard.press('Enter')
      }
      await find('ANN')
      await page.getByText('Users whose identifiers begin like this').waitFor()
      await holdsIn(page, "document.querySelectorAll('tbody tr').length === 1")
      await find('nobody-at-all')
      await page.getByText('No identifier begins like this').waitFor()
      await find('anna@example.org')
      await page.waitForURL(`${served.url}/admin/users/${anna}`)
    })

    test('take the log along, as an archive that the command verifies', async () => {
      const { page } = visitor
      const { log } = served.on.gate
      await until('a checkpoint is published', async () => (await log.checkpoint()).published !== null)
      await left()
      await page.goto(`${served.url}/admin/integrity`)
      const [file] = await Promise.all([page.waitForEvent('download'), button('Download the log').click()])
      expect(file.suggestedFilename()).toMatch(/^gatebook-log-\d+\.tar$/)
      const listed = execFileSync('tar', ['-tf', await file.path()], { encoding: 'utf8' }).split('\n')
      for (const name of ['checkpoint', 'vkey']) expect(listed).toContain(`gatebook-log/${name}`)
      expect(await left()).toEqual(['log.exported admin root'])
    })

    test('hold what is under a legal hold, and erase it when that is over, after they have seen what goes', async () => {
      const { page } = visitor
      const hold = await served.on.gate.log.holds.add({ userId: anna, reason: 'a dispute' })
      await page.goto(`${served.url}/admin/users/${anna}`)
      await button('Erase personal data').click()
      await page.locator('dialog[open] .notice', { hasText: hold.id }).waitFor()
      await page.locator('dialog[open] input').last().fill('anna@example.org')
      expect(await page.locator('dialog[open] button[type=submit]').isDisabled()).toBe(true)
      await page.keyboard.press('Escape')
      await served.on.gate.log.holds.release(hold.id)
      await left()

      const preview = await served.on.gate.log.previewErasure({ userId: anna })
      await button('Erase personal data').click()
      await page.waitForSelector('dialog[open] [data-count=events]')
      for (const [name, count] of Object.entries({ events: preview.events, sessions: preview.sessions })) {
        expect(await page.locator(`dialog[open] [data-count=${name}] .number`).textContent()).toBe(String(count))
      }
      const submit = page.locator('dialog[open] button[type=submit]')
      await page.locator('dialog[open] input').last().fill('anna@example.or')
      expect(await submit.isDisabled()).toBe(true)
      await page.locator('dialog[open] input').last().fill('anna@example.org')
      await submit.click()
      await page.getByText('There is no such user.').waitFor()
      await page.getByText('The personal data has been erased.').waitFor()
      expect(await served.on.gate.users.find(anna)).toBeNull()
      expect(await left()).toEqual(['log.erased requested admin root'])
    })

    test('whose session is ended are signed out, and told why', async () => {
      const { page } = visitor
      await served.on.gate.sessions.endAll(admin, 'ended-by-admin')
      await page.click('nav a[href="/admin/users"]')
      await page.locator('.notice', { hasText: 'ended by an admin' }).waitFor()
      await page.waitForSelector('input[name=username]')
      expect(await left()).toEqual([
        'session.ended ended-by-admin application',
        // The page tries once whether it may go on.
        'session.refresh-refused ended anonymous',
      ])
    })
  })

  test.skipIf(findEngine('sqlite') === null)(
    'a connection that breaks costs whoever follows the log nothing',
    async () => {
      const served = await serveDashboard(findEngine('sqlite')!)
      try {
        const { page, signIn, close } = await visit(browser, served.url)
        await signIn('/admin/events?q=type%3Akey.*,client.*&live=1')
        await page.waitForSelector('[data-tail=following]')
        await served.cut(async () => {
          await page.waitForSelector('[data-tail=reconnecting]')
          await served.on.gate.clients.create({ name: 'meanwhile' })
        })
        await page.locator('.event-rows .event-row', { hasText: 'Client created' }).waitFor()
        await page.waitForSelector('[data-tail=following]')
        await served.on.gate.clients.create({ name: 'afterwards' })
        await holdsIn(
          page,
          "[...document.querySelectorAll('.event-row')].filter((row) => row.textContent.includes('Client created')).length === 2",
        )
        await close()
      } finally {
        await served.close()
      }
    },
  )
})
