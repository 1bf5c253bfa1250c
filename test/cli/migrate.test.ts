import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { createConnection } from 'mysql2/promise'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { availableEngines, type EngineName, type TestDatabase } from '../support/engines.ts'
import { run } from './transcript.ts'

// Each command is a process of its own, and the machine may have other things to do.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

/** Runs a script as psql, mysql and sqlite3 do: statement after statement. */
const RUN_SCRIPT: Record<EngineName, (url: string, sql: string) => Promise<void>> = {
  async sqlite(url, sql) {
    const database = new DatabaseSync(url.slice('sqlite:'.length))
    database.exec(sql)
    database.close()
  },
  async postgres(url, sql) {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(sql)
    await client.end()
  },
  async mysql(url, sql) {
    const connection = await createConnection({ uri: url, multipleStatements: true })
    await connection.query(sql)
    await connection.end()
  },
}

describe.each(availableEngines)('migrate on $name', (engine) => {
  let folder: string
  const databases: TestDatabase[] = []
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatebook-migrate-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  afterEach(async () => {
    for (const database of databases.splice(0)) await database.drop()
  })

  async function createDatabase(): Promise<string> {
    const database = await engine.createDatabase()
    databases.push(database)
    return database.url
  }

  async function pending(url: string): Promise<string[]> {
    const { stdout } = await run(['migrate', '--dry-run', '--json', '--database', url], { folder })
    return (JSON.parse(stdout) as { pending: { name: string }[] }).pending.map(({ name }) => name)
  }

  test('--dry-run tells what would be done and does not do it', async () => {
    const url = await createDatabase()
    const { status, stdout } = await run(['migrate', '--dry-run', '--database', url], { folder })
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^0001-initial: \d+ statements\n\n {2}CREATE TABLE/)])
    expect(await pending(url)).toContain('0001-initial')
    if (engine.name === 'sqlite') expect(readdirSync(join(url.slice('sqlite:'.length), '..'))).toEqual([])
  })

  test('applies what is pending, once', async () => {
    const url = await createDatabase()
    const env = { GATEBOOK_DATABASE: url }
    expect(await run(['migrate'], { folder, env })).toMatchObject({ status: 0, stdout: 'applied 0001-initial\n' })
    expect(await run(['migrate'], { folder, env })).toMatchObject({ status: 0, stdout: 'The tables are up to date.\n' })
    expect(await pending(url)).toEqual([])
    expect((await run(['migrate', '--sql'], { folder, env })).stdout).toBe('-- The tables are up to date.\n')
  })

  test('several at once wait for each other', async () => {
    const url = await createDatabase()
    const transcripts = await Promise.all(
      [1, 2, 3].map(() => run(['migrate', '--json', '--database', url], { folder })),
    )
    expect(transcripts.map(({ stderr }) => stderr)).toEqual(['', '', ''])
    const applied = transcripts.flatMap(({ stdout }) => (JSON.parse(stdout) as { applied: string[] }).applied)
    expect(applied).toEqual(['0001-initial'])
  })

  test('--sql is a script after which the program finds its tables', async () => {
    const url = await createDatabase()
    const { stdout } = await run(['migrate', '--sql', '--database', url], { folder })
    await RUN_SCRIPT[engine.name](url, stdout)
    const { status, stderr } = await run(['migrate', '--database', url], { folder })
    expect([status, stderr]).toEqual([0, ''])
    expect(await pending(url)).toEqual([])
  })
})
