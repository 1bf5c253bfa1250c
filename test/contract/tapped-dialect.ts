import { AsyncLocalStorage } from 'node:async_hooks'
import { createPool } from 'mysql2'
import pg from 'pg'
import type { Dialect } from '../../src/store/dialect.ts'
import { type MysqlClient, type MysqlPool, mysql } from '../../src/store/dialects/mysql.ts'
import { type PostgresClient, type PostgresPool, postgres } from '../../src/store/dialects/postgres.ts'
import { type SqliteHandle, type SqliteStatement, sqlite } from '../../src/store/dialects/sqlite.ts'

/** Sees every statement, `begin` and `commit` among them, and may throw instead of sending it or instead of its answer. */
export interface Tap {
  before?(sql: string): void
  after?(sql: string): void
}

export interface TappedDialect {
  readonly dialect: Dialect
  /** Runs a call under a tap. What the gate does by itself meanwhile is not seen. */
  tapped<T>(tap: Tap, call: () => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** The real dialect over the real driver, with a tap between the two. */
export async function openTapped(url: string): Promise<TappedDialect> {
  const taps = new AsyncLocalStorage<Tap>()
  const opened = url.startsWith('sqlite:')
    ? await tapSqlite(url.slice('sqlite:'.length), taps)
    : url.startsWith('postgres')
      ? tapPostgres(url, taps)
      : tapMysql(url, taps)
  return { ...opened, tapped: (tap, call) => taps.run(tap, call) }
}

type Opened = Omit<TappedDialect, 'tapped'>
type Taps = AsyncLocalStorage<Tap>

async function tapSqlite(path: string, taps: Taps): Promise<Opened> {
  const builtIn = process.getBuiltinModule?.('node:sqlite' as never) as SqliteModule | undefined
  const { DatabaseSync } = builtIn ?? ((await import('@photostructure/sqlite')) as unknown as SqliteModule)
  const handle = new DatabaseSync(path)
  const run = <T>(sql: string, work: () => T): T => {
    const tap = taps.getStore()
    tap?.before?.(sql)
    const result = work()
    tap?.after?.(sql)
    return result
  }
  const tapped: SqliteHandle = {
    exec: (sql) => run(sql, () => handle.exec(sql)),
    prepare(sql) {
      const statement: SqliteStatement = handle.prepare(sql)
      return {
        all: (...parameters) => run(sql, () => statement.all(...parameters)),
        run: (...parameters) => run(sql, () => statement.run(...parameters)),
        columns: () => statement.columns!(),
      }
    },
    close: () => handle.close(),
  }
  return { dialect: sqlite(tapped), close: async () => void handle.close() }
}

interface SqliteModule {
  readonly DatabaseSync: new (path: string) => SqliteHandle
}

const listened = new WeakSet<PostgresClient>()

function tapPostgres(url: string, taps: Taps): Opened {
  const pool = new pg.Pool({ connectionString: url, max: 10 })
  pool.on('error', () => {})
  const tapped: PostgresPool = {
    async connect() {
      const client = (await pool.connect()) as unknown as PostgresClient
      return {
        async query(query) {
          const tap = taps.getStore()
          tap?.before?.(query.text)
          const result = await client.query(query)
          tap?.after?.(query.text)
          return result
        },
        release: (destroy) => client.release(destroy),
        // One listener is enough for a client that is wrapped anew each time.
        on: (event, listener) => (listened.has(client) ? client : listened.add(client) && client.on(event, listener)),
      }
    },
    end: () => pool.end(),
    on: (event: string, listener: (subject: never) => void) => pool.on(event as 'error', listener as () => void),
    off: (event, listener) => pool.off(event, listener as never),
  }
  return { dialect: postgres(tapped), close: () => pool.end() }
}

function tapMysql(url: string, taps: Taps): Opened {
  const pool = createPool({ uri: url, connectionLimit: 10, charset: 'utf8mb4' }) as unknown as MysqlPool
  type Callback = (error: Error | null, result: unknown) => void
  const around = (sql: string, callback: Callback, send: (callback: Callback) => unknown): void => {
    const tap = taps.getStore()
    try {
      tap?.before?.(sql)
    } catch (error) {
      callback(error as Error, undefined)
      return
    }
    send((error, result) => {
      try {
        if (error === null) tap?.after?.(sql)
        callback(error, result)
      } catch (thrown) {
        callback(thrown as Error, undefined)
      }
    })
  }
  const tapped: MysqlPool = {
    getConnection: (callback) =>
      pool.getConnection((error, client: MysqlClient) => {
        if (error !== null) return callback(error, client)
        callback(null, {
          query: (statement, done) => around(statement.sql, done, (next) => client.query(statement, next)),
          execute: (statement, done) => around(statement.sql, done, (next) => client.execute(statement, next)),
          release: () => client.release(),
          destroy: () => client.destroy(),
        })
      }),
    end: (callback) => pool.end(callback),
  }
  return {
    dialect: mysql(tapped),
    close: () => new Promise((resolve) => pool.end(() => resolve())),
  }
}
