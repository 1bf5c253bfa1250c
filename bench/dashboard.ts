/**
 * How soon admins see something in a log of 200,000 events: the first content, a filter, and whether a row is missing while somebody
 * scrolls. See README.md.
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { chromium, type Page } from 'playwright-core'
import { createEventLog } from '../src/log/append.ts'
import { parseMasterSecret } from '../src/secret/master-secret.ts'
import { createSqlStore } from '../src/store/sql/sql-store.ts'
import { createIdentifierKeys } from '../src/user/identifier.ts'
import { systemClock } from '../src/util/clock.ts'
import { ADMIN, type ServedDashboard, serveDashboard } from '../test/dashboard/served-dashboard.ts'
import { findChromium, WITHOUT_CHROMIUM } from '../test/support/chromium.ts'
import { type Engine, openEngine } from '../test/support/engine.ts'
import { findEngines } from '../test/support/find-engines.ts'
import { PASSWORD, SECRET } from '../test/support/gate.ts'
import { quantile } from './statistics.ts'

export const FIRST_CONTENT_BAR_MILLISECONDS = 1000
export const FILTER_BAR_MILLISECONDS = 300

const AT_ONCE = 512
const ROUNDS = 15
const SCROLL_MILLISECONDS = 4000

/** What an investigation asks for: common and rare, one and many, none. */
const QUERIES = [
  ...['type:login.failed', 'outcome:failure', 'outcome:denied', 'user:app-17', 'ip:198.51.100.7', 'ip:198.51.100.0/24'],
  ...['reason:wrong-password', 'type:login.succeeded -ip:198.51.100.0/24', 'user:app-17 outcome:failure', 'since:1h'],
  ...['type:login.failed -reason:throttled', 'user:nobody', 'ip:203.0.113.250', 'type:password.*'],
]

export interface DashboardFigures {
  readonly engine: string
  readonly events: number
  /** Milliseconds; of each the median and the 95th percentile or the longest. */
  readonly firstContent: { readonly median: number; readonly longest: number }
  readonly filter: { readonly median: number; readonly p95: number; readonly slowest: string }
  /** Frames in which no row stood in the middle of the table, of all that were drawn while it was scrolled. */
  readonly frames: { readonly blank: number; readonly all: number }
}

export async function benchDashboard(engine: Engine, events: number): Promise<DashboardFigures> {
  const executablePath = findChromium()
  if (executablePath === null) throw new Error(WITHOUT_CHROMIUM)
  const served = await serveDashboard(engine)
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  try {
    await fill(served, events)
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
    const page = await context.newPage()
    await signIn(page, served.url)
    return {
      engine: engine.name,
      events,
      firstContent: await measureFirstContent(page, served.url),
      filter: await measureFilters(served),
      frames: await measureScrolling(page, served.url),
    }
  } finally {
    await browser.close()
    await served.close()
  }
}

async function fill({ on }: ServedDashboard, events: number): Promise<void> {
  const store = createSqlStore(on.direct)
  const secret = parseMasterSecret(SECRET, 'secret')
  const identifiers = createIdentifierKeys(secret)
  const log = createEventLog({ clock: systemClock, secret, onAppended() {} })
  for (let done = 0; done < events; done += AT_ONCE) {
    const count = Math.min(AT_ONCE, events - done)
    const some = Array.from({ length: count }, (_, more) => {
      const place = done + more
      const failed = place % 20 === 0
      const clear = `user-${place % 997}@example.org`
      return {
        type: failed ? ('login.failed' as const) : ('app.order.placed' as const),
        outcome: failed ? ('failure' as const) : ('success' as const),
        ...(failed && { reason: 'wrong-password' }),
        actor: failed ? { kind: 'anonymous' as const } : { kind: 'user' as const, id: `app-${place % 997}` },
        subject: `app-${place % 997}`,
        identifier: identifiers.describe(clear, clear, true),
        network: {
          ip: `${place % 3 === 0 ? '198.51.100' : '203.0.113'}.${place % 250}`,
          ipSource: 'socket' as const,
          userAgent: 'Mozilla/5.0 (X11; Linux x86_64)',
        },
        ...(failed ? {} : { data: { order: place } }),
      }
    })
    await store.transaction((tx) => log.append(tx, some), 'relaxed')
  }
}

