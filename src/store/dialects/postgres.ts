import { createHash } from 'node:crypto'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely'
import { GatebookError } from '../../errors.ts'
import type { Dialect, DialectTraits } from '../dialect.ts'
import { AdoptedDriver } from '../sql/adopted-driver.ts'
import { ANSWER_MILLISECONDS, isDefinition } from '../sql/answer-time.ts'
import { describeUrl } from '../sql/describe-url.ts'
import type { Tables } from '../tables.ts'
import { postgresSignals } from './postgres-signals.ts'

/** What is used of `pg.Pool`. */
export interface PostgresPool {
  connect(): Promise<PostgresClient>
  end(): Promise<void>
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'connect', listener: (client: PostgresClient) => void): unknown
  off(event: 'connect', listener: (client: PostgresClient) => void): unknown
}

export interface PostgresClient {
  query(query: {
    text: string
    values: readonly unknown[]
    name?: string
    types: typeof types
    query_timeout: number | undefined
  }): Promise<{
    command: string
    rowCount: number | null
    rows: unknown[]
  }>
  release(destroy?: boolean): void
  on(event: 'error', listener: (error: Error) => void): unknown
}

export interface PostgresOptions {
  /** Connections that are opened for a URL; default 10. */
  readonly maxConnections?: number
  /** Switch off for a connection pooler that does not keep prepared statements apart by session. Default true. */
  readonly preparedStatements?: boolean
}

/** PostgreSQL 15 or newer: a URL, or the application's own `pg.Pool`, which stays open when Gatebook closes. */
export function postgres(urlOrPool: string | PostgresPool, options: PostgresOptions = {}): Dialect {
  const owned = typeof urlOrPool === 'string'
  return {
    name: 'postgres',
    location: owned ? describeUrl(urlOrPool) : 'postgres (pool of the application)',
    async connect() {
      const pool = owned ? await openPool(urlOrPool, options.maxConnections ?? 10) : urlOrPool
      const prepared = options.preparedStatements ?? true
      // A server that goes down can greet and take leave in one packet, before anybody has been given the client.
      pool.on('connect', listenToErrors)
      const kysely = createKysely(new PostgresDriver(pool, prepared, BEGIN))
      const relaxed = createKysely(new PostgresDriver(pool, prepared, BEGIN_RELAXED))
      return {
        kysely,
        relaxed,
        traits,
        signals: postgresSignals(pool, owned ? urlOrPool : null, types),
        scrub: null,
        adopt: (connection) =>
          isClient(connection) ? createKysely(new AdoptedDriver(new PostgresConnection(connection, prepared))) : null,
        async close() {
          await kysely.destroy()
          await relaxed.destroy()
          pool.off('connect', listenToErrors)
          if (owned) await pool.end()
        },
      }
    },
  }
}

function createKysely(driver: Driver): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => driver,
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  })
}

/** A `pg` client, whether of a pool or not; a pool is none, because each of its queries may go to another connection. */
function isClient(connection: object): connection is PostgresClient {
  return 'query' in connection && 'getTypeParser' in connection
}

async function openPool(url: string, max: number): Promise<PostgresPool> {
  const { default: pg } = await import('pg')
  try {
    const pool = new pg.Pool({ connectionString: url, max, connectionTimeoutMillis: 10_000, keepAlive: true })
    // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
    pool.on('error', () => {})
    return pool as unknown as PostgresPool
  } catch (error) {
    throw new GatebookError('ERR_DATABASE', {
      cause: error,
      detail: `${describeUrl(url)}: ${(error as Error).message}`,
    })
  }
}

const NUMBERS = new Set([20, 21, 23])
const BYTEA = 17
/** Numbers of 64 bits come as numbers: every one that is stored here is a safe integer. Set per query, never globally. */
const types = {
  getTypeParser(oid: number, _format?: string): (text: string) => unknown {
    if (NUMBERS.has(oid)) return Number
    return oid === BYTEA ? parseBytea : (text) => text
  },
}

/** Both forms that a server may be set to (`bytea_output`). */
function parseBytea(text: string): Buffer {
  if (text.startsWith('\\x')) return Buffer.from(text.slice(2), 'hex')
  const raw = text.replace(/\\([0-7]{3}|\\)/g, (_, code: string) =>
    code === '\\' ? '\\' : String.fromCharCode(Number.parseInt(code, 8)),
  )
  return Buffer.from(raw, 'latin1')
}

/**
 * Connection (08), no way in (28, 3D), read-only (25006), out of resources (53), waited too long for a lock (55P03),
 * shutdown (57P0), system (58).
 */
