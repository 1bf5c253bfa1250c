/**
 * How long after a log-out at one of three server processes the other two and a verifier elsewhere refuse the access token,
 * and what a hundred thousand revoked sessions cost a verifier. See README.md.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createGatebook } from '../src/gatebook.ts'
import { parseDatabaseUrl } from '../src/server/database-url.ts'
import { createRevokedSessions, EVERY_GENERATION } from '../src/token/revoked-sessions.ts'
import { generateId } from '../src/util/id.ts'
import { createVerifier, isGatebookError } from '../src/verify/index.ts'
import { startServerProcess } from '../test/fault/server-process.ts'
import { openEngine } from '../test/support/engine.ts'
import { findEngines } from '../test/support/find-engines.ts'
import { signingOf } from '../test/support/log-signing.ts'
import { type Client, createClient } from './client.ts'
import { median, quantile } from './statistics.ts'

const LOGOUTS = 100
const ENTRIES = 100_000
const CHECKS = 2_000_000
const ISSUER = 'http://127.0.0.1'

export interface RevocationFigures {
  readonly logouts: number
  /** Milliseconds from the answer to the log-out to the first refusal. */
  readonly processes: readonly number[]
  readonly verifier: readonly number[]
}

export interface MemoryFigures {
  readonly entries: number
  readonly bytesPerEntry: number
  /** Of a look at a token whose session is not revoked, and of one whose session is. */
  readonly nanoseconds: { readonly live: number; readonly revoked: number }
}

/** `url` is that of an empty database. */
export async function benchRevocation(url: string, logouts: number = LOGOUTS): Promise<RevocationFigures> {
  const secret = randomBytes(32).toString('base64')
  const tool = await createGatebook({ issuer: ISSUER, secret, database: parseDatabaseUrl(url), ...signingOf(url) })
  const { id, secret: clientSecret } = await tool.clients.create({ name: 'bench' })
  const settings = {
    GATEBOOK_DATABASE: url,
    GATEBOOK_SECRET: secret,
    GATEBOOK_ISSUER: ISSUER,
    GATEBOOK_DIAGNOSTICS_LEVEL: 'silent',
  }
  const servers = await Promise.all([1, 2, 3].map(() => startServerProcess(settings)))
  const clients = servers.map((server) => createClient(Number(new URL(server.url).port), 8))
  const verifier = createVerifier({
    issuer: ISSUER,
    jwksUrl: `${servers[2]!.url}/.well-known/jwks.json`,
    revocations: { url: `${servers[2]!.url}/auth/revocations`, clientId: id, clientSecret },
  })
  await verifier.ready()
  const processes: number[] = []
  const elsewhere: number[] = []
  try {
    for (let at = 0; at < logouts; at++) {
      const { accessToken, refreshToken } = await tool.sessions.start(at)
      // Found good everywhere, and so in every cache.
      for (const client of clients) await refusalOf(client, accessToken)
      await verifier.verify(accessToken)
      await sleep(Math.random() * 500)
      await clients[0]!.post('/auth/logout', { refresh_token: refreshToken })
      const begun = performance.now()
      const since = async (refused: () => Promise<boolean>) => {
        while (!(await refused())) await sleep(1)
        return performance.now() - begun
      }
      const times = await Promise.all([
        since(() => refusalOf(clients[1]!, accessToken)),
        since(() => refusalOf(clients[2]!, accessToken)),
        since(() =>
          verifier.verify(accessToken).then(
            () => false,
            (error: unknown) => isGatebookError(error, 'ERR_TOKEN_REVOKED'),
          ),
        ),
      ])
      processes.push(times[0], times[1])
      elsewhere.push(times[2])
    }
  } finally {
    verifier.close()
    for (const client of clients) client.close()
    await Promise.all(servers.map((server) => server.stop()))
    await tool.close()
  }
  return { logouts, processes, verifier: elsewhere }
}

async function refusalOf(client: Client, accessToken: string): Promise<boolean> {
  const { status, body } = await client.get('/auth/me', { Authorization: `Bearer ${accessToken}` })
  if (status === 401 && body.includes('ERR_TOKEN_REVOKED')) return true
  if (status !== 200) throw new Error(`/auth/me answered ${status} ${body}`)
  return false
}

export function measureMemory(): MemoryFigures {
  const sessions = createRevokedSessions()
  const now = Date.now()
  const idsOf = () => Array.from({ length: ENTRIES }, () => generateId('session', now))
  const [revoked, live] = [idsOf(), idsOf()]
  for (const sessionId of revoked) {
    sessions.note({ sessionId, ended: true, generation: 0, reason: 'logout', forgetAt: now + 600_000 }, now)
  }
  const time = (ids: readonly string[], expected: number) => {
    let wrong = 0
    const begun = performance.now()
    for (let at = 0; at < CHECKS; at++) if (sessions.leastGeneration(ids[at % ENTRIES]!) !== expected) wrong += 1
    if (wrong > 0) throw new Error(`${wrong} wrong answers`)
    return ((performance.now() - begun) * 1e6) / CHECKS
  }
  time(live, 0)
  return {
    entries: sessions.size,
    bytesPerEntry: sessions.bytes / sessions.size,
    nanoseconds: { live: time(live, 0), revoked: time(revoked, EVERY_GENERATION) },
  }
}

export function formatRevocationRow(name: string, { processes, verifier }: RevocationFigures): string {
  const told = (times: readonly number[]) =>
    [median(times), quantile(times, 0.99), Math.max(...times)].map((time) => time.toFixed(0)).join(' / ')
  return `| ${name} | ${told(processes)} | ${told(verifier)} |`
}

export const REVOCATION_HEAD: string = [
  '| database | two other processes, ms (median / p99 / most) | verifier elsewhere, ms |',
  '|---|---|---|',
].join('\n')

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = await findEngines()
  console.log(REVOCATION_HEAD)
  for (const address of found.engines) {
    const { url } = await openEngine(address).createDatabase()
    console.log(formatRevocationRow(address.name, await benchRevocation(url)))
  }
  await found.close()
  const { entries, bytesPerEntry, nanoseconds } = measureMemory()
  console.log(
    `\n${entries} revoked sessions: ${bytesPerEntry.toFixed(1)} bytes each; a look takes ${nanoseconds.live.toFixed(0)} ns (not revoked), ${nanoseconds.revoked.toFixed(0)} ns (revoked).`,
  )
}
