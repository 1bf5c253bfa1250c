import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CompiledQuery } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SqliteDriver, type SqliteHandle } from '../../src/store/dialects/sqlite-driver.ts'

const { DatabaseSync } = (process.getBuiltinModule?.('node:sqlite' as never) ??
  createRequire(import.meta.url)('@photostructure/sqlite')) as { DatabaseSync: new (path: string) => SqliteHandle }

let folder: string
let database: SqliteHandle
let log: string[]
let driver: SqliteDriver

/** The real handle, telling what it was asked to do; `before` may throw in its place. */
function recording(before: (sql: string) => void = () => undefined): SqliteHandle {
  return {
    exec(sql) {
      before(sql)
      log.push(sql)
      return database.exec(sql)
    },
    prepare: (sql) => database.prepare(sql),
    close: () => database.close(),
  }
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatebook-driver-'))
  database = new DatabaseSync(join(folder, 'driver.db'))
  database.exec('PRAGMA journal_mode = WAL')
  database.exec('CREATE TABLE fact (name TEXT PRIMARY KEY)')
  log = []
  driver = new SqliteDriver(recording(), null)
})

afterEach(() => {
  database.close()
  rmSync(folder, { recursive: true })
})

async function transact(names: readonly string[], end: 'commit' | 'rollback' = 'commit'): Promise<void> {
  const connection = await driver.acquireConnection()
  await driver.beginTransaction(connection)
  for (const name of names) {
    await connection.executeQuery(CompiledQuery.raw('INSERT INTO fact (name) VALUES (?)', [name]))
  }
  await (end === 'commit' ? driver.commitTransaction(connection) : driver.rollbackTransaction(connection))
}

function facts(): unknown[] {
  return (database.prepare('SELECT name FROM fact ORDER BY name').all() as { name: string }[]).map(({ name }) => name)
}

const commits = (): number => log.filter((sql) => sql === 'commit').length

describe('the SQLite driver', () => {
  it('shares one disk wait among transactions that are ready together', async () => {
    const names = Array.from({ length: 20 }, (_, at) => `fact ${at}`)
    await Promise.all(names.map((name) => transact([name])))
    expect(facts()).toEqual([...names].sort())
    expect(commits()).toBeLessThan(20)
  })

  it('commits a transaction that is alone at once', async () => {
    await transact(['one'])
    expect(log).toEqual(['begin immediate', 'commit'])
  })

  it('rolls one back without the others', async () => {
    await Promise.all([transact(['a']), transact(['b', 'c'], 'rollback'), transact(['d'])])
    expect(facts()).toEqual(['a', 'd'])
  })

  it('rolls the first one of a shared commit back without the others', async () => {
    await Promise.all([transact(['a'], 'rollback'), transact(['b']), transact(['c'])])
    expect(facts()).toEqual(['b', 'c'])
  })

  it('commits what waits when the last one in line rolls back', async () => {
    await Promise.all([transact(['a']), transact(['b'], 'rollback')])
    expect(facts()).toEqual(['a'])
    expect(commits()).toBe(1)
  })

  it('acknowledges nothing before the common COMMIT has returned', async () => {
    const acknowledged: string[] = []
    driver = new SqliteDriver(
      recording((sql) => {
        if (sql === 'commit') expect(acknowledged).toEqual([])
      }),
      null,
    )
    await Promise.all(['a', 'b', 'c'].map((name) => transact([name]).then(() => acknowledged.push(name))))
    expect(acknowledged).toHaveLength(3)
  })

  it('fails every transaction of a COMMIT that fails, keeps nothing of them, and goes on', async () => {
    let full = true
    driver = new SqliteDriver(
      recording((sql) => {
        if (sql === 'commit' && full) throw new Error('database or disk is full')
      }),
      null,
    )
    const results = await Promise.allSettled([transact(['a']), transact(['b']), transact(['c'])])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(facts()).toEqual([])
    full = false
    await transact(['d'])
    expect(facts()).toEqual(['d'])
  })

  it('fails those that wait when the engine rolls everything back in the middle', async () => {
    const first = transact(['a'])
    const second = (async () => {
      const connection = await driver.acquireConnection()
      await driver.beginTransaction(connection)
      // What SQLite does by itself when the disk is full.
      database.exec('rollback')
      await driver.rollbackTransaction(connection)
    })()
    await expect(first).rejects.toThrow()
    await second
    expect(facts()).toEqual([])
    await transact(['b'])
    expect(facts()).toEqual(['b'])
  })

  it('shows a single statement nothing that is not committed', async () => {
    const reader = await driver.acquireConnection()
    const writer = await driver.acquireConnection()
    await driver.beginTransaction(writer)
    await writer.executeQuery(CompiledQuery.raw('INSERT INTO fact (name) VALUES (?)', ['a']))
    const reading = reader.executeQuery<{ name: string }>(CompiledQuery.raw('SELECT name FROM fact'))
    const writing = driver.commitTransaction(writer)
    expect(log).not.toContain('commit')
    expect((await reading).rows).toHaveLength(1)
    await writing
    expect(log.at(-1)).toBe('commit')
  })
})
