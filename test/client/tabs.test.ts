import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OPTIONS } from '../../src/options.ts'
import { type Person, until } from '../support/gate.ts'
import {
  type BrowserGate,
  type BrowserGateOptions,
  launchBrowser,
  noBrowser,
  serveBrowserGate,
  type Tab,
  whyNoBrowser,
} from './browser.ts'
import { lateAnswer, problem } from './served-gate.ts'

/** Cookies are an option of the server; without it, it would answer ERR_BODY_INVALID to `cookies: true`. */
const noCookies = !Object.hasOwn(OPTIONS, 'cookies')

const MODES = [
  { mode: 'tokens', skip: noBrowser, why: whyNoBrowser, gate: {} },
  {
    mode: 'cookies',
    skip: noBrowser || noCookies,
    why: noCookies ? ' (this server knows no cookies)' : whyNoBrowser,
    gate: { cookies: 'lax' } as object,
  },
] as const

let browser: Browser
beforeAll(async () => {
  if (!noBrowser) browser = await launchBrowser()
})
afterAll(() => browser?.close())

/** Five tabs of one person, who has signed in in the first one. */
async function openSignedIn(options: BrowserGateOptions): Promise<BrowserGate & { tabs: Tab[]; anna: Person }> {
  const gate = await serveBrowserGate(browser, options)
  const anna = gate.served.on.person()
  await gate.served.on.gate.users.create(anna)
  const tabs = await gate.open(5)
  await logIn(tabs[0]!, anna)
  await everyTab(tabs, 'signed-in')
  await gate.served.expectEvents(['user.registered success', 'login.succeeded success'])
  return { ...gate, tabs, anna }
}

async function logIn(tab: Tab, { identifier, password }: Person): Promise<void> {
  await tab.evaluate(`client.login(${JSON.stringify({ identifier, password })})`)
}

async function everyTab(tabs: readonly Tab[], status: string): Promise<void> {
  await until(`every tab is ${status}`, async () => {
    const states = await Promise.all(tabs.map((tab) => tab.session()))
    return states.every((state) => state.status === status)
  })
}

async function tenOrdersEach(tabs: readonly Tab[]): Promise<Set<number | string>> {
  const statuses = await Promise.all(tabs.flatMap((tab) => Array.from({ length: 10 }, () => tab.orders())))
  return new Set(statuses)
}

