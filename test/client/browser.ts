import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import ts from 'typescript'
import { onTestFinished } from 'vitest'
import type { SessionState } from '../../src/client/index.ts'
import type { GatebookOptions } from '../../src/options.ts'
import { findChromium, startChromium, WITHOUT_CHROMIUM } from '../support/chromium.ts'
import { ROOT } from '../support/consumer.ts'
import { findEngine } from '../support/engines.ts'
import { findFreePort } from '../support/private-server.ts'
import { type ServedGate, serveGate } from './served-gate.ts'

const program = findChromium()

/** Skipped where there is none, but in CI there has to be one. */
export const noBrowser: boolean = program === null && process.env.CI === undefined
export const whyNoBrowser: string = noBrowser ? ` (${WITHOUT_CHROMIUM})` : ''

export function launchBrowser(): Promise<Browser> {
  if (program === null) throw new Error(WITHOUT_CHROMIUM)
  return startChromium(program)
}

/** One tab with the client in it, as `client`; `told` is what `onChange` has been told. */
export interface Tab {
  readonly page: Page
  evaluate<T>(expression: string): Promise<T>
  session(): Promise<SessionState>
  /** The status of the answer to a request of the application, or the code that it was refused with. */
  orders(): Promise<number | string>
  /** Moves the clocks of this tab. */
  advance(milliseconds: number): Promise<void>
}

export interface BrowserGate {
  readonly served: ServedGate
  readonly context: BrowserContext
  /** Tabs of one browser profile. */
  open(count: number): Promise<Tab[]>
  /** A tab of a page on another origin, which the gate knows by `corsOrigins`. */
  openElsewhere(): Promise<Tab>
  /** Answers the next refresh only when so many tabs wait for their turn. */
  holdRefreshUntilWaiting(tab: Tab, count: number): void
  refreshes(): number
}

export interface BrowserGateOptions {
  readonly mode: 'tokens' | 'cookies'
  readonly gate?: Partial<GatebookOptions>
  /** Runs in each page before everything else. */
  readonly before?: string
  /** False: the client goes by the clocks of the page. */
  readonly ownClock?: boolean
}

/** A gate that serves a page with the client, on the origin that its issuer names, and a browser profile of its own. */
export async function serveBrowserGate(browser: Browser, options: BrowserGateOptions): Promise<BrowserGate> {
  const port = await findFreePort()
  const origin = `http://127.0.0.1:${port}`
  // The same socket by another name is another origin.
  const sibling = `http://localhost:${port}`
  const served = await serveGate(
    findEngine('sqlite')!,
    { issuer: origin, corsOrigins: [sibling], ...options.gate },
    { port, pages: servePages(options) },
  )
  const context = await browser.newContext()
  onTestFinished(() => context.close())
  if (options.before !== undefined) await context.addInitScript(options.before)
  const openTab = async (address = `${origin}/app`): Promise<Tab> => {
    const page = await context.newPage()
    await page.goto(address)
    await page.waitForFunction('globalThis.client !== undefined')
    return toTab(page)
  }
  return {
    served,
    context,
    open: (count) => Promise.all(Array.from({ length: count }, () => openTab())),
    openElsewhere: () => openTab(`${sibling}/app?url=${encodeURIComponent(origin)}`),
    holdRefreshUntilWaiting(tab, count) {
      served.faults.set('POST /auth/refresh', [
        (_request, _response, answer) => {
          const waiting = `navigator.locks.query().then(({ pending }) => pending.length >= ${count})`
          tab.page.waitForFunction(waiting).then(answer, answer)
        },
      ])
    },
    refreshes: () => served.requests.filter((line) => line === 'POST /auth/refresh').length,
  }
}

function toTab(page: Page): Tab {
  const evaluate = <T>(expression: string): Promise<T> => page.evaluate(expression) as Promise<T>
  return {
    page,
    evaluate,
    session: () => evaluate('client.session()'),
    orders: () => evaluate("client.fetch('/orders').then(({ status }) => status, ({ code }) => code)"),
    advance: (milliseconds) => evaluate(`void (offset += ${milliseconds})`),
  }
}

function servePages({ mode, ownClock = true }: BrowserGateOptions): (i: IncomingMessage, o: ServerResponse) => boolean {
  const page = `<!doctype html><title>app</title><script type="module">
    import { createClient, webStorage } from '/client/index.js'
    globalThis.offset = 0
    globalThis.told = []
    globalThis.client = createClient({
      url: new URLSearchParams(location.search).get('url') ?? location.origin,
      mode: '${mode}',
      ${mode === 'tokens' ? 'storage: webStorage(localStorage),' : ''}
      ${ownClock ? 'clock: { monotonic: () => performance.now() + offset, wall: () => Date.now() + offset },' : ''}
      onChange: (state) => told.push(state),
    })
  </script>`
  return ({ url = '' }, response) => {
    const module = /^\/client\/([a-z-]+)\.js$/.exec(url)?.[1]
    if (!/^\/app(\?|$)/.test(url) && module === undefined) return false
    const type = module === undefined ? 'text/html' : 'text/javascript'
    response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8` })
    response.end(module === undefined ? page : compile(module))
    return true
  }
}

/** As the build does it, so that what is tested is what is there. */
function compile(module: string): string {
  const text = readFileSync(join(ROOT, 'src/client', `${module}.ts`), 'utf8')
  const compilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    rewriteRelativeImportExtensions: true,
  }
  return ts.transpileModule(text, { compilerOptions }).outputText
}
