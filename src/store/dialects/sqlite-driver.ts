import { setTimeout as sleep } from 'node:timers/promises'
import { CompiledQuery, type DatabaseConnection, type Driver, type QueryResult } from 'kysely'

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
  /** How results come may be set for the whole handle; each of our statements sets it back for itself. */
  safeIntegers?(on: boolean): unknown
  setReadBigInts?(on: boolean): unknown
  setReturnArrays?(on: boolean): unknown
}

const STATEMENTS_KEPT = 500
/** How long a writer waits for the writer of another process. */
const BUSY_MILLISECONDS = 10_000
/** A commit is held back at most so long, and for so many others, to share its disk wait with them. */
const SHARED_COMMIT_MILLISECONDS = 5
const SHARED_COMMIT_SIZE = 64

export function isBusy(error: unknown): boolean {
  return error instanceof Error && /database is locked|SQLITE_BUSY/i.test(error.message)
}

/**
 * One writer, and one disk wait for all transactions that are ready at the same time: the wait blocks the whole process, so
 * a commit is held back while others stand in line. They run as savepoints of one SQLite transaction, each can be rolled
 * back by itself, and none is acknowledged before the common COMMIT has returned.
 *
 * A transaction of relaxed durability has no disk wait (`synchronous=NORMAL`): in WAL mode its commit reaches the disk with
 * the next one that waits.
 *
 * Single statements go to a second handle, which sees committed state only and waits for nobody. Where there is one handle
 * (`:memory:`, or the application's own), they stand in line like the rest.
 */
export class SqliteDriver implements Driver {
  readonly #writer: StatementCache
  readonly #reader: StatementCache | null
  readonly #line: (() => void)[] = []
  #taken = false
  /** Transactions that have ended well and wait for the common COMMIT. */
  #pending: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = []
  #pendingSince = 0
  /** Of the SQLite transaction that is open: whether its COMMIT waits for the disk. */
  #durable = true