const UNAVAILABLE = /^(08|28|3D|25006|53|55P03|57P0|58)/
/** An administrator or a crash ended the connection; 57P03 is a server that is starting. */
const LOST = /^(08003|08006|57P01|57P02|ECONNRESET|EPIPE)$/
const DISK_FULL = '53100'
const UNAVAILABLE_NODE = /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/

const traits: DialectTraits = {
  name: 'postgres',
  rowLocks: true,
  queued: true,
  conflictClause: 'on-conflict',
  insertsInWith: true,
  analyze: (tables) => `analyze ${tables.join(', ')}`,
  leadingNumber: (text) => `substring(${text} from '^[0-9]+')::bigint`,
  isRetryable: (error) => ['40001', '40P01'].includes(codeOf(error)),
  isUniqueViolation: (error) => codeOf(error) === '23505',
  isConnectionLost: (error) =>
    LOST.test(codeOf(error)) ||
    /Connection terminated unexpectedly|Client has encountered a connection error/.test(messageOf(error)),
  isFull: (error) => codeOf(error) === DISK_FULL,
  isUnavailable: (error) =>
    UNAVAILABLE.test(codeOf(error)) ||
    UNAVAILABLE_NODE.test(codeOf(error)) ||
    /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Query read timeout/.test(
      messageOf(error),
    ),
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : ''
}

function codeOf(error: unknown): string {
  return error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : ''
}

const LOCK_MILLISECONDS = 5000
/** One round trip. Whoever waits longer for a row than this would drain the pool for everybody else. */
const BEGIN = `begin isolation level read committed; set local lock_timeout = ${LOCK_MILLISECONDS}`
const BEGIN_RELAXED = `${BEGIN}; set local synchronous_commit = off`

class PostgresDriver implements Driver {
  readonly #pool: PostgresPool
  readonly #prepared: boolean
  readonly #begin: string

  constructor(pool: PostgresPool, prepared: boolean, begin: string) {
    this.#pool = pool
    this.#prepared = prepared
    this.#begin = begin
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<PostgresConnection> {
    return new PostgresConnection(await this.#pool.connect(), this.#prepared)
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    ;(connection as PostgresConnection).release()
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw(this.#begin))
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'))
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'))
  }

  async destroy(): Promise<void> {}
}

const NAMES_KEPT = 500
const names = new Map<string, string>()

/**
 * Undefined, so that the statement is not kept by the server, for long ones and once there are very many. The name follows
 * from the text: two copies of this module may share one pool.
 */
function nameOf({ sql, parameters }: CompiledQuery): string | undefined {
  const kept = names.get(sql)
  if (kept !== undefined || parameters.length === 0 || sql.length > 4096 || names.size >= NAMES_KEPT) return kept
  const name = `gatebook_${createHash('sha256').update(sql).digest('base64url').slice(0, 22)}`
  names.set(sql, name)
  return name
}

const listening = new WeakSet<PostgresClient>()

/**
 * The pool listens to idle clients only, and an error event that nobody listens to ends the process. Once for each client
 * and for good: the server's last word may come after the client has been given back.
 */
function listenToErrors(client: PostgresClient): void {
  if (listening.has(client)) return
  listening.add(client)
  client.on('error', () => {})
}

class PostgresConnection implements DatabaseConnection {
  readonly #client: PostgresClient
  readonly #prepared: boolean
  #broken = false

  constructor(client: PostgresClient, prepared: boolean) {
    this.#client = client
    this.#prepared = prepared
    listenToErrors(client)
  }

  release(): void {
    this.#client.release(this.#broken)
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const name = this.#prepared ? nameOf(query) : undefined
    try {
      const { command, rowCount, rows } = await this.#client.query({
        text: query.sql,
        values: query.parameters,
        types,
        query_timeout: isDefinition(query.sql) ? undefined : ANSWER_MILLISECONDS,
        ...(name !== undefined && { name }),
      })
      const changed = command === 'INSERT' || command === 'UPDATE' || command === 'DELETE'
      return { rows: rows as R[], ...(changed && { numAffectedRows: BigInt(rowCount ?? 0) }) }
    } catch (error) {
      // A connection that failed mid-way must not go back to the pool.
      if (traits.isUnavailable(error)) this.#broken = true
      throw error
    }
  }

  // biome-ignore lint/correctness/useYield: Kysely asks for the member; nothing here streams
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('streaming is not used on PostgreSQL')
  }
}
