import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPool } from 'mysql2'
import { createPool as createPromisePool } from 'mysql2/promise'
import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createGatebook } from '../../src/gatebook.ts'
import type { Dialect } from '../../src/store/dialect.ts'
import { type MysqlPool, mysql } from '../../src/store/dialects/mysql.ts'
import { type PostgresPool, postgres } from '../../src/store/dialects/postgres.ts'
import { type SqliteHandle, sqlite } from '../../src/store/dialects/sqlite.ts'
import { type EngineName, findEngine } from '../support/engines.ts'
import { CHEAP_HASHES, codeOf, ISSUER, SECRET } from '../support/gate.ts'
import { LOG_KEY } from '../support/log-signing.ts'

async function url(name: EngineName): Promise<string> {
  const database = await findEngine(name)!.createDatabase()
  onTestFinished(() => database.drop())
  return database.url
}

/** Registers, logs out and closes; the application's own queries go on before and after. */
async function use(database: Dialect): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'gatebook-pools-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const signing = { logKey: LOG_KEY, logGuard: join(folder, 'guard') }
  const gate = await createGatebook({ issuer: ISSUER, secret: SECRET, database, ...signing, ...CHEAP_HASHES })
  const { accessToken } = await gate.register({ identifier: 'anna', password: 'a long enough pass phrase' })
  await gate.logout({ accessToken })
  expect(await codeOf(gate.tokens.verify(accessToken))).toBe('ERR_TOKEN_REVOKED')
  expect((await gate.log.search({ type: 'session.ended' })).items).toHaveLength(1)
  await gate.close()
  await gate.close()
}

describe('a pool of the application', () => {
  test.skipIf(!findEngine('postgres'))('of pg stays open, and its settings stay as they are', async () => {
    const pool = new pg.Pool({ connectionString: await url('postgres'), max: 3 })
    pool.on('error', () => {})
    onTestFinished(() => pool.end())
    await use(postgres(pool as unknown as PostgresPool))
    expect((await pool.query('SELECT 1::bigint AS one, now() AS now')).rows).toEqual([
      { one: '1', now: expect.any(Date) },
    ])
    expect(pool.totalCount - pool.idleCount).toBe(0)
  })

  test.skipIf(!findEngine('mysql'))('of mysql2 stays open, and its settings stay as they are', async () => {
    const pool = createPool({ uri: await url('mysql'), connectionLimit: 3, rowsAsArray: false })
    onTestFinished(() => new Promise((resolve) => pool.end(() => resolve())))
    await use(mysql(pool as unknown as MysqlPool))
    const [rows] = await pool
      .promise()
      .query("SHOW VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')")
    for (const { Value } of rows as { readonly Value: string }[]) expect(Value).toBe('REPEATABLE-READ')
  })

  test.skipIf(!findEngine('mysql'))('of mysql2/promise stays open, also with options of its own', async () => {
    const pool = createPromisePool({
      uri: await url('mysql'),
      connectionLimit: 3,
      supportBigNumbers: true,
      bigNumberStrings: true,
      dateStrings: true,
      namedPlaceholders: true,
      timezone: '+05:45',
    })
    onTestFinished(() => pool.end())
    await use(mysql(pool as unknown as { pool: MysqlPool }))
    const [rows] = await pool.query('SELECT 1 AS one')
    expect(rows).toEqual([{ one: 1 }])
  })

  test.skipIf(!findEngine('sqlite'))('a handle of SQLite stays open', async () => {
    const { DatabaseSync } = (await import('@photostructure/sqlite')) as unknown as {
      DatabaseSync: new (path: string) => SqliteHandle
    }
    const handle = new DatabaseSync((await url('sqlite')).slice('sqlite:'.length))
    await use(sqlite(handle))
    expect(handle.prepare('SELECT 1 AS one').all()).toEqual([{ one: 1 }])
    handle.close()
    const memory = new DatabaseSync(':memory:')
    await use(sqlite(memory))
    memory.close()
    await use(sqlite(':memory:'))
  })
})