  constructor(writer: SqliteHandle, reader: SqliteHandle | null) {
    this.#writer = new StatementCache(writer)
    this.#reader = reader === null ? null : new StatementCache(reader)
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<SqliteConnection> {
    return new SqliteConnection((query, inTransaction) => this.#execute(query, inTransaction))
  }

  async releaseConnection(): Promise<void> {}

  /**
   * Moves everything out of the WAL and cuts it to nothing: what was overwritten in the tables is still in there. False when
   * somebody is reading from it. Without a WAL there is nothing to do.
   */
  async scrub(): Promise<boolean> {
    await this.#enter()
    try {
      this.#commit()
      const { rows } = this.#writer.run(CompiledQuery.raw('pragma wal_checkpoint(truncate)'))
      return Number((rows[0] as { readonly busy: number } | undefined)?.busy ?? 0) === 0
    } catch (error) {
      // Also while the application's own handle is in a transaction of its own.
      if (isBusy(error) || /locked/i.test(String(error))) return false
      throw error
    } finally {
      this.#leave()
    }
  }

  /** The same driver for transactions of relaxed durability. */
  relaxed(): Driver {
    return {
      init: async () => {},
      acquireConnection: () => this.acquireConnection(),
      releaseConnection: async () => {},
      beginTransaction: (connection) => this.#begin(connection, false),
      commitTransaction: (connection) => this.commitTransaction(connection),
      rollbackTransaction: (connection) => this.rollbackTransaction(connection),
      destroy: async () => {},
    }
  }

  beginTransaction(connection: DatabaseConnection): Promise<void> {
    return this.#begin(connection, true)
  }

  async #begin(connection: DatabaseConnection, durable: boolean): Promise<void> {
    // From the place in the line on: those behind somebody who waited in vain must not wait as long once more.
    const giveUpAt = performance.now() + BUSY_MILLISECONDS
    await this.#enter()
    try {
      if (durable && !this.#durable) this.#commit()
      if (this.#pending.length > 0) this.#writer.exec('savepoint gatebook')
      else {
        this.#setDurable(durable)
        await this.#beginImmediate(giveUpAt)
      }
    } catch (error) {
      this.#leave()
      throw error
    }
    ;(connection as SqliteConnection).transaction = this.#pending.length > 0 ? 'nested' : 'outer'
  }

  commitTransaction(connection: DatabaseConnection): Promise<void> {
    const { transaction } = connection as SqliteConnection
    ;(connection as SqliteConnection).transaction = null
    return new Promise((resolve, reject) => {
      try {
        if (transaction === 'nested') this.#writer.exec('release gatebook')
      } catch (error) {
        this.#failAll(error)
        this.#leave()
        reject(error)
        return
      }
      if (this.#pending.length === 0) this.#pendingSince = performance.now()
      this.#pending.push({ resolve, reject })
      this.#leave()
    })
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    const { transaction } = connection as SqliteConnection
    if (transaction === null) return
    ;(connection as SqliteConnection).transaction = null
    try {
      if (transaction === 'outer') this.#writer.exec('rollback')
      else {
        this.#writer.exec('rollback to gatebook')
        this.#writer.exec('release gatebook')
      }
    } catch (error) {
      // On a full disk and the like SQLite has rolled back everything: then nothing that waits has been committed.
      this.#failAll(error)
    } finally {
      this.#leave()
    }
  }

  async destroy(): Promise<void> {
    await this.#enter()
    this.#commit()
    this.#writer.forget()
    this.#reader?.forget()
    this.#leave()
  }

  async #execute(query: CompiledQuery, inTransaction: boolean): Promise<QueryResult<unknown>> {
    if (inTransaction) return this.#writer.run(query)
    if (this.#reader !== null) return this.#reader.run(query)
    await this.#enter()
    try {
      // Nobody reads what has not been committed.
      this.#commit()
      return this.#writer.run(query)
    } finally {
      this.#leave()
    }
  }

  /** Outside a transaction; SQLite refuses it inside. */
  #setDurable(durable: boolean): void {
    if (this.#durable === durable) return
    this.#writer.exec(`pragma synchronous = ${durable ? 'full' : 'normal'}`)
    this.#durable = durable
  }

  async #beginImmediate(giveUpAt: number): Promise<void> {
    // IMMEDIATE: a transaction that began by reading could not become a writer once another process has written.
    for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
      try {
        this.#writer.exec('begin immediate')
        return
      } catch (error) {
        if (!isBusy(error) || performance.now() >= giveUpAt) throw error
        await sleep(wait * (0.5 + Math.random()))
      }
    }
  }

  async #enter(): Promise<void> {
    if (this.#taken) await new Promise<void>((resolve) => this.#line.push(resolve))
    this.#taken = true
  }

  #leave(): void {
    const full =
      this.#pending.length >= SHARED_COMMIT_SIZE || performance.now() - this.#pendingSince >= SHARED_COMMIT_MILLISECONDS
    if (this.#line.length === 0 || full) this.#commit()
    const next = this.#line.shift()
    if (next === undefined) this.#taken = false
    else next()
  }

  #commit(): void {
    if (this.#pending.length === 0) return
    try {
      this.#writer.exec('commit')
    } catch (error) {
      this.#failAll(error)
      return
    }
    const committed = this.#pending
    this.#pending = []
    for (const { resolve } of committed) resolve()
  }

  #failAll(error: unknown): void {
    try {
      this.#writer.exec('rollback')
    } catch {
      // There was none any more.
    }
    const failed = this.#pending
    this.#pending = []
    for (const { reject } of failed) reject(error)
  }
}

const adopted = new WeakMap<SqliteHandle, StatementCache>()

/** A handle of the application's, in whose transaction something is written along. */
export function adoptHandle(handle: SqliteHandle): DatabaseConnection {
  const statements = adopted.get(handle) ?? new StatementCache(handle)
  adopted.set(handle, statements)
  return new SqliteConnection(async (query) => statements.run(query))
}

class SqliteConnection implements DatabaseConnection {
  transaction: 'outer' | 'nested' | null = null
  readonly #execute: (query: CompiledQuery, inTransaction: boolean) => Promise<QueryResult<unknown>>

  constructor(execute: (query: CompiledQuery, inTransaction: boolean) => Promise<QueryResult<unknown>>) {
    this.#execute = execute
  }

  executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return this.#execute(query, this.transaction !== null) as Promise<QueryResult<R>>
  }

  // biome-ignore lint/correctness/useYield: Kysely asks for the member; nothing here streams
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('streaming is not used on SQLite')
  }
}

/** Preparing costs several times what running does, so statements are kept. */
class StatementCache {
  readonly #handle: SqliteHandle
  readonly #statements = new Map<string, { readonly statement: SqliteStatement; readonly reads: boolean }>()

  constructor(handle: SqliteHandle) {
    this.#handle = handle
  }

  exec(sql: string): void {
    this.#handle.exec(sql)
  }

  forget(): void {
    this.#statements.clear()
  }

  run(query: CompiledQuery): QueryResult<unknown> {
    const { statement, reads } = this.#prepare(query.sql)
    const parameters = query.parameters as never[]
    if (reads) return { rows: statement.all(...parameters) }
    return { rows: [], numAffectedRows: BigInt(statement.run(...parameters).changes) }
  }

  #prepare(sql: string): { readonly statement: SqliteStatement; readonly reads: boolean } {
    const kept = this.#statements.get(sql)
    if (kept !== undefined) return kept
    const statement = this.#handle.prepare(sql)
    statement.safeIntegers?.(false)
    statement.setReadBigInts?.(false)
    statement.setReturnArrays?.(false)
    const prepared = { statement, reads: statement.reader ?? (statement.columns?.().length ?? 0) > 0 }
    if (this.#statements.size >= STATEMENTS_KEPT) this.#statements.clear()
    this.#statements.set(sql, prepared)
    return prepared
  }
}
