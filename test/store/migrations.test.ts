import { CompiledQuery } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createGatebook } from '../../src/gatebook.ts'
import { listPending, migrateOpen, migrationScript, migrationStatements } from '../../src/store/migrations/migrate.ts'
import { availableEngines, type Engine } from '../support/engines.ts'
import {
  CHEAP_HASHES,
  codeOf,
  type DiagnosticsLine,
  dialectOf,
  ISSUER,
  recordDiagnostics,
  SECRET,
} from '../support/gate.ts'
import { signingOf } from '../support/log-signing.ts'

describe.each(availableEngines)('migrations on $name', (engine) => {
  async function fresh(): Promise<string> {
    const database = await engine.createDatabase()
    onTestFinished(() => database.drop())
    return database.url
  }

  async function connect(url: string) {
    const open = await dialectOf(url).connect()
    onTestFinished(() => open.close())
    return open
  }

  async function start(url: string, lines: DiagnosticsLine[] = [], autoMigrate = true) {
    const gate = await createGatebook({
      issuer: ISSUER,
      secret: SECRET,
      ...signingOf(url),
      database: dialectOf(url),
      diagnostics: recordDiagnostics(lines),
      autoMigrate,
      ...CHEAP_HASHES,
    })
    onTestFinished(() => gate.close())
    return gate
  }

  test('run once, and a second time change nothing', async () => {
    const open = await connect(await fresh())
    expect((await listPending(open)).map(({ name }) => name)).toEqual(['0001-initial'])
    expect(await migrateOpen(open)).toEqual(['0001-initial'])
    expect(await migrateOpen(open)).toEqual([])
    expect(await listPending(open)).toEqual([])
  })

  test('of four processes that start on a new database at once are made by one of them', async () => {
    const url = await fresh()
    const lines: DiagnosticsLine[] = []
    const gates = await Promise.all(Array.from({ length: 4 }, () => start(url, lines)))
    expect(lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([])
    expect(lines.filter(({ message }) => message.includes('brought up to date'))).toHaveLength(1)
    const { accessToken } = await gates[0]!.register({ identifier: 'anna', password: 'a long enough pass phrase' })
    // One signing key, and everybody has it.
    for (const gate of gates) expect(await codeOf(gate.tokens.verify(accessToken))).toBe('no error')
    const events = (await gates[1]!.log.search({ type: 'key.*' })).items
    expect(events.map(({ type }) => type)).toEqual(['key.activated', 'key.created'])
  })

  test('are waited for where the process must not make them itself', async () => {
    const url = await fresh()
    expect(await codeOf(start(url, [], false))).toBe('ERR_MIGRATION')
    const open = await connect(url)
    await migrateOpen(open)
    expect(await codeOf(start(url, [], false))).toBe('no error')
  })

  test('can be run by hand, and run again after they stopped half-way', async () => {
    const url = await fresh()
    const open = await connect(url)
    const statements = migrationStatements(engine.name).flatMap((migration) => migration.statements)
    const run = async (from: number, to: number) => {
      for (const statement of statements.slice(from, to)) await open.kysely.executeQuery(CompiledQuery.raw(statement))
    }
    await run(0, 7)
    await run(0, statements.length)
    const gate = await start(url)
    const { accessToken } = await gate.register({ identifier: 'anna', password: 'a long enough pass phrase' })
    expect(await codeOf(gate.tokens.verify(accessToken))).toBe('no error')
  })

  test('are not refused after they were run by hand, where the process must not make them itself', async () => {
    const url = await fresh()
    await runByHand(engine, url)
    expect(await codeOf(start(url, [], false))).toBe('no error')
  })
})

/** What `gatebook migrate --sql` prints, sent by somebody else. */
async function runByHand(engine: Engine, url: string): Promise<void> {
  const open = await dialectOf(url).connect()
  for (const { statements } of migrationScript(migrationStatements(engine.name))) {
    for (const statement of statements) await open.kysely.executeQuery(CompiledQuery.raw(statement))
  }
  await open.close()
}
