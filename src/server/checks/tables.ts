import { sql } from 'kysely'
import type { DialectName, OpenDatabase } from '../../store/dialect.ts'
import { listPending, migrationStatements } from '../../store/migrations/migrate.ts'
import type { Check } from '../check.ts'
import type { Finding } from '../findings.ts'
import { COLUMNS, type ColumnName, INDEXES, UNIQUES, WRONG_STORAGE } from '../present-schema.ts'

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
  const missing = (names: readonly string[], present: readonly string[]) =>
    names.filter((name) => !present.includes(name)).join(' ')
  const { rows: columnRows } = await COLUMNS[traits.name].execute(kysely)
  const columns = missing(wanted.columns, columnRows.map(nameColumn))
  const { rows: indexRows } = await INDEXES[traits.name].execute(kysely)
  const indexes = missing(
    wanted.indexes,
    indexRows.map(({ name }) => name),
  )
  const { rows: uniqueRows } = await UNIQUES[traits.name].execute(kysely)
  const uniques = missing(
    wanted.uniques,
    uniqueRows.map(({ table, columns }) => `${table}(${columns})`),
  )
  const { rows: wrong } = traits.name === 'mysql' ? await WRONG_STORAGE.execute(kysely) : { rows: [] }
  const own = new Set(wanted.columns.flatMap((column) => [column, column.split('.', 1)[0]]))
  const storage = wrong.flatMap(({ what }) => (own.has(what) ? [what] : [])).join(' ')
  return [
    ...(columns !== '' ? [{ code: 'columns-missing', figures: { columns } } as const] : []),
    ...(uniques !== '' ? [{ code: 'uniques-missing', figures: { keys: uniques } } as const] : []),
    ...(storage !== '' ? [{ code: 'storage-wrong', figures: { where: storage } } as const] : []),
    ...(indexes !== '' ? [{ code: 'indexes-missing', figures: { indexes } } as const] : []),
  ]
}

/** What the migrations make, read off the statements themselves, so that the two cannot drift apart. */
function readStatements(engine: DialectName): { columns: string[]; indexes: string[]; uniques: string[] } {
  const columns: string[] = []
  const uniques: string[] = []
  const indexes: string[] = []
  for (const statement of migrationStatements(engine).flatMap(({ statements }) => statements)) {
    const table = /^CREATE TABLE IF NOT EXISTS (\w+) \(/.exec(statement)?.[1]
    const index = /^CREATE INDEX IF NOT EXISTS (\w+)/.exec(statement)?.[1]
    if (index !== undefined) indexes.push(index)
    if (table === undefined) continue
    for (const [, first, second, rest = ''] of statement.matchAll(/^ {2}(\w+) (\w+)(.*)$/gm)) {
      if (first === 'KEY') indexes.push(second!)
      else if (first === 'PRIMARY') uniques.push(`${table}${/\(.*\)/.exec(rest)![0].replaceAll(' ', '')}`)
      else {
        columns.push(`${table}.${first}`)
        if (/ (?:UNIQUE|PRIMARY KEY),?$/.test(rest)) uniques.push(`${table}(${first})`)
      }
    }
  }
  return { columns, indexes, uniques }
}

function nameColumn({ table, column }: ColumnName): string {
  return `${table}.${column}`
}
