import { createRequire } from 'node:module'
import { CamelCasePlugin, type Dialect, Kysely, MysqlDialect, PostgresDialect, SqliteDialect } from 'kysely'
import mysql2 from 'mysql2'
import mysql2Promise from 'mysql2/promise'
import pg from 'pg'
import type { SqliteHandle } from '../../src/store/dialects/sqlite.ts'

/** An open transaction of an application: `end` commits it or rolls it back. */
export interface HostTransaction {
  readonly tx: object
  write(): Promise<unknown>
  end(how: 'commit' | 'rollback'): Promise<unknown>
}

export interface Host {
  readonly name: string
  /** What a transaction is begun on, where that is what is handed over. */
  readonly connection?: object
  begin(): Promise<HostTransaction>
  close(): Promise<unknown>
}

type Open = (url: string) => Promise<Host>

const INSERT = "INSERT INTO app_order (name) VALUES ('book')"

const openPg: Open = async (url) => {
  const pool = new pg.Pool({ connectionString: url })
  return {
    name: 'a pg client',
    async begin() {
      const tx = await pool.connect()
      await tx.query('BEGIN')
      return { tx, write: () => tx.query(INSERT), end: (how) => tx.query(how).finally(() => tx.release()) }
    },
    close: () => pool.end(),
  }
}

const openKysely =
  (dialectFor: (url: string) => Dialect): Open =>
  async (url) => {
    // With a plugin of the application's, which must not touch our statements.
    const db = new Kysely<{ appOrder: { name: string } }>({
      dialect: dialectFor(url),
      plugins: [new CamelCasePlugin()],
    })
    return {
      name: 'a Kysely transaction',
      async begin() {
        const tx = await db.startTransaction().execute()
        return {
          tx,
          write: () => tx.insertInto('appOrder').values({ name: 'book' }).execute(),
          end: (how) => (how === 'commit' ? tx.commit() : tx.rollback()).execute(),
        }
      },
      close: () => db.destroy(),
    }
  }

const openMysqlPromise: Open = async (url) => {
  const pool = mysql2Promise.createPool(url)
  return {
    name: 'a mysql2 promise connection',
    async begin() {
      const tx = await pool.getConnection()
      await tx.beginTransaction()
      return { tx, write: () => tx.query(INSERT), end: (how) => tx[how]().finally(() => tx.release()) }
    },
    close: () => pool.end(),
  }
}

const openMysqlCallback: Open = async (url) => {
  const tx = mysql2.createConnection(url)
  const run = (sql: string) => tx.promise().query(sql)
  return {
    name: 'a mysql2 callback connection',
    connection: tx,
    async begin() {
      await run('BEGIN')
      return { tx, write: () => run(INSERT), end: (how) => run(how) }
    },
    close: async () => tx.destroy(),
  }
}

function openNodeSqlite(url: string): SqliteHandle {
  const { DatabaseSync } = (process.getBuiltinModule('node:sqlite' as never) ??
    createRequire(import.meta.url)('@photostructure/sqlite')) as { DatabaseSync: new (path: string) => SqliteHandle }
  return new DatabaseSync(url.slice('sqlite:'.length))
}

const openHandle =
  (name: string, open: (url: string) => SqliteHandle): Open =>
  async (url) => {
    const tx = open(url)
    tx.exec('PRAGMA busy_timeout = 5000')
    return {
      name,
      connection: tx,
      async begin() {
        tx.exec('BEGIN IMMEDIATE')
        return { tx, write: async () => tx.exec(INSERT), end: async (how) => tx.exec(how) }
      },
      close: async () => tx.close(),
    }
  }

type BetterSqlite3 = new (path: string) => SqliteHandle

/** It compiles for a minute, so it is there only where somebody has run `npm ci` in test/host-drivers. */
export function findBetterSqlite3(): BetterSqlite3 | null {
  try {
    const Database = createRequire(new URL('../host-drivers/package.json', import.meta.url))(
      'better-sqlite3',
    ) as BetterSqlite3
    // The package can be there without what it compiles.
    new Database(':memory:').close()
    return Database
  } catch {
    return null
  }
}

function openBetterSqlite3(url: string): SqliteHandle {
  return new (findBetterSqlite3()!)(url.slice('sqlite:'.length))
}

export const HOSTS: Readonly<Record<string, readonly Open[]>> = {
  postgres: [openPg, openKysely((url) => new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }))],
  mysql: [openMysqlPromise, openMysqlCallback, openKysely((url) => new MysqlDialect({ pool: mysql2.createPool(url) }))],
  sqlite: [
    openHandle('a node:sqlite handle', openNodeSqlite),
    ...(findBetterSqlite3() === null
      ? []
      : [
          openHandle('a better-sqlite3 handle', openBetterSqlite3),
          openKysely((url) => new SqliteDialect({ database: openBetterSqlite3(url) as never })),
        ]),
  ],
}
