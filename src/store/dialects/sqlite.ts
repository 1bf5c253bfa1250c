import { closeSync, openSync } from 'node:fs'
import { type Driver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import { GatebookError } from '../../errors.ts'
import type { Dialect, DialectTraits } from '../dialect.ts'
import { AdoptedDriver } from '../sql/adopted-driver.ts'
import type { Tables } from '../tables.ts'
import { adoptHandle, isBusy, SqliteDriver, type SqliteHandle } from './sqlite-driver.ts'

export type { SqliteHandle, SqliteStatement } from './sqlite-driver.ts'

/**
 * SQLite over the `node:sqlite` interface: a file path, `:memory:`, or a handle that the application has open already.
 * A path is opened in WAL mode with `synchronous=FULL`, so that a commit that was answered survives a power cut.
 */
export function sqlite(pathOrHandle: string | SqliteHandle): Dialect {
  const owned = typeof pathOrHandle === 'string'
  return {
    name: 'sqlite',
    ephemeral: owned && isPrivate(pathOrHandle),
    location: owned ? `sqlite:${pathOrHandle}` : 'sqlite (handle of the application)',
    async connect() {
      const writer = owned ? await openFile(pathOrHandle, WRITER_BUSY_MILLISECONDS) : pathOrHandle
      const reader = owned && !isPrivate(pathOrHandle) ? await openFile(pathOrHandle, OPENING_BUSY_MILLISECONDS) : null
      // What is removed through this handle is to be gone; no more than that changes for the application.
      if (!owned) writer.exec('PRAGMA secure_delete = ON')
      const driver = new SqliteDriver(writer, reader)
      const kysely = createKysely(driver)
      return {
        kysely,
        // How an application's handle waits for its disk is for the application to say.
        relaxed: owned && isWal(writer) ? createKysely(driver.relaxed()) : kysely,
        traits,
        signals: null,
        scrub: () => driver.scrub(),
        adopt: (connection) => (isHandle(connection) ? createKysely(new AdoptedDriver(adoptHandle(connection))) : null),
        async close() {
          await kysely.destroy()
          reader?.close()
          if (owned) writer.close()
        },
      }
    },
  }
}

function createKysely(driver: Driver): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new TransactionalSqliteAdapter(),
      createDriver: () => driver,
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  })
}

function isHandle(connection: object): connection is SqliteHandle {
  return 'exec' in connection && 'prepare' in connection
}

/** Two processes that open a new file at once wait for each other; so does what the migrator writes outside transactions. */
const OPENING_BUSY_MILLISECONDS = 5000
/** The driver waits for another process's writer by itself, without blocking this process. */
const WRITER_BUSY_MILLISECONDS = 20

/** A file system may not let it; without it, `synchronous=NORMAL` could damage the file in a power cut. */
function isWal(handle: SqliteHandle): boolean {
  const [row] = handle.prepare('PRAGMA journal_mode').all() as { readonly journal_mode: string }[]
  return row?.journal_mode === 'wal'
}

/** A database that only one handle sees. */
function isPrivate(path: string): boolean {
  return path === ':memory:' || path === ''
}

async function openFile(path: string, busyMilliseconds: number): Promise<SqliteHandle> {
  const { DatabaseSync } = await loadSqlite()
  try {
    // A new file is for its owner only; SQLite gives the files beside it the same mode.
    if (!isPrivate(path)) closeSync(openSync(path, 'a', 0o600))
    const handle = new DatabaseSync(path)
    // While two processes open a new file at once, switching to WAL needs the lock.
    handle.exec(`PRAGMA busy_timeout = ${OPENING_BUSY_MILLISECONDS}`)
    handle.exec('PRAGMA journal_mode = WAL')
    handle.exec('PRAGMA synchronous = FULL')
    // A checkpoint holds up the whole process; four times as rare as by default, each 16 MiB of WAL.
    handle.exec('PRAGMA wal_autocheckpoint = 4000')
    handle.exec('PRAGMA secure_delete = ON')
    handle.exec(`PRAGMA busy_timeout = ${busyMilliseconds}`)
    return handle
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    throw new GatebookError('ERR_DATABASE', {
      cause: error,
      detail: `The SQLite file ${path} cannot be opened: ${problem}.`,
    })
  }
}

/** Built in from Node 22.13 on; the package has the same interface for Node 20. */
export async function loadSqlite(): Promise<SqliteModule> {
  const builtIn = process.getBuiltinModule?.('node:sqlite' as never) as SqliteModule | undefined
  return builtIn ?? ((await import('@photostructure/sqlite')) as unknown as SqliteModule)
}

export interface SqliteModule {
  readonly DatabaseSync: new (path: string) => SqliteHandle
}

const traits: DialectTraits = {
  name: 'sqlite',
  rowLocks: false,
  queued: false,
  conflictClause: 'on-conflict',
  insertsInWith: false,
  analyze: null,
  leadingNumber: (text) => `CAST(${text} AS INTEGER)`,
  // The driver has waited for the other writer already.
  isRetryable: () => false,
  isUniqueViolation: (error) => /UNIQUE constraint failed|PRIMARY KEY constraint/i.test(messageOf(error)),
  isConnectionLost: () => false,
  isFull,
  isUnavailable: (error) =>
    isBusy(error) || isFull(error) || /disk I\/O error|unable to open|readonly database/i.test(messageOf(error)),
}

function isFull(error: unknown): boolean {
  return /database or disk is full/i.test(messageOf(error))
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
