import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Engine } from '../support/engine.ts'
import { until } from '../support/gate.ts'
import { type Cut, startCuttableProxy } from './cuttable-proxy.ts'
import { look } from './kill-rounds.ts'
import { createLedger, runPatientClient } from './load.ts'
import { type ServerProcess, startServerProcess } from './server-process.ts'

export interface CutReport {
  readonly how: Cut
  readonly seconds: number
  /** 2xx answers that were held against the database. */
  readonly answers: number
  /** 503 with ERR_UNAVAILABLE: what clients saw of it. */
  readonly unavailable: number
  /** From the end of the cut to the next 2xx. */
  readonly backAfterMilliseconds: number
  readonly problems: readonly string[]
}

const CLIENTS = 6
const ANSWERS_BEFORE = 24
const ANSWERS_AFTER = 24

/** Cuts the network between a server under load and its database, and compares what clients were told with the tables. */
export async function runCut(engine: Engine, how: Cut, seconds: number): Promise<CutReport> {
  const database = await engine.createDatabase()
  const there = new URL(database.url)
  const proxy = await startCuttableProxy(there.hostname, Number(there.port))
  const through = new URL(database.url)
  through.hostname = '127.0.0.1'
  through.port = String(proxy.port)
  const ledger = createLedger(['ERR_UNAVAILABLE'])
  let server: ServerProcess | null = null
  try {
    server = await startServerProcess({
      GATEBOOK_DATABASE: through.href,
      GATEBOOK_SECRET: randomBytes(32).toString('base64'),
      GATEBOOK_ISSUER: 'http://localhost',
      GATEBOOK_DIAGNOSTICS_LEVEL: 'silent',
      GATEBOOK_THROTTLE_ADDRESS_FAILURES: '100000',
      GATEBOOK_THROTTLE_PAIR_FREE: '100',
      GATEBOOK_REFRESH_GRACE_SECONDS: '60',
      GATEBOOK_ACCESS_TOKEN_SECONDS: '3600',
      GATEBOOK_ARGON2_MEMORY_KIB: '7168',
      GATEBOOK_ARGON2_ITERATIONS: '1',
    })
    const { url, exitCode } = server
    let going = true
    const clients = Array.from({ length: CLIENTS }, () => runPatientClient(url, ledger, () => going))
    const answered = (count: number) => until(`${count} answers`, async () => ledger.answers >= count, 60_000)
    await answered(ANSWERS_BEFORE)
    proxy.cut(how)
    await sleep(seconds * 1000)
    proxy.mend()
    const mended = performance.now()
    const before = ledger.userIds.length + ledger.sessions.length
    await until('an answer', async () => ledger.userIds.length + ledger.sessions.length > before, 60_000)
    const backAfterMilliseconds = performance.now() - mended
    await answered(ledger.answers + ANSWERS_AFTER)
    going = false
    await Promise.all(clients)
    if (exitCode() !== null) ledger.problems.push(`the server ended with ${exitCode()}`)
    await server.stop()
    server = null
    const problems = await look(database.url, ledger, true)
    const unavailable = ledger.excused.get('ERR_UNAVAILABLE') ?? 0
    return { how, seconds, answers: ledger.answers, unavailable, backAfterMilliseconds, problems }
  } finally {
    await server?.kill()
    await proxy.close()
    await database.drop()
  }
}
