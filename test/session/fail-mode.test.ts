import { sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createGatebook } from '../../src/gatebook.ts'
import { startCuttableProxy } from '../fault/cuttable-proxy.ts'
import { call } from '../http/caller.ts'
import { findEngine } from '../support/engines.ts'
import { CHEAP_HASHES, codeOf, dialectOf, ISSUER, openOwnGate, SECRET, until } from '../support/gate.ts'
import { signingOf } from '../support/log-signing.ts'

describe.each(['postgres', 'mysql'] as const)('a process that has lost %s', (name) => {
  const engine = findEngine(name)

  test.skipIf(engine === null)(
    'refuses access tokens after a while, or does not, as it was told',
    { timeout: 90_000 },
    async () => {
      const database = await engine!.createDatabase()
      onTestFinished(() => database.drop())
      const url = new URL(database.url)
      const proxy = await startCuttableProxy(url.hostname, Number(url.port))
      onTestFinished(() => proxy.close())
      url.port = String(proxy.port)
      const open = async (revocationFailMode: 'closed' | 'open') => {
        const gate = await createGatebook({
          issuer: ISSUER,
          database: dialectOf(url.href),
          secret: SECRET,
          ...signingOf(database.url),
          revocationMaxStaleSeconds: 5,
          revocationFailMode,
          ...CHEAP_HASHES,
        })
        onTestFinished(() => gate.close())
        return gate
      }
      const [closed, still] = [await open('closed'), await open('open')]
      const { accessToken } = await closed.sessions.start(7)
      expect(await codeOf(still.tokens.verify(accessToken))).toBe('no error')
      proxy.cut('reset')
      // What is known a moment ago is known well enough.
      expect(await codeOf(closed.tokens.verify(accessToken))).toBe('no error')
      const refuses = async () => (await codeOf(closed.tokens.verify(accessToken))) === 'ERR_REVOCATIONS_UNAVAILABLE'
      await until('the end of its patience', refuses, 30_000)
      expect(closed.revocations.status().staleSeconds).toBeGreaterThan(5)
      const answer = await call(closed, 'GET /auth/me', { token: accessToken })
      expect([answer.status, answer.json.code, answer.headers.get('retry-after')]).toEqual([
        503,
        'ERR_REVOCATIONS_UNAVAILABLE',
        '1',
      ])
      expect(await codeOf(still.tokens.verify(accessToken))).toBe('no error')
      proxy.mend()
      await until('the next look', async () => !(await refuses()), 30_000)
      expect(closed.revocations.status().staleSeconds).toBeLessThan(5)
    },
  )
})

describe.skipIf(findEngine('postgres') === null)('listening to PostgreSQL', () => {
  test('goes on after the connection was cut, and is heard at once', { timeout: 60_000 }, async () => {
    const on = await openOwnGate(findEngine('postgres')!)
    const listener = await on.another({ revocationPollMilliseconds: 2000 })
    const count = async () => {
      const { rows } = await sql<{ n: number }>`SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'listen %'`.execute(on.direct.kysely)
      return rows[0]!.n
    }
    await until('both to listen', async () => (await count()) === 2)
    await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND query LIKE 'listen %'`.execute(on.direct.kysely)
    await until('both to listen again', async () => (await count()) === 2, 20_000)
    const { sessionId, accessToken } = await on.gate.sessions.start(7)
    await on.gate.sessions.end(sessionId, 'ended-by-admin')
    await until('the news', async () => (await codeOf(listener.tokens.verify(accessToken))) === 'ERR_TOKEN_REVOKED')
  })
})
