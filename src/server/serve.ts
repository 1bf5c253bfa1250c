import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Gatebook } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { createGatebook } from '../gatebook.ts'
import type { Diagnostics, GatebookOptions } from '../options.ts'
import type { Dialect } from '../store/dialect.ts'
import { type Config, type Environment, inConfigTerms, libraryOptions } from './config.ts'
import { CHECKS, examine } from './doctor.ts'
import { drain } from './drain.ts'
import { FINDINGS } from './findings.ts'
import { createListener } from './listener.ts'
import type { Mailer } from './mailer.ts'
import { hasPages, pagesFromConfig, readBrand, withPageLinks } from './pages/from-config.ts'
import { PATHS } from './pages/page.ts'
import type { Pages } from './pages/pages.ts'
import { createRefusal } from './refuse-unasked.ts'
import { createSenders } from './senders.ts'
import { createUnderWay } from './under-way.ts'
import { answerUnreadable } from './unreadable-request.ts'

/** A client that sends slowly or nothing must not hold a connection for long; nothing here has a large body. */
const LIMITS = {
  maxHeaderSize: 16_384,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  /** Longer than the 60 s that proxies keep an idle connection, or they would use one that is being closed. */
  keepAliveTimeout: 65_000,
  /** How often the two request limits are enforced; node's own 30 s would make 10 s mean 40. */
  connectionsCheckingInterval: 2_000,
  /** Looked at by the listener, whose answer has a code. */
  requireHostHeader: false,
}

/** What the server itself has just been stopped by, or is busy with: not looked at a second time while it starts. */
const AT_START = CHECKS.filter(({ name }) => name !== 'hashing')

export interface RunningServer {
  readonly gate: Gatebook
  readonly url: string
  readonly issuer: string
  /** Addresses of the pages for users and for admins; null where there are none. */
  readonly account: string | null
  readonly dashboard: string | null
  /** Drains and closes. Idempotent; a second call waits for the first. */
  stop(): Promise<void>
}

/**
 * Binds the port first, so that a port in use is found before anything is made in the database, then opens the database.
 * Throws ERR_OPTION_INVALID for an address that cannot be had, and what `createGatebook` throws.
 */
export async function startServer(
  config: Config,
  database: Dialect,
  diagnostics: Diagnostics,
  mailer: Mailer | null,
  environment: Environment,
): Promise<RunningServer> {
  let gate: Gatebook | null = null
  let stopping: Promise<void> | null = null
  const underWay = createUnderWay()
  const refuseUnasked = createRefusal((config.issuer.value as string | null) ?? '')
  const operationsPath = (config.operationsPath.value as string | null) ?? ''
  const server = createServer(
    LIMITS,
    createListener({
      gate: () => gate,
      draining: () => stopping !== null,
      readyPath: `${operationsPath}/readyz`,
      diagnostics,
      underWay,
      refuseUnasked,
    }),
  )
  // RFC 9110 §10.1.1 lets an unknown expectation be ignored.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
  // Node drops what is beyond 2,000 headers, and a proxy appends its own at the end; the size is bounded anyway.
  server.maxHeadersCount = 0
  // For a client that does not read what it asked for. Longer than anything here takes without a byte.
  server.timeout = 75_000
  answerUnreadable(server, { underWay, diagnostics, refuseUnasked })
  const brand = hasPages(config) ? readBrand(config) : null
  const port = await listen(server, config)
  const issuer = (config.issuer.value as string | null) ?? `http://localhost:${port}`
  const options = {
    adminPath: '/admin',
    dashboard: true,
    // So that its pages stay signed in when they are read again. Nobody has tokens in cookies who has not asked for it.
    // `lax` with the pages of people, whom links of other sites and of mail lead there.
    cookies: brand === null ? 'strict' : 'lax',
    oauthPath: '/oauth',
    logPath: '/log',
    ...(brand !== null && { authorizationUrl: issuer.replace(/\/$/, '') + PATHS.authorize }),
    operationsPath,
    ...libraryOptions(config),
    ...(mailer !== null &&
      createSenders(brand === null ? config : withPageLinks(config, issuer), mailer, issuer, Date.now)),
    issuer,
    database,
    diagnostics,
    settingSources: config,
  } as GatebookOptions
  try {
    gate = await createGatebook(options)
  } catch (error) {
    server.closeAllConnections()
    server.close()
    mailer?.close()
    throw inConfigTerms(error, config)
  }
  const opened = gate
  if (brand !== null)
    gate = withPages(gate, pagesFromConfig(config, { gate, issuer, brand, sendsMail: mailer !== null, diagnostics }))
  void reportFindings(config, environment, diagnostics)

  async function stop(): Promise<void> {
    const seconds = config.drainSeconds.value as number
    diagnostics.info({ under_way: underWay.all().length, drain_seconds: seconds }, 'shutting down')
    // Verifiers that wait for news get their answer, and ask the next process; so does whoever watches the log.
    opened.revocations.release()
    opened.log.release()
    const cut = await drain(server, underWay, seconds)
    if (cut > 0) diagnostics.warn({ requests: cut }, `requests were broken off after ${seconds} s`)
    await opened.close()
    mailer?.close()
    diagnostics.info({}, 'stopped')
  }

  const url = `http://${formatHost(config.host.value as string)}:${port}`
  const { adminPath = '', dashboard } = options
  return {
    gate: opened,
    url,
    issuer,
    account: brand === null ? null : url + PATHS.account,
    dashboard: dashboard === true && adminPath !== '' ? url + adminPath : null,
    stop: () => {
      stopping ??= stop()
      return stopping
    },
  }
}

/** The pages come first: the API knows none of their paths. */
function withPages(gate: Gatebook, pages: Pages): Gatebook {
  return {
    ...gate,
    exchange: (request, connection) => pages.answer(request, connection) ?? gate.exchange(request, connection),
  }
}

/** One line for each thing that `gatebook doctor` would find, beside the work of the server. */
async function reportFindings(config: Config, environment: Environment, diagnostics: Diagnostics): Promise<void> {
  for (const { check, findings } of await examine({ config, environment, checks: AT_START })) {
    for (const { code, figures = {} } of findings) {
      const { level, says, todo } = FINDINGS[code]
      if (level === 'ok') continue
      const report = level === 'problem' ? diagnostics.error : level === 'warning' ? diagnostics.warn : diagnostics.info
      report({ check, finding: code, ...figures }, todo === '' ? says : `${says} ${todo}`)
    }
  }
}

/** Returns the port, which is another one than was asked for when that was 0. */
async function listen(server: Server, config: Config): Promise<number> {
  const host = config.host.value as string
  const port = config.port.value as number
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explain(error, config)))
    server.listen({ host, port }, resolve)
  })
  return (server.address() as AddressInfo).port
}

function explain(error: NodeJS.ErrnoException, { host, port }: Config): unknown {
  const problems: Record<string, string> = {
    EADDRINUSE: `${port.name}: port ${port.value} on ${host.value} is in use by another program; choose another one, or 0 for any free one.`,
    EACCES: `${port.name}: this account may not listen on port ${port.value}; ports from 1024 on need no rights.`,
    EADDRNOTAVAIL: `${host.name}: ${host.value} is not an address of this machine; 127.0.0.1, or 0.0.0.0 for every interface.`,
    ENOTFOUND: `${host.name}: there is no host ${host.value}; 127.0.0.1, or 0.0.0.0 for every interface.`,
  }
  const detail = problems[error.code ?? '']
  return detail === undefined ? error : new GatebookError('ERR_OPTION_INVALID', { detail, cause: error })
}

function formatHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
