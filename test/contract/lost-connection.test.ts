import { sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { findEngine } from '../support/engines.ts'
import { codeOf, openOwnGate } from '../support/gate.ts'
import { expectAgreement } from './agreement.ts'
import { openTapped } from './tapped-dialect.ts'

const KILL = {
  postgres: sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()`,
  mysql: null,
} as const

/** Every other connection to this database is cut, as a restart of the server or of a proxy does it. */
async function cut(on: Awaited<ReturnType<typeof openOwnGate>>, engine: 'postgres' | 'mysql'): Promise<void> {
  const { kysely } = on.direct
  if (engine === 'postgres') {
    await KILL.postgres.execute(kysely)
    return
  }
  const { rows } = await sql<{ id: number }>`SELECT id FROM information_schema.processlist
    WHERE db = DATABASE() AND id <> CONNECTION_ID()`.execute(kysely)
  for (const { id } of rows) await sql`KILL ${sql.lit(Number(id))}`.execute(kysely).catch(() => undefined)
}

describe.each(['postgres', 'mysql'] as const)('connections to %s that are cut under load', (name) => {
  const engine = findEngine(name)
  test.skipIf(engine === null)('cost single requests, and neither the process nor an answer', async () => {
    const on = await openOwnGate(engine!)
    const seen: string[] = []
    const failed: string[] = []
    let going = true
    const clients = Array.from({ length: 6 }, async (_, client) => {
      for (let round = 0; going; round++) {
        const userId = client * 1000 + round
        try {
          seen.push((await on.gate.sessions.start(userId)).sessionId)
        } catch (error) {
          failed.push((error as { code?: string }).code ?? String(error))
        }
      }
    })
    for (let times = 0; times < 5; times++) {
      await new Promise((resolve) => setTimeout(resolve, 150))
      await cut(on, name)
    }
    going = false
    await Promise.all(clients)
    expect(new Set(failed)).toEqual(new Set(failed.length === 0 ? [] : ['ERR_UNAVAILABLE']))
    for (const sessionId of seen) expect(await on.gate.sessions.find(sessionId)).not.toBeNull()
    expect(await codeOf(on.gate.sessions.start(7))).toBe('no error')
    await expectAgreement(on)
  })

  test.skipIf(engine === null)('that waited in the pool cost nothing: the next ones are tried', async () => {
    const on = await openOwnGate(engine!)
    // Several that wait at once.
    await Promise.all(Array.from({ length: 6 }, (_, place) => on.gate.sessions.start(place)))
    for (let times = 0; times < 3; times++) {
      await cut(on, name)
      const calls = Array.from({ length: 2 }, (_, place) => codeOf(on.gate.sessions.start(100 + place)))
      expect(await Promise.all(calls)).toEqual(['no error', 'no error'])
    }
    await expectAgreement(on)
  })

  test.skipIf(engine === null)(
    'are not tried again once a commit was sent, since nobody knows what became of it',
    async () => {
      const on = await openOwnGate(engine!)
      const database = await openTapped(on.database.url)
      onTestFinished(() => database.close())
      const gate = await on.another({ database: database.dialect })
      let commits = 0
      const tap = {
        after(sql: string) {
          if (!/^commit/i.test(sql)) return
          commits += 1
          throw Object.assign(new Error('cut off'), { code: 'ECONNRESET' })
        },
      }
      expect(await database.tapped(tap, () => codeOf(gate.sessions.start(7)))).toBe('ERR_UNAVAILABLE')
      expect(commits).toBe(1)
      expect(await on.gate.sessions.list(7)).toHaveLength(1)
      await expectAgreement(on)
    },
  )
})