for (const { mode, skip, why, gate: options } of MODES) {
  describe.skipIf(skip)(`five tabs with ${mode}${why}`, () => {
    test('at expiry refresh once, again and again', async () => {
      const { served, tabs, refreshes, holdRefreshUntilWaiting } = await openSignedIn({ mode, gate: options })
      for (const round of [1, 2, 3]) {
        served.on.clock.advance(601_000)
        await Promise.all(tabs.map((tab) => tab.advance(601_000)))
        holdRefreshUntilWaiting(tabs[0]!, 4)
        expect(await tenOrdersEach(tabs)).toEqual(new Set([200]))
        expect(refreshes()).toBe(round)
        await served.expectEvents(['session.refreshed success'])
      }
    })

    test('whose tokens the server takes for expired refresh once', async () => {
      const { served, tabs, refreshes, holdRefreshUntilWaiting } = await openSignedIn({ mode, gate: options })
      served.on.clock.advance(615_000)
      holdRefreshUntilWaiting(tabs[0]!, 4)
      expect(await tenOrdersEach(tabs)).toEqual(new Set([200]))
      expect(refreshes()).toBe(1)
      await served.expectEvents(['session.refreshed success', 'token.refused denied expired'])
    })

    test('sign out and in together', async () => {
      const { served, tabs, anna } = await openSignedIn({ mode, gate: options })
      await tabs[3]!.evaluate('client.logout()')
      await everyTab(tabs, 'signed-out')
      for (const tab of tabs) expect(await tab.session()).toMatchObject({ reason: 'logout', userId: null })
      expect(await tenOrdersEach(tabs)).toEqual(new Set([401]))
      await logIn(tabs[1]!, anna)
      await everyTab(tabs, 'signed-in')
      const states = await Promise.all(tabs.map((tab) => tab.session()))
      expect(new Set(states.map(({ sessionId }) => sessionId)).size).toBe(1)
      expect(await tenOrdersEach(tabs)).toEqual(new Set([200]))
      expect(await tabs[4]!.evaluate('told.map(({ status }) => status)')).toEqual(
        mode === 'tokens'
          ? ['signed-out', 'signed-in', 'signed-out', 'signed-in']
          : ['signed-in', 'signed-out', 'signed-in'],
      )
      await served.expectEvents([
        'session.ended success logout',
        'login.succeeded success',
        'token.refused denied missing',
      ])
    })

    test('are signed out together when one of them finds that the session has ended', async () => {
      const { served, tabs, refreshes } = await openSignedIn({ mode, gate: options })
      const { sessionId } = await tabs[0]!.session()
      await served.on.gate.sessions.end(sessionId!, 'ended-by-admin', { ip: '198.51.100.1', ipSource: 'socket' })
      expect(await tabs[2]!.orders()).toBe(401)
      await everyTab(tabs, 'signed-out')
      expect(await tenOrdersEach(tabs)).toEqual(new Set([401]))
      expect(refreshes()).toBe(1)
      await served.expectEvents([
        'session.ended success ended-by-admin',
        'session.refresh-refused denied ended',
        'token.refused denied revoked',
        // Cookies are left where they are by a refresh that fails.
        ...(mode === 'tokens' ? ['token.refused denied missing'] : []),
      ])
    })

    test('keep the session while the server does not answer', async () => {
      const { served, tabs } = await openSignedIn({ mode, gate: options })
      await Promise.all(tabs.map((tab) => tab.advance(601_000)))
      const unavailable = problem(503, 'ERR_UNAVAILABLE', {}, { 'Retry-After': '60' })
      served.faults.set(
        'POST /auth/refresh',
        Array.from({ length: 5 }, () => unavailable),
      )
      expect(await tenOrdersEach(tabs)).toEqual(new Set(['ERR_UNAVAILABLE']))
      await everyTab(tabs, 'signed-in')
      await Promise.all(tabs.map((tab) => tab.advance(60_000)))
      expect(await tenOrdersEach(tabs)).toEqual(new Set([200]))
      await served.expectEvents(['session.refreshed success'])
    })

    test('a new tab belongs to them, and one that is closed does not', async () => {
      const { served, open, tabs } = await openSignedIn({ mode, gate: options })
      const [late] = await open(1)
      expect(await late!.orders()).toBe(200)
      expect((await late!.evaluate<{ userId: string }>('client.me()')).userId).toBe((await tabs[0]!.session()).userId)
      expect((await late!.session()).status).toBe('signed-in')
      await tabs[1]!.evaluate('client.close()')
      await late!.evaluate('client.logout()')
      await everyTab([tabs[0]!, tabs[2]!], 'signed-out')
      expect((await tabs[1]!.session()).status).toBe('signed-in')
      const locks = 'navigator.locks.query().then(({ held, pending }) => [...held, ...pending].map(({ name }) => name))'
      expect(await tabs[1]!.evaluate(locks)).toEqual([])
      await served.expectEvents(['session.ended success logout'])
    })

    test('a page that somebody looks at refreshes by itself', async () => {
      const gate = await serveBrowserGate(browser, { mode, gate: options, ownClock: false })
      const anna = gate.served.on.person()
      await gate.served.on.gate.users.create(anna)
      await gate.context.clock.install()
      const [tab] = await gate.open(1)
      await logIn(tab!, anna)
      await gate.context.clock.runFor(479_000)
      expect(gate.refreshes()).toBe(0)
      // In steps: while an answer is under way its time must not run out, which is measured by this clock too.
      for (let seconds = 0; seconds < 62 && gate.refreshes() === 0; seconds++) await gate.context.clock.runFor(1000)
      await until('it has refreshed', async () => gate.refreshes() === 1)
      await until('and is told so', async () => {
        const { length } = await gate.served.on
          .events()
          .then((all) => all.filter(({ type }) => type === 'session.refreshed'))
        return length === 1
      })
      await tab!.evaluate('client.close()')
      await gate.context.clock.runFor(600_000)
      expect(gate.refreshes()).toBe(1)
      await gate.served.expectEvents([
        'user.registered success',
        'login.succeeded success',
        'session.refreshed success',
      ])
    })
  })
}

