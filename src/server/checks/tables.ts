import { sql } from 'kysely'
import type { DialectName, OpenDatabase } from '../../store/dialect.ts'
import { listPending, migrationStatements } from '../../store/migrations/migrate.ts'
import type { Check } from '../check.ts'
import type { Finding } from '../findings.ts'

export async function hasTables({ kysely }: OpenDatabase): Promise<boolean> {
  return (await kysely.introspection.getTables()).some(({ name }) => name === 'gatebook_meta')
}

/** Migrations that are missing or unknown; tables, columns and indexes against the statements that make them. */
export const tables: Check = {
  name: 'tables',
  needsDatabase: true,
  async run({ database }) {
    const open = database!
    if (!(await hasTables(open))) return [{ code: 'tables-none' }]
    const findings: Finding[] = []
    const unknown = await countUnknown(open)
    const pending = await listPending(open)
    if (unknown > 0) findings.push({ code: 'migrations-newer', figures: { migrations: unknown } })
    else if (pending.length > 0) findings.push({ code: 'migrations-pending', figures: { migrations: pending.length } })
    else findings.push(...(await compare(open)))
    return findings.length > 0 ? findings : [{ code: 'tables-ok' }]
  },
}

async function countUnknown({ kysely, traits }: OpenDatabase): Promise<number> {
  const known = new Set(migrationStatements(traits.name).map(({ name }) => name))
  const { rows } = await sql<{ name: string }>`SELECT name FROM gatebook_migration`.execute(kysely)
  return rows.filter(({ name }) => !known.has(name)).length
}

async function compare({ kysely, traits }: OpenDatabase): Promise<readonly Finding[]> {
  const wanted = readStatements(traits.name)
  const { rows: present } = await COLUMNS[traits.name].execute(kysely)
  const there = new Set(present.map((row) => `${row.table}.${row.column}`))
  const columns = wanted.columns.filter((name) => !there.has(name))
  const { rows } = await INDEXES[traits.name].execute(kysely)
  const found = new Set(rows.map(({ name }) => name))
  const indexes = wanted.indexes.filter((name) => !found.has(name))
  return [
    ...(columns.length > 0 ? [{ code: 'columns-missing', figures: { columns: columns.join(' ') } } as const] : []),
    ...(indexes.length > 0 ? [{ code: 'indexes-missing', figures: { indexes: indexes.join(' ') } } as const] : []),
  ]
}

/** What the migrations make, read off the statements themselves, so that the two cannot drift apart. */
function readStatements(engine: DialectName): { columns: string[]; indexes: string[] } {
  const columns: string[] = []
  const indexes: string[] = []
  for (const statement of migrationStatements(engine).flatMap(({ statements }) => statements)) {
    const table = /^CREATE TABLE IF NOT EXISTS (\w+) \(/.exec(statement)?.[1]
    const index = /^CREATE INDEX IF NOT EXISTS (\w+)/.exec(statement)?.[1]
    if (index !== undefined) indexes.push(index)
    for (const [, first, second] of table === undefined ? [] : statement.matchAll(/^ {2}(\w+) (\w+)/gm)) {
      if (first === 'KEY') indexes.push(second!)
      else if (first !== 'PRIMARY') columns.push(`${table}.${first}`)
    }
  }
  return { columns, indexes }
}

type ColumnName = { table: string; column: string }

/** Generated ones too, which not every list of columns has. */
const COLUMNS = {
  sqlite: sql<ColumnName>`SELECT m.name AS "table", c.name AS "column" FROM sqlite_master m, pragma_table_xinfo(m.name) c
    WHERE m.type = 'table' AND m.name LIKE 'gatebook%'`,
  postgres: sql<ColumnName>`SELECT table_name AS "table", column_name AS "column" FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name LIKE 'gatebook%'`,
  mysql: sql<ColumnName>`SELECT table_name AS \`table\`, column_name AS \`column\` FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name LIKE 'gatebook%'`,
} as const

const INDEXES = {
  sqlite: sql<{ name: string }>`SELECT name FROM sqlite_master WHERE type = 'index'`,
  postgres: sql<{ name: string }>`SELECT indexname AS name FROM pg_indexes WHERE tablename LIKE 'gatebook%'`,
  mysql: sql<{
    name: string
  }>`SELECT DISTINCT index_name AS name FROM information_schema.statistics WHERE table_schema = DATABASE()`,
} as const
