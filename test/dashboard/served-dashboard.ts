import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { expect } from 'vitest'
import { toNodeHandler } from '../../src/adapters/node.ts'
import type { Gatebook } from '../../src/api.ts'
import type { GatebookOptions } from '../../src/options.ts'
import { systemClock } from '../../src/util/clock.ts'
import { listen } from '../adapters/listener.ts'
import type { Engine } from '../support/engines.ts'
import { openGate, PASSWORD, type TestGate, until } from '../support/gate.ts'

export const ADMIN = 'root@example.org'

/** A gate with its dashboard behind a socket. To a browser, `localhost` is as good as TLS. */
export interface ServedDashboard {
  readonly on: TestGate
  readonly url: string
  /** Breaks every connection, and takes none until the work is done. */
  cut(work: () => Promise<void>): Promise<void>
  close(): Promise<void>
}

export async function serveDashboard(engine: Engine, options: Partial<GatebookOptions> = {}): Promise<ServedDashboard> {
  let gate: Gatebook | null = null
  let isCut = false
  const connections = new Set<Socket>()
  const server = await listen((request, response) => {
    if (!connections.has(request.socket)) {
      connections.add(request.socket)
      request.socket.once('close', () => connections.delete(request.socket))
    }
    if (isCut) request.socket.destroy()
    else if (gate === null) response.writeHead(503).end()
    else toNodeHandler(gate)(request, response)
  })
  const url = server.url.replace('127.0.0.1', 'localhost')
  const on = await openGate(engine, {
    issuer: url,
    // What is shown is compared with the clock of the browser.
    clock: systemClock,
    adminPath: '/admin',
    dashboard: true,
    operationsPath: '',
    logPath: '/log',
    cookies: 'strict',
    ...options,
  })
  gate = on.gate
  await on.gate.users.create({ identifier: ADMIN, password: PASSWORD, roles: ['admin'] })
  return {
    on,
    url,
    async cut(work) {
      isCut = true
      for (const connection of connections) connection.destroy()
      await work().finally(() => {
        isCut = false
      })
    },
    async close() {
      await server.close()
      await on.close()
    },
  }
}

/** A page of one person, and all that it did which nobody may have meant it to. */
export interface Visit {
  readonly page: Page
  readonly context: BrowserContext
  /** Requests to anywhere else, violations of the policy, errors of scripts, and dialogs that a script has opened. */
  readonly offences: string[]
  signIn(path?: string): Promise<void>
  close(): Promise<void>
}

export interface VisitOptions {
  readonly locale?: string
  readonly colorScheme?: 'light' | 'dark'
  readonly phone?: boolean
  /** Another site that the way leads to. */
  readonly application?: string
}

/** As narrow as a page may have to be (WCAG 1.4.10). */
export const PHONE = { width: 320, height: 640 }

export async function visit(browser: Browser, url: string, options: VisitOptions = {}): Promise<Visit> {
  const { locale = 'en-GB', colorScheme = 'light', phone = false, application } = options
  const viewport = phone ? PHONE : { width: 1280, height: 800 }
  const context = await browser.newContext({ viewport, locale, colorScheme, timezoneId: 'Europe/Berlin' })
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  const offences: string[] = []
  const origin = new URL(url).origin
  page.on('request', (request) => {
    const target = request.url()
    if (application !== undefined && target.startsWith(`${application}/`)) return
    if (!target.startsWith(`${origin}/`) && !target.startsWith(`blob:${origin}/`)) offences.push(`asked ${target}`)
  })
  page.on('pageerror', (error) => offences.push(`error ${error.stack ?? error.message}`))
  page.on('dialog', (dialog) => {
    offences.push(`dialog ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('console', (message) => {
    // A refusal of the API is one of the things that can happen; what the policy has stopped is not.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      offences.push(`console ${message.text()}`)
    }
  })
  return {
    page,
    context,
    offences,
    async signIn(path = '/admin') {
      await page.goto(url + path)
      await page.fill('input[name=username]', ADMIN)
      await page.fill('input[name=password]', PASSWORD)
      await page.click('button[type=submit]')
      await page.waitForSelector('.shell')
    },
    async close() {
      await context.close()
      expect(offences).toEqual([])
    },
  }
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface AxeReport {
  readonly violations: readonly {
    readonly id: string
    readonly nodes: readonly { readonly target: readonly unknown[]; readonly failureSummary?: string }[]
  }[]
}

/** What axe-core finds in the page as it is, by every rule of WCAG 2.2 A and AA and by its best practices. */
export async function findBarriers(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
  const report = (await page.evaluate(
    `axe.run(document, { runOnly: { type: 'tag', values: ${JSON.stringify(tags)} }, rules: { 'target-size': { enabled: true } } })`,
  )) as AxeReport
  return report.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} ${target.join(' ')} ${failureSummary ?? ''}`),
  )
}

/** Waits for an expression; `waitForFunction` would evaluate it in the page, which its policy forbids. */
export async function holdsIn(page: Page, expression: string): Promise<void> {
  await until(expression, async () => (await page.evaluate(expression)) === true, 15_000)
}