describe.skipIf(noBrowser || noCookies)(
  `a tab with cookies${noCookies ? ' (this server knows no cookies)' : ''}`,
  () => {
    const options = { mode: 'cookies', gate: { cookies: 'lax' } as object } as const

    test('sees no token anywhere, and may change things', async () => {
      const { served, tabs } = await openSignedIn(options)
      expect(await tabs[0]!.evaluate('[document.cookie, localStorage.length, sessionStorage.length]')).toEqual([
        '',
        0,
        0,
      ])
      const post = "client.fetch('/orders', { method: 'POST', body: '{}' }).then(({ status }) => status)"
      expect(await tabs[0]!.evaluate(post)).toBe(200)
      expect(served.requests.filter((line) => line.endsWith(' bearer'))).toEqual([])
    })

    test('that is opened when the access token is over is signed in by its first request', async () => {
      const { served, context, tabs, open, refreshes } = await openSignedIn(options)
      await Promise.all(tabs.map((tab) => tab.page.close()))
      await context.clearCookies({ name: /access/ })
      const [tab] = await open(1)
      expect((await tab!.session()).status).toBe('unknown')
      expect(await tenOrdersEach([tab!])).toEqual(new Set([200]))
      expect([(await tab!.session()).status, refreshes()]).toEqual(['signed-in', 1])
      await served.expectEvents(['session.refreshed success', 'token.refused denied missing'])
    })

    test('that is left in the middle of a refresh has its new cookies all the same', async () => {
      const { served, tabs, open } = await openSignedIn(options)
      const [leaving, ...others] = tabs.map(({ page }) => page)
      await Promise.all(others.map((page) => page.close()))
      await leaving!.context().clearCookies({ name: /access/ })
      served.faults.set('POST /auth/refresh', [lateAnswer(() => leaving!.goto('about:blank'))])
      await tabs[0]!.orders().catch(() => undefined)
      await until('the cookie is there', async () => {
        return (await leaving!.context().cookies()).some(({ name }) => name.includes('access'))
      })
      await served.expectEvents(['session.refreshed success', 'token.refused denied missing'])
      served.on.clock.advance(60_000)
      const [tab] = await open(1)
      expect(await tab!.evaluate('client.refresh().then(({ status }) => status, ({ code }) => code)')).toBe('signed-in')
      await served.expectEvents(['session.refreshed success'])
    })

    test('of nobody asks once, and then knows', async () => {
      const { served, open, refreshes } = await serveBrowserGate(browser, options)
      const [tab] = await open(1)
      expect(await tenOrdersEach([tab!])).toEqual(new Set([401]))
      expect((await tab!.session()).status).toBe('signed-out')
      expect(await tab!.orders()).toBe(401)
      expect(await tab!.evaluate('client.refresh().catch(({ code }) => code)')).toBe('ERR_SIGNED_OUT')
      expect(refreshes()).toBe(1)
      await served.expectEvents(['token.refused denied missing'])
    })

    test('refuses a server on another origin', async () => {
      const { open } = await serveBrowserGate(browser, options)
      const [tab] = await open(1)
      const other = `import('/client/index.js').then(({ createClient }) => createClient({ url: 'https://auth.example' }))
      .catch(({ code, detail }) => [code, detail])`
      expect(await tab!.evaluate(other)).toEqual([
        'ERR_OPTION_INVALID',
        'With cookies, Gatebook and the page are on one origin.',
      ])
    })
  },
)