async function signIn(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/admin`)
  await page.fill('input[name=username]', ADMIN)
  await page.fill('input[name=password]', PASSWORD)
  await page.click('button[type=submit]')
  await page.waitForSelector('.shell')
}

/** From the address to the first rows of the log, with nothing kept by the browser but the session. */
async function measureFirstContent(page: Page, url: string): Promise<DashboardFigures['firstContent']> {
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    await page.goto('about:blank')
    const begun = performance.now()
    await page.goto(`${url}/admin/events`, { waitUntil: 'commit' })
    await page.waitForSelector('.event-rows .event-row')
    times.push(performance.now() - begun)
  }
  return { median: quantile(times, 0.5), longest: Math.max(...times) }
}

/** Over HTTP, as the page asks. */
async function measureFilters({ url }: ServedDashboard): Promise<DashboardFigures['filter']> {
  const json = { 'content-type': 'application/json' }
  const login = await fetch(`${url}/auth/login`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify({ identifier: ADMIN, password: PASSWORD }),
  })
  const { access_token: token } = (await login.json()) as { access_token: string }
  const times: number[] = []
  let slowest = { query: '', time: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    for (const query of QUERIES) {
      const begun = performance.now()
      const response = await fetch(`${url}/admin/api/events?${new URLSearchParams({ q: query, limit: '100' })}`, {
        headers: { authorization: `Bearer ${token}` },
      })
      if (response.status !== 200) throw new Error(`${query}: ${response.status} ${await response.text()}`)
      await response.arrayBuffer()
      const time = performance.now() - begun
      times.push(time)
      if (time > slowest.time) slowest = { query, time }
    }
  }
  return { median: quantile(times, 0.5), p95: quantile(times, 0.95), slowest: slowest.query }
}

/** The wheel, as fast as a hand turns it, and a look at the middle of the table in every frame. */
async function measureScrolling(page: Page, url: string): Promise<DashboardFigures['frames']> {
  await page.goto(`${url}/admin/events`)
  await page.waitForSelector('.event-rows .event-row')
  await page.hover('.event-scroll')
  const counting = page.evaluate(`new Promise((resolve) => {
    const frames = { blank: 0, all: 0 }
    const box = document.querySelector('.event-scroll').getBoundingClientRect()
    const until = performance.now() + ${SCROLL_MILLISECONDS}
    const look = () => {
      frames.all += 1
      const there = document.elementFromPoint(box.left + 40, box.top + box.height / 2)
      if (there === null || there.closest('.event-row') === null) frames.blank += 1
      if (performance.now() < until) requestAnimationFrame(look)
      else resolve(frames)
    }
    requestAnimationFrame(look)
  })`)
  const until = performance.now() + SCROLL_MILLISECONDS
  for (let turn = 0; performance.now() < until; turn++) {
    // Down and, every fifth turn, up again.
    await page.mouse.wheel(0, turn % 5 === 4 ? -900 : 400)
    await new Promise((resolve) => setTimeout(resolve, 16))
  }
  return (await counting) as DashboardFigures['frames']
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { events: { type: 'string', default: '200000' } } })
  const found = await findEngines()
  for (const { name, why } of found.missing) console.error(`${name}: ${why}`)
  try {
    for (const address of found.engines) {
      const figures = await benchDashboard(openEngine(address), Number(values.events))
      const { engine, events, firstContent, filter, frames } = figures
      const holds = firstContent.longest <= FIRST_CONTENT_BAR_MILLISECONDS && filter.p95 <= FILTER_BAR_MILLISECONDS
      console.log(
        `${engine}: ${events} events, first rows ${firstContent.median.toFixed(0)} ms (longest ${firstContent.longest.toFixed(0)}), filters ${filter.median.toFixed(0)} ms, p95 ${filter.p95.toFixed(0)} (slowest: ${filter.slowest}), blank frames ${frames.blank} of ${frames.all}: ${holds && frames.blank === 0 ? 'meets its bars' : 'MISSES A BAR'}`,
      )
    }
  } finally {
    await found.close()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
