import { closeSync, openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import { GatebookError } from '../../errors.ts'
import type { Dialect, DialectTraits } from '../dialect.ts'
import type { Tables } from '../tables.ts'

/** What is used of `node:sqlite`'s and of better-sqlite3's database handles. */
export interface SqliteHandle {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
  close(): unknown
}

export interface SqliteStatement {
  all(...parameters: never[]): unknown[]
  run(...parameters: never[]): { changes: number | bigint }
  /** `node:sqlite`: the result columns; none for a statement that returns no rows. */
  columns?(): readonly unknown[]
  /** better-sqlite3. */
  readonly reader?: boolean
}

const STATEMENTS_KEPT = 500
/** How long a writer waits for the writer of another process. */
const BUSY_MILLISECONDS = 10_000

/**
 * SQLite over the `node:sqlite` interface: a file path, `:memory:`, or a handle that the application has open already.
 * A path is opened in WAL mode with `synchronous=FULL`, so that a commit that was answered survives a power cut.
 */
export function sqlite(pathOrHandle: string | SqliteHandle): Dialect {
  const owned = typeof pathOrHandle === 'string'
  return {
    name: 'sqlite',
    location: owned ? `sqlite:${pathOrHandle}` : 'sqlite:(handle of the application)',
    async connect() {
      const handle = owned ? await openFile(pathOrHandle) : pathOrHandle
      const kysely = new Kysely<Tables>({
        dialect: {
          createAdapter: () => new TransactionalSqliteAdapter(),
          createDriver: () => new SqliteDriver(handle),
          createIntrospector: (db) => new SqliteIntrospector(db),
          createQueryCompiler: () => new SqliteQueryCompiler(),
        },
      })
      return {
        kysely,
        traits,
        async close() {
          await kysely.destroy()
          if (owned) handle.close()
        },
      }
    },
  }
}

async function openFile(path: string): Promise<SqliteHandle> {
  // Built in from Node 22.13 on; the package has the same interface for Node 20.
  const builtIn = process.getBuiltinModule?.('node:sqlite' as never) as
    | { DatabaseSync: new (path: string) => SqliteHandle }
    | undefined
  const { DatabaseSync } =
    builtIn ?? ((await import('@photostructure/sqlite')) as unknown as NonNullable<typeof builtIn>)
  try {
    createForOwnerOnly(path)
    const handle = new DatabaseSync(path)
    // While two processes open a new file at once, switching to WAL needs the lock.
    handle.exec('PRAGMA busy_timeout = 5000')
    handle.exec('PRAGMA journal_mode = WAL')
    handle.exec('PRAGMA synchronous = FULL')
    handle.exec('PRAGMA foreign_keys = ON')
    handle.exec('PRAGMA secure_delete = ON')
    // From here on a busy writer is waited for without blocking the process: see beginTransaction.
    handle.exec('PRAGMA busy_timeout = 20')
    return handle
  } catch (error) {
    throw new GatebookError('ERR_DATABASE', {
      cause: error,
      detail: `The SQLite file ${path} cannot be opened: ${(error as Error).message}.`,
    })
  }
}

/** A new file is for its owner only; SQLite gives the files beside it the same mode. */
function createForOwnerOnly(path: string): void {
  if (path !== ':memory:' && path !== '') closeSync(openSync(path, 'a', 0o600))
}

const traits: DialectTraits = {
  name: 'sqlite',
  rowLocks: false,
  queued: false,
  conflictClause: 'on-conflict',
  isRetryable: isBusy,
  isUniqueViolation: (error) => /UNIQUE constraint failed|PRIMARY KEY constraint/i.test(messageOf(error)),
  isUnavailable: (error) =>
    /disk I\/O error|database or disk is full|unable to open|readonly database|database is locked/i.test(
      messageOf(error),
    ),
}

function isBusy(error: unknown): boolean {
  return /database is locked|SQLITE_BUSY/i.test(messageOf(error))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : ''
}

/** Migrations run in one transaction here too: it takes the write lock, which is the lock between processes. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

/** One connection: a transaction has it to itself, and everybody else waits for it in line. */
class SqliteDriver implements Driver {
  readonly #connection: SqliteConnection
  #tail: Promise<void> = Promise.resolve()
  readonly #releases = new WeakMap<DatabaseConnection, () => void>()

  constructor(handle: SqliteHandle) {
    this.#connection = new SqliteConnection(handle)
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    const before = this.#tail
    let release!: () => void
    this.#tail = new Promise((resolve) => {
      release = resolve
    })
    await before
    this.#releases.set(this.#connection, release)
    return this.#connection
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    this.#releases.get(connection)?.()
  }

  async beginTransaction(): Promise<void> {
    // IMMEDIATE: a transaction that began by reading could not become a writer once another process has written.
    const giveUpAt = Date.now() + BUSY_MILLISECONDS
    for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
      try {
        this.#connection.exec('begin immediate')
        return
      } catch (error) {
        if (!isBusy(error) || Date.now() >= giveUpAt) throw error
        await sleep(wait * (0.5 + Math.random()))
      }
    }
  }

  async commitTransaction(): Promise<void> {
    this.#connection.exec('commit')
  }

  async rollbackTransaction(): Promise<void> {
    this.#connection.exec('rollback')
  }

  async destroy(): Promise<void> {
    await this.#tail
    this.#connection.forget()
  }
}

class SqliteConnection implements DatabaseConnection {
  readonly #handle: SqliteHandle
  readonly #statements = new Map<string, { statement: SqliteStatement; reads: boolean }>()

  constructor(handle: SqliteHandle) {
    this.#handle = handle
  }

  exec(sql: string): void {
    this.#handle.exec(sql)
  }

  forget(): void {
    this.#statements.clear()
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { statement, reads } = this.#prepare(query.sql)
    const parameters = query.parameters as never[]
    if (reads) return { rows: statement.all(...parameters) as R[] }
    return { rows: [], numAffectedRows: BigInt(statement.run(...parameters).changes) }
  }

  // biome-ignore lint/correctness/useYield: Kysely asks for the member; nothing here streams
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('streaming is not used on SQLite')
  }

  /** Preparing costs several times what running does, so statements are kept. */
  #prepare(sql: string): { statement: SqliteStatement; reads: boolean } {
    const kept = this.#statements.get(sql)
    if (kept !== undefined) return kept
    const statement = this.#handle.prepare(sql)
    const prepared = { statement, reads: statement.reader ?? (statement.columns?.().length ?? 0) > 0 }
    if (this.#statements.size >= STATEMENTS_KEPT) this.#statements.clear()
    this.#statements.set(sql, prepared)
    return prepared
  }
}