describe.skipIf(noBrowser)(`what a tab with tokens keeps for the others${whyNoBrowser}`, () => {
  const stored = "JSON.parse(localStorage.getItem('gatebook'))"

  test('the device, and nothing else, when it signs out', async () => {
    const { served, tabs } = await openSignedIn({ mode: 'tokens' })
    await tabs[0]!.evaluate('client.logout()')
    expect(await tabs[1]!.evaluate(stored)).toEqual({ session: null, deviceToken: expect.stringMatching(/^gbd_/) })
    await served.expectEvents(['session.ended success logout'])
  })

  test('nothing that could be heard: what tabs tell each other holds no token', async () => {
    const { served, tabs, anna } = await openSignedIn({ mode: 'tokens' })
    await tabs[1]!.evaluate(`{
      globalThis.heard = []
      const name = 'gatebook ' + location.origin + ' gatebook'
      new BroadcastChannel(name).onmessage = ({ data }) => heard.push(data)
    }`)
    await logIn(tabs[0]!, anna)
    await tabs[0]!.evaluate('client.logout()')
    const heard = await until('both are heard', async () => {
      const messages = await tabs[1]!.evaluate<object[]>('heard')
      return messages.length === 2 && messages
    })
    expect(heard).toMatchObject([
      { kind: 'session', session: { tokens: null } },
      { kind: 'ended', reason: 'logout' },
    ])
    expect(JSON.stringify(heard)).not.toMatch(/eyJ|gbr_|gbd_/)
    await served.expectEvents(['login.succeeded success', 'session.ended success logout'])
  })
})

describe.skipIf(noBrowser)(`one page${whyNoBrowser}`, () => {
  test('with two clients, as frameworks that mount everything twice make them, refreshes once', async () => {
    const { served, tabs, refreshes } = await openSignedIn({ mode: 'tokens' })
    await tabs[0]!.evaluate(`import('/client/index.js').then(({ createClient, webStorage }) => {
      const clock = { monotonic: () => performance.now() + offset, wall: () => Date.now() + offset }
      globalThis.second = createClient({ mode: 'tokens', storage: webStorage(localStorage), clock })
    })`)
    served.on.clock.advance(601_000)
    await Promise.all(tabs.map((tab) => tab.advance(601_000)))
    const both =
      "Promise.all([client, second, second, client].map((each) => each.fetch('/orders').then(({ status }) => status)))"
    expect(await tabs[0]!.evaluate(both)).toEqual([200, 200, 200, 200])
    expect(refreshes()).toBe(1)
    await tabs[0]!.evaluate('second.logout()')
    await everyTab(tabs, 'signed-out')
    await served.expectEvents(['session.refreshed success', 'session.ended success logout'])
  })

  test('on another origin than the server signs in, refreshes and signs out', async () => {
    const { served, openElsewhere } = await serveBrowserGate(browser, { mode: 'tokens' })
    const anna = served.on.person()
    await served.on.gate.users.create(anna)
    const tab = await openElsewhere()
    const wrong = JSON.stringify({ identifier: anna.identifier, password: 'not the pass phrase of anna' })
    const refused = `client.login(${wrong}).catch(({ code, requestId }) => [code, requestId.slice(0, 4)])`
    expect(await tab.evaluate(refused)).toEqual(['ERR_LOGIN_REFUSED', 'req_'])
    await logIn(tab, anna)
    served.on.clock.advance(615_000)
    expect(await tab.evaluate('client.me().then(({ roles }) => roles)')).toEqual([])
    await tab.evaluate('client.logout()')
    expect(await tab.session()).toMatchObject({ status: 'signed-out', reason: 'logout' })
    await served.expectEvents([
      'user.registered success',
      'login.failed failure wrong-password',
      'login.succeeded success',
      'session.refreshed success',
      'session.ended success logout',
      'token.refused denied expired',
    ])
  })

  test('goes on when another one never gives the lock back', async () => {
    const { served, tabs } = await openSignedIn({ mode: 'tokens' })
    const name = "'gatebook ' + location.origin + ' gatebook'"
    await tabs[1]!.evaluate(`new Promise((held) => {
      navigator.locks.request(${name}, () => new Promise(() => held('held')))
    })`)
    await tabs[0]!.advance(601_000)
    expect(await tabs[0]!.orders()).toBe(200)
    await served.expectEvents(['session.refreshed success'])
  })
})

