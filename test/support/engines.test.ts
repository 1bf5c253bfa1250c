import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { createDatabaseName, isOfRun, isStale } from './database-name.ts'
import { queryMysql, queryPostgres } from './engine.ts'
import { availableEngines, type Engine } from './engines.ts'

const query: Record<Engine['name'], (url: string) => Promise<unknown>> = {
  sqlite: async (url) => expect(existsSync(url.slice('sqlite:'.length, -'/gatebook.db'.length))).toBe(true),
  postgres: (url) => queryPostgres(url, 'CREATE TABLE t (id int)'),
  mysql: (url) => queryMysql(url, 'CREATE TABLE t (id int)'),
}

describe.each(availableEngines)('a test database on $name', (engine) => {
  test('is empty, is one of its own, and is gone when dropped', async () => {
    const databases = await Promise.all([engine.createDatabase(), engine.createDatabase(), engine.createDatabase()])
    expect(new Set(databases.map(({ url }) => url)).size).toBe(3)
    for (const { url } of databases) {
      expect(url).toMatch(new RegExp(`^${engine.name}:`))
      await query[engine.name](url)
    }
    for (const database of databases) {
      await database.drop()
      await database.drop()
      await expect(query[engine.name](database.url)).rejects.toThrow()
    }
  })
})

describe('the name of a test database', () => {
  const GONE = 4_194_305 // above the largest pid that Linux gives
  test('tells a living run from a dead one', () => {
    expect(isStale(createDatabaseName(process.pid))).toBe(false)
    expect(isStale(createDatabaseName(GONE))).toBe(true)
    expect(isOfRun(createDatabaseName(process.pid), process.pid)).toBe(true)
  })
  test('of another machine is stale only after a day', () => {
    const seconds = (ago: number) => Math.floor(Date.now() / 1000 - ago).toString(36)
    expect(isStale(`gatebook_test_${seconds(3600)}_zzzzzz_${GONE}_00000000`)).toBe(false)
    expect(isStale(`gatebook_test_${seconds(3600)}_000000_${GONE}_00000000`)).toBe(false)
    expect(isStale(`gatebook_test_${seconds(90_000)}_000000_${GONE}_00000000`)).toBe(true)
  })
  test('that somebody else chose is never stale', () => {
    for (const name of ['gatebook_test', 'gatebook_test_mine', 'gatebook']) expect(isStale(name)).toBe(false)
  })
})
