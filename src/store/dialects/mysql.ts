import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  MysqlAdapter,
  MysqlIntrospector,
  MysqlQueryCompiler,
  type QueryResult,
  sql,
} from 'kysely'
import { GatebookError } from '../../errors.ts'
import type { Dialect, DialectTraits } from '../dialect.ts'
import { AdoptedDriver } from '../sql/adopted-driver.ts'
import { ANSWER_MILLISECONDS, isDefinition } from '../sql/answer-time.ts'
import { describeUrl } from '../sql/describe-url.ts'
import type { Tables } from '../tables.ts'

/** What is used of a `mysql2` pool; the promise form carries the other one as `pool`. */
export interface MysqlPool {
  getConnection(callback: (error: Error | null, connection: MysqlClient) => void): void
  end(callback: (error: Error | null) => void): void
}

interface MysqlStatement {
  readonly sql: string
  /** How rows come may be set for the whole connection, which can be the application's. */
  readonly rowsAsArray: false
  readonly nestTables: false
  /** Milliseconds. */
  readonly timeout?: number
  readonly values?: readonly unknown[]
}

export interface MysqlClient {
  query(statement: MysqlStatement, callback: (error: Error | null, result: unknown) => void): unknown
  execute(statement: MysqlStatement, callback: (error: Error | null, result: unknown) => void): unknown
  release(): void
  destroy(): void
}

export interface MysqlOptions {
  /** Connections that are opened for a URL; default 10. */
  readonly maxConnections?: number
}

/** MySQL 8 or MariaDB 10.11 and newer: a URL, or the application's own `mysql2` pool, which stays open. */
export function mysql(
  urlOrPool: string | MysqlPool | { readonly pool: MysqlPool },
  options: MysqlOptions = {},
): Dialect {
  const owned = typeof urlOrPool === 'string'
  return {
    name: 'mysql',
    location: owned ? describeUrl(urlOrPool) : 'mysql (pool of the application)',
    async connect() {
      const pool = owned ? await openPool(urlOrPool, options.maxConnections ?? 10) : callbackPool(urlOrPool)
      const kysely = createKysely(new MysqlDriver(pool, owned))
      if (!owned) await requireUtf8(kysely)
      return {
        kysely,
        // InnoDB has the setting for the whole server only.
        relaxed: kysely,
        traits,
        signals: null,
        scrub: null,
        adopt(connection) {
          const client = callbackConnection(connection)
          return client === null ? null : createKysely(new AdoptedDriver(new MysqlConnection(client)))
        },
        async close() {
          await kysely.destroy()
          if (owned)
            await new Promise<void>((resolve, reject) => pool.end((error) => (error ? reject(error) : resolve())))
        },
      }
    },
  }
}

function createKysely(driver: Driver): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new MysqlAdapter(),
      createDriver: () => driver,
      createIntrospector: (db) => new MysqlIntrospector(db),
      createQueryCompiler: () => new MysqlQueryCompiler(),
    },
  })
}

/** With another character set two spellings of a name are one, or one is two. The pool is the application's to set up. */
async function requireUtf8(kysely: Kysely<Tables>): Promise<void> {
  const { rows } = await sql<{ charset: string }>`select @@character_set_client as charset`.execute(kysely)
  const charset = rows[0]?.charset
  if (charset === 'utf8mb4') return
  throw new GatebookError('ERR_DATABASE', {
    detail: `The pool that was handed over speaks ${charset}; create it with charset: 'utf8mb4'.`,
  })
}

/** A `mysql2` connection; the promise form carries the other one as `connection`. A pool is none. */
function callbackConnection(connection: object): MysqlClient | null {
  const inner =
    'connection' in connection && connection.connection instanceof Object ? connection.connection : connection
  return 'execute' in inner && 'beginTransaction' in inner ? (inner as unknown as MysqlClient) : null
}

function callbackPool(pool: MysqlPool | { readonly pool: MysqlPool }): MysqlPool {
  return 'pool' in pool ? pool.pool : pool
}

async function openPool(url: string, connectionLimit: number): Promise<MysqlPool> {
  const { createPool } = await import('mysql2')
  try {
    const uri = url.replace(/^mariadb:/, 'mysql:')
    return createPool({
      uri,
      connectionLimit,
      connectTimeout: 10_000,
      charset: 'utf8mb4',
      enableKeepAlive: true,
      // Of 16,382 that a server keeps for everybody.
      maxPreparedStatements: 200,
    }) as unknown as MysqlPool
  } catch (error) {
    throw new GatebookError('ERR_DATABASE', {
      cause: error,
      detail: `${describeUrl(url)}: ${(error as Error).message}`,
    })
  }
}

const RETRYABLE = new Set([1213, 1020])
/** Lock wait timeout: whoever has waited so long gives his connection back. */
const LOCK_WAIT = 1205
const LOCK_SECONDS = 5
const ACQUIRE_MILLISECONDS = 10_000
const UNAVAILABLE =
  /^(PROTOCOL_CONNECTION_LOST|PROTOCOL_SEQUENCE_TIMEOUT|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ER_SERVER_SHUTDOWN|ER_CON_COUNT_ERROR|ER_CONNECTION_KILLED|ER_QUERY_INTERRUPTED|ER_ACCESS_DENIED_ERROR|ER_DBACCESS_DENIED_ERROR|ER_BAD_DB_ERROR)$/

