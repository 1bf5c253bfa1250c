import { AsyncLocalStorage } from 'node:async_hooks'
import { parseDatabaseAddress, parseDatabaseUrl } from '../src/server/database-url.ts'
import type { Dialect } from '../src/store/dialect.ts'
import { sqlite } from '../src/store/dialects/sqlite.ts'
import type { SqliteHandle } from '../src/store/dialects/sqlite-driver.ts'

/** Counts the statements that one request sends to its database: at the driver, so that `begin` and `commit` count too. */
export interface StatementCounter {
  readonly database: Dialect
  /** Runs `work`; every statement that follows from it gets into the list. */
  run(work: () => void): readonly string[]
}

type Note = (text: string) => void
type Method = (this: unknown, ...args: unknown[]) => unknown

export async function countStatements(url: string): Promise<StatementCounter> {
  const current = new AsyncLocalStorage<string[]>()
  const note: Note = (text) => void current.getStore()?.push(text.replaceAll(/\s+/g, ' '))
  const { engine, target } = parseDatabaseAddress(url)
  if (engine === 'postgres') await watchPostgres(note)
  if (engine === 'mysql') await watchMysql(note)
  return {
    database: engine === 'sqlite' ? sqlite(watchHandle(await openHandle(target), note)) : parseDatabaseUrl(url),
    run(work) {
      const list: string[] = []
      current.run(list, work)
      return list
    },
  }
}

async function watchPostgres(note: Note): Promise<void> {
  const { default: pg } = await import('pg')
  watch(pg.Client.prototype, 'query', note)
}

async function watchMysql(note: Note): Promise<void> {
  const mysql = (await import('mysql2')) as unknown as { readonly PoolConnection: { readonly prototype: object } }
  let prototype = mysql.PoolConnection.prototype
  while (!Object.hasOwn(prototype, 'execute')) prototype = Object.getPrototypeOf(prototype) as object
  for (const name of ['query', 'execute']) watch(prototype, name, note)
}

function watch(prototype: object, name: string, note: Note): void {
  const original = Reflect.get(prototype, name) as Method
  Reflect.set(prototype, name, function (this: object, ...args: unknown[]) {
    note(textOf(args[0]))
    return original.apply(this, args)
  })
}

function textOf(query: unknown): string {
  return typeof query === 'string' ? query : ((query as { readonly text?: string }).text ?? '?')
}

interface SqliteModule {
  readonly DatabaseSync: new (path: string) => SqliteHandle
}

async function openHandle(path: string): Promise<SqliteHandle> {
  const builtIn = process.getBuiltinModule?.('node:sqlite' as never) as SqliteModule | undefined
  const { DatabaseSync } = builtIn ?? ((await import('@photostructure/sqlite')) as unknown as SqliteModule)
  return new DatabaseSync(path)
}

function watchHandle(handle: SqliteHandle, note: Note): SqliteHandle {
  return {
    exec(sql) {
      note(sql)
      return handle.exec(sql)
    },
    prepare(sql) {
      const statement = handle.prepare(sql)
      return {
        all(...parameters) {
          note(sql)
          return statement.all(...parameters)
        },
        run(...parameters) {
          note(sql)
          return statement.run(...parameters)
        },
        columns: () => statement.columns?.() ?? [],
      }
    },
    close: () => handle.close(),
  }
}
