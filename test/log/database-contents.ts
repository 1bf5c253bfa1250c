import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { sql } from 'kysely'
import type { OpenDatabase } from '../../src/store/dialect.ts'
import type { EngineName, TestDatabase } from '../support/engine.ts'

/** Tables and their columns, as the engine itself tells them. */
export async function readColumns({ kysely, traits }: OpenDatabase): Promise<Record<string, string[]>> {
  const query = {
    sqlite: sql<{
      t: string
      c: string
    }>`select m.name as t, p.name as c from sqlite_master m join pragma_table_xinfo(m.name) p where m.type = 'table' and m.name like 'gatebook_%'`,
    postgres: sql<{
      t: string
      c: string
    }>`select table_name as t, column_name as c from information_schema.columns where table_schema = current_schema() and table_name like 'gatebook_%'`,
    mysql: sql<{
      t: string
      c: string
    }>`select table_name as t, column_name as c from information_schema.columns where table_schema = database() and table_name like 'gatebook_%'`,
  }[traits.name]
  const { rows } = await query.execute(kysely)
  const columns: Record<string, string[]> = {}
  for (const { t, c } of rows) columns[t] = [...(columns[t] ?? []), c]
  return columns
}

/** Everything that is stored, views too, as one text; bytes in hexadecimal. */
export async function readEverything(database: OpenDatabase): Promise<string> {
  const parts: string[] = []
  for (const table of [...Object.keys(await readColumns(database)), 'user_logs', 'user_log_events']) {
    const { rows } = await sql.raw<Record<string, unknown>>(`select * from ${table}`).execute(database.kysely)
    parts.push(table, ...rows.map((row) => JSON.stringify(row, toText)))
  }
  return parts.join('\n')
}

function toText(this: Record<string, unknown>, key: string, value: unknown): unknown {
  const raw = this[key]
  if (raw instanceof Uint8Array) return Buffer.from(raw).toString('hex')
  return typeof value === 'bigint' ? String(value) : value
}

const PROGRAMS: Readonly<Record<EngineName, readonly string[]>> = {
  sqlite: [],
  postgres: ['pg_dump'],
  mysql: ['mariadb-dump', 'mysqldump'],
}

/** The program of the engine that writes backups, where this machine has it. */
export function findDumpProgram(engine: EngineName): string | null {
  return PROGRAMS[engine].find((name) => spawnSync(name, ['--version']).status === 0) ?? null
}

/** A logical backup, as an operator makes one. */
export function dump(program: string, { url }: TestDatabase): string {
  const { hostname, port, username, password, pathname } = new URL(url)
  const name = pathname.slice(1)
  const args =
    program === 'pg_dump'
      ? ['--inserts', '--dbname', url]
      : [
          ...['--hex-blob', '--skip-lock-tables', '--single-transaction'],
          ...(hostname === '' ? [] : ['--host', hostname]),
          ...(port === '' ? [] : ['--port', port]),
          ...['--user', decodeURIComponent(username) || 'root', name],
        ]
  return execFileSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, MYSQL_PWD: decodeURIComponent(password) },
  })
}

/** The bytes of the files that SQLite keeps. */
export function readFiles({ url }: TestDatabase): Buffer {
  const path = url.slice('sqlite:'.length)
  const files = ['', '-wal', '-journal'].map((end) => path + end).filter(existsSync)
  return Buffer.concat(files.map((file) => readFileSync(file)))
}