const LOST = /^(PROTOCOL_CONNECTION_LOST|ECONNRESET|EPIPE|ER_SERVER_SHUTDOWN|ER_CONNECTION_KILLED)$/
/** Disk full, table full (which InnoDB says of its file system), error on a write. */
const FULL = new Set([1021, 1114, 1026, 3])

const traits: DialectTraits = {
  name: 'mysql',
  rowLocks: true,
  queued: true,
  conflictClause: 'on-duplicate-key',
  insertsInWith: false,
  analyze: null,
  leadingNumber: (text) => `CAST(${text} AS UNSIGNED)`,
  isRetryable: (error) => RETRYABLE.has(numberOf(error)),
  isUniqueViolation: (error) => numberOf(error) === 1062,
  isConnectionLost: (error) => LOST.test(codeOf(error)) || isClosed(error),
  isFull: (error) => FULL.has(numberOf(error)),
  isUnavailable: (error) =>
    numberOf(error) === LOCK_WAIT || FULL.has(numberOf(error)) || UNAVAILABLE.test(codeOf(error)) || isClosed(error),
}

function isClosed(error: unknown): boolean {
  return error instanceof Error && /closed state|connection is in closed/i.test(error.message)
}

function codeOf(error: unknown): string {
  return error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : ''
}

function numberOf(error: unknown): number {
  return error !== null && typeof error === 'object' && 'errno' in error ? Number(error.errno) : 0
}

class MysqlDriver implements Driver {
  readonly #pool: MysqlPool
  readonly #owned: boolean
  /** Our own connections that have the isolation level for good; one of the application's is left as it was. */
  readonly #prepared = new WeakSet<MysqlClient>()

  constructor(pool: MysqlPool, owned: boolean) {
    this.#pool = pool
    this.#owned = owned
  }

  async init(): Promise<void> {}

  /** The pool by itself would let everybody wait for ever. */
  acquireConnection(): Promise<MysqlConnection> {
    return new Promise((resolve, reject) => {
      let late = false
      const timer = setTimeout(() => {
        late = true
        reject(Object.assign(new Error('no connection became free'), { code: 'ETIMEDOUT' }))
      }, ACQUIRE_MILLISECONDS)
      this.#pool.getConnection((error, client) => {
        clearTimeout(timer)
        if (error) reject(error)
        else if (late) client.release()
        else resolve(new MysqlConnection(client))
      })
    })
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    ;(connection as MysqlConnection).release()
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    const { client } = connection as MysqlConnection
    if (!this.#prepared.has(client)) {
      // Under REPEATABLE READ a locking read would also lock the gap that other log-ins insert into.
      const scope = this.#owned ? 'session ' : ''
      await connection.executeQuery(CompiledQuery.raw(`set ${scope}transaction isolation level read committed`))
      if (this.#owned) {
        await connection.executeQuery(CompiledQuery.raw(`set session innodb_lock_wait_timeout = ${LOCK_SECONDS}`))
        this.#prepared.add(client)
      }
    }
    await connection.executeQuery(CompiledQuery.raw('begin'))
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'))
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'))
  }

  async destroy(): Promise<void> {}
}

class MysqlConnection implements DatabaseConnection {
  readonly client: MysqlClient
  #broken = false

  constructor(client: MysqlClient) {
    this.client = client
  }

  release(): void {
    if (this.#broken) this.client.destroy()
    else this.client.release()
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const result = await this.#run(query)
    if (Array.isArray(result)) return { rows: result as R[] }
    const { affectedRows, insertId } = result as { affectedRows: number; insertId: number }
    return { rows: [], numAffectedRows: BigInt(affectedRows), insertId: BigInt(insertId) }
  }

  /**
   * Parameters always travel apart from the statement (the binary protocol): what mysql2 would paste into the text is
   * only safe under some SQL modes, and the mode belongs to the server.
   */
  #run(query: CompiledQuery): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const settle = (error: Error | null, result: unknown): void => {
        if (error !== null && traits.isUnavailable(error)) this.#broken = true
        if (error === null) resolve(result)
        else reject(error)
      }
      const statement = {
        sql: query.sql,
        rowsAsArray: false,
        nestTables: false,
        ...(isDefinition(query.sql) ? {} : { timeout: ANSWER_MILLISECONDS }),
      } as const
      if (query.parameters.length === 0) this.client.query(statement, settle)
      else this.client.execute({ ...statement, values: query.parameters.map(toParameter) }, settle)
    })
  }

  // biome-ignore lint/correctness/useYield: Kysely asks for the member; nothing here streams
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('streaming is not used on MySQL')
  }
}

function toParameter(value: unknown): unknown {
  if (value instanceof Uint8Array && !Buffer.isBuffer(value))
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  // As text, because mysql2 would send a number as a double.
  return typeof value === 'number' ? String(value) : value
}
