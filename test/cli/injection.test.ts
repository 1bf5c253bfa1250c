import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CSV_COLUMNS } from '../../src/cli/event-csv.ts'
import { createGatebook } from '../../src/gatebook.ts'
import { parseDatabaseUrl } from '../../src/server/database-url.ts'
import { initial } from '../../src/store/migrations/0001-initial.ts'
import type { Tables } from '../../src/store/tables.ts'
import { availableEngines, type TestDatabase } from '../support/engines.ts'
import { run } from './transcript.ts'

/**
 * A formula, a line of a log, a cleared screen, a title, a C1 control, a reversed direction. In ASCII for the columns that
 * hold nothing else, and short enough for the shortest.
 */
const ASCII = '=1\n{"a":1}\u001b[2J\r'
const ANY = `${ASCII}; =2|@3\u009b31m\u202e\u2066\u2028`
const EVENT_ID = 'evt_00000000000000000000000001'
const SECRET = 'a secret of this test that is long enough for it'
const PASSWORD = 'correct horse battery staple'

/** Columns that a row is found by, and that programs and not people fill in; what they hold never gets out. */
const KEYS = /^(id|user_id|subject_id|identifier_key|skeleton|secret_digest|ip_key|purpose)$/

/** Fills every text of a table's rows, past the program, as an old version or somebody with the tables could have. */
function payloads(table: keyof Tables): Record<string, string> {
  const statement = initial('mysql').find((sql) => sql.startsWith(`CREATE TABLE IF NOT EXISTS ${table} (`)) ?? ''
  const columns = [...statement.matchAll(/^ {2}(\w+) (?:VARCHAR\(\d+\)|TEXT) CHARACTER SET (\w+)/gm)]
  return Object.fromEntries(
    columns
      .filter(([, column = '']) => !KEYS.test(column))
      .map(([, column = '', charset]) => [column, jsonOf(table, column) ?? (charset === 'ascii' ? ASCII : ANY)]),
  )
}

function jsonOf(table: string, column: string): string | undefined {
  if (column === 'roles') return JSON.stringify([ANY])
  if (table === 'gatebook_session' && column === 'claims') return JSON.stringify({ [ANY]: ANY })
  if (table === 'gatebook_event' && column === 'data') return JSON.stringify({ [ANY]: ANY })
  return undefined
}

/** Commands and what shows that the payload is there. The first of them on every engine, the others on one. */
const OUTPUTS: readonly (readonly [args: string, shown: RegExp])[] = [
  ['log tail', /\\u001b\[2J/],
  ['log tail --json', /\\u001b\[2J/],
  ['log search', /\\u001b\[2J/],
  ['log search --json', /\\u001b\[2J/],
  ['log search --csv', /\\u001b\[2J/],
  [`log show ${EVENT_ID}`, /\\u001b\[2J/],
  [`log show ${EVENT_ID} --json`, /\\u001b\[2J/],
  ['session list USER', /\\u001b\[2J/],
  ['session list USER --json', /\\u001b\[2J/],
  ['session list USER --ended', /\\u001b\[2J/],
  ['session show SESSION', /\\u001b\[2J/],
  ['session show SESSION --json', /\\u001b\[2J/],
  ['user list', /\\u001b\[2J/],
  ['user list --json', /\\u001b\[2J/],
  ['user show USER', /\\u001b\[2J/],
  ['user show USER --json', /\\u001b\[2J/],
  ['invitation list', /\\u001b\[2J/],
  ['invitation list --json', /\\u001b\[2J/],
  ['doctor', /gatebook|Database|database/],
  ['doctor --json', /\{/],
]

describe.each(availableEngines)('what somebody has written into every text, on $name', (engine) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatebook-injection-'))
  let database: TestDatabase
  let userId: string
  let endedId: string

  beforeAll(async () => {
    database = await engine.createDatabase()
    const dialect = parseDatabaseUrl(database.url)
    const gate = await createGatebook({
      issuer: 'http://localhost',
      database: dialect,
      secret: SECRET,
      logSigning: 'off',
    })
    const { userId: id } = await gate.register({ identifier: 'anna@app.example', password: PASSWORD })
    await gate.invitations.create({ identifier: 'ben@app.example', roles: ['reader'] })
    endedId = (await gate.login({ identifier: 'anna@app.example', password: PASSWORD })).sessionId
    await gate.sessions.end(endedId, 'logout')
    await gate.close()
    userId = id
    const { kysely, close } = await dialect.connect()
    const one = await kysely.selectFrom('gatebook_event').select('number').limit(1).executeTakeFirstOrThrow()
    for (const table of ['gatebook_event', 'gatebook_session', 'gatebook_user', 'gatebook_one_time_token'] as const) {
      await kysely.updateTable(table).set(payloads(table)).execute()
    }
    await kysely.updateTable('gatebook_role').set({ role: ASCII }).execute()
    await kysely.insertInto('gatebook_role').values({ subject_id: id, role: ASCII, granted_at: 1 }).execute()
    await kysely.updateTable('gatebook_event').set({ id: EVENT_ID }).where('number', '=', one.number).execute()
    await close()
  })

  afterAll(async () => {
    await database.drop()
    rmSync(folder, { recursive: true })
  })

  const gatebook = (args: string) =>
    run(args.replace('USER', userId).replace('SESSION', endedId).split(' '), {
      folder,
      env: { GATEBOOK_DATABASE: database.url, GATEBOOK_SECRET: SECRET },
    })

  test('reaches the tables of this test', () => {
    expect(Object.keys(payloads('gatebook_event'))).toHaveLength(18)
    expect(Object.keys(payloads('gatebook_session'))).toHaveLength(10)
  })

  test.each(engine.name === 'sqlite' ? OUTPUTS : OUTPUTS.slice(0, 3))(
    'is shown by "%s" and not obeyed',
    async (args, shown) => {
      const { stdout, stderr } = await gatebook(args)
      expect(stdout).toMatch(shown)
      const ends = args.endsWith('--csv') ? stdout.replaceAll('\r\n', '\n') : stdout
      // biome-ignore lint/suspicious/noControlCharactersInRegex: none of these may be there
      expect(ends + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/)
      for (const line of stdout.split('\n')) expect(line).not.toMatch(/^\{"a":1\}/)
      if (args.endsWith('--json') && !args.startsWith('doctor')) {
        for (const line of stdout.trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('id')
      }
    },
  )

  test('is no formula in CSV, in any column', async () => {
    const { stdout } = await gatebook('log search --csv')
    const [titles, ...rows] = parse(stdout, { record_delimiter: '\r\n' }) as string[][]
    expect(titles).toEqual(CSV_COLUMNS)
    expect(rows.length).toBeGreaterThan(2)
    for (const row of rows) {
      expect(row).toHaveLength(CSV_COLUMNS.length)
      for (const cell of row) expect(cell).not.toMatch(/(?:^|[;|\t])["\s]*[=+\-@]/)
    }
    expect(rows.flat().filter((cell) => cell.startsWith("'=1\\u000a"))).not.toHaveLength(0)
  })
})
