import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Engine, TestDatabase } from '../support/engines.ts'
import { parseLines, post, type Running, run, start, startServer, stopServer, type Transcript } from './transcript.ts'

export const PASSWORD = 'correct horse battery staple'
export const ANNA = 'anna@example.org'
export const BY_CLI = { kind: 'system', id: 'cli' }

/** A server on a database of its own, and the commands beside it, as an operator uses them. */
export interface Installation {
  readonly database: TestDatabase
  readonly server: Running & { url: string }
  gatebook(args: readonly string[], input?: string): Promise<Transcript>
  start(args: readonly string[]): Running
  login(password: string, userAgent?: string): Promise<Response>
  /** Type, reason and actor of what is in the log, oldest first. */
  eventsOf(...filters: string[]): Promise<Record<string, unknown>[]>
  remove(): Promise<void>
}

export async function createInstallation(
  engine: Engine,
  settings: Readonly<Record<string, string>> = {},
): Promise<Installation> {
  const folder = mkdtempSync(join(tmpdir(), 'gatebook-commands-'))
  const database = await engine.createDatabase()
  const env = {
    GATEBOOK_DATABASE: database.url,
    // A lock that lasts for a day, instead of waits that are over before a busy machine has made the next request.
    GATEBOOK_THROTTLE_PAIR_FREE: '100',
    GATEBOOK_THROTTLE_ACCOUNT_FAILURES: '5',
    ...settings,
  }
  const options = { folder, env }
  const server = await startServer([], options)

  function gatebook(args: readonly string[], input?: string): Promise<Transcript> {
    return run(args, input === undefined ? options : { ...options, input })
  }
  return {
    database,
    server,
    gatebook,
    start: (args) => start(args, options),
    login: (password, userAgent = 'a browser') =>
      post(`${server.url}/auth/login`, { identifier: ANNA, password }, { 'user-agent': userAgent }),
    async eventsOf(...filters) {
      const { stdout } = await gatebook(['log', 'tail', '-n', '500', '--json', ...filters])
      return parseLines(stdout).map(({ type, reason, actor }) => ({ type, reason, actor }))
    },
    async remove() {
      await stopServer(server)
      await database.drop()
      rmSync(folder, { recursive: true })
    },
  }
}