const WITHOUT_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })"

describe.skipIf(noBrowser)(`five tabs without Web Locks${whyNoBrowser}`, () => {
  test('stay signed in, by the grace of the server', async () => {
    const { served, tabs } = await openSignedIn({ mode: 'tokens', before: WITHOUT_LOCKS })
    for (const _round of [1, 2]) {
      served.on.clock.advance(601_000)
      await Promise.all(tabs.map((tab) => tab.advance(601_000)))
      expect(await tenOrdersEach(tabs)).toEqual(new Set([200]))
      const refreshed = (await served.on.events()).filter(({ type }) => type.startsWith('session.')).slice(-5)
      expect(refreshed.every(({ type }) => type === 'session.refreshed')).toBe(true)
    }
    await everyTab(tabs, 'signed-in')
    const events = (await served.on.events()).map(({ type, reason }) => `${type} ${reason ?? ''}`.trim())
    expect(events.filter((event) => event === 'session.refreshed')).toHaveLength(2)
    const since = (await served.on.events()).slice(events.indexOf('session.refreshed'))
    await served.expectEvents(since.map(({ reason }) => `session.refreshed success ${reason ?? ''}`.trim()))
  })

  test('one that is refused with an old token does not clear the newer one', async () => {
    const { served, tabs, anna } = await openSignedIn({ mode: 'tokens', before: WITHOUT_LOCKS })
    const [old, other] = [tabs[0]!, tabs[1]!]
    const { sessionId } = await old.session()
    let release = () => {}
    served.faults.set('POST /auth/refresh', [
      (_request, _response, answer) => {
        release = answer
      },
    ])
    const refreshing = old.evaluate('client.refresh().then(({ sessionId }) => sessionId, ({ code }) => code)')
    await until('its refresh is on its way', async () => served.requests.includes('POST /auth/refresh'))
    await served.on.gate.sessions.end(sessionId!, 'ended-by-admin', { ip: '198.51.100.1', ipSource: 'socket' })
    await logIn(other, anna)
    release()
    const newer = (await other.session()).sessionId
    expect(newer).not.toBe(sessionId)
    expect(await refreshing).toBe(newer)
    await everyTab(tabs, 'signed-in')
    for (const tab of tabs) expect((await tab.session()).sessionId).toBe(newer)
    expect(await other.evaluate("JSON.parse(localStorage.getItem('gatebook')).session.sessionId")).toBe(newer)
    expect(await tenOrdersEach(tabs)).toEqual(new Set([200]))
    await served.expectEvents([
      'session.ended success ended-by-admin',
      'login.succeeded success',
      'session.refresh-refused denied ended',
    ])
  })

  test('and without a channel find out at their next request', async () => {
    const before = `${WITHOUT_LOCKS}; delete globalThis.BroadcastChannel`
    const gate = await serveBrowserGate(browser, { mode: 'tokens', before })
    const anna = gate.served.on.person()
    await gate.served.on.gate.users.create(anna)
    const tabs = await gate.open(5)
    await logIn(tabs[0]!, anna)
    expect(await tenOrdersEach(tabs)).toEqual(new Set([200]))
    await tabs[4]!.evaluate('client.logout()')
    expect(await tenOrdersEach(tabs)).toEqual(new Set([401]))
    await everyTab(tabs, 'signed-out')
    await gate.served.expectEvents([
      'user.registered success',
      'login.succeeded success',
      'session.ended success logout',
      'token.refused denied missing',
    ])
  })
})
