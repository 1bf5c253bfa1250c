import { CompiledQuery, type Kysely, sql } from 'kysely'
import { GatebookError } from '../../errors.ts'
import type { DialectName, OpenDatabase } from '../dialect.ts'
import type { Tables } from '../tables.ts'

/** Work that is done in transactions of the application's. */
export interface HostTransactions {
  /**
   * Runs `work` under a savepoint of the transaction that is open on this connection: when it throws, the transaction is
   * what it was before, and the application may go on with it. Calls on one connection come one after the other.
   * Throws ERR_TRANSACTION_UNKNOWN before anything is written.
   */
  within<T>(host: unknown, work: (db: Kysely<Tables>) => Promise<T>): Promise<T>
}

export function createHostTransactions(database: OpenDatabase, databaseId: string): HostTransactions {
  const engine = database.traits.name
  /** The end of the last call on each connection: two savepoints that overlap would undo each other's work. */
  const turns = new WeakMap<object, Promise<unknown>>()

  async function underSavepoint<T>(db: Kysely<Tables>, work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    // A transaction of Kysely's that has ended throws at once.
    const run = async (statement: string) => db.executeQuery(CompiledQuery.raw(statement))
    await requireOpenTransaction(run, engine)
    await run('savepoint gatebook').catch((cause: unknown) => {
      throw unknown('the connection is in no usable transaction', cause)
    })
    try {
      await requireSameDatabase(db, engine, databaseId)
      const result = await work(db)
      await run('release savepoint gatebook')
      return result
    } catch (error) {
      // Where even this fails the transaction is lost, and with it whatever was written.
      await run('rollback to savepoint gatebook')
        .then(() => run('release savepoint gatebook'))
        .catch(() => {})
      throw error
    }
  }

  return {
    async within(host, work) {
      if (typeof host !== 'object' || host === null) throw unknown('tx is not a connection')
      const db = isKyselyTransaction(host) ? adoptKysely(host, engine) : database.adopt(host)
      if (db === null) throw unknown(`tx is no transaction and no connection of a driver for ${engine}`)
      const turn = (turns.get(host) ?? Promise.resolve()).then(() => underSavepoint(db, work))
      turns.set(
        host,
        turn.catch(() => {}),
      )
      return turn
    },
  }
}

function unknown(detail: string, cause?: unknown): GatebookError {
  return new GatebookError('ERR_TRANSACTION_UNKNOWN', { detail, ...(cause !== undefined && { cause }) })
}

/** By its shape, because the application may have another copy of Kysely. */
function isKyselyTransaction(value: object): boolean {
  return 'isTransaction' in value && value.isTransaction === true && 'withoutPlugins' in value
}

/** Without the application's plugins, which may rename columns; null when it is another engine's. */
function adoptKysely(transaction: object, engine: DialectName): Kysely<Tables> | null {
  const db = (transaction as Kysely<Tables>).withoutPlugins()
  const adapter = db.getExecutor().adapter.constructor.name.toLowerCase()
  const others = (['sqlite', 'postgres', 'mysql'] as const).filter((name) => name !== engine)
  return others.some((name) => adapter.includes(name)) ? null : db
}

/**
 * Statements that commit by themselves could leave an event without its leaf. Asked by what each engine refuses: PostgreSQL
 * a savepoint outside a transaction; MySQL, which takes that, the release of it; and SQLite, where a savepoint would begin
 * one, a transaction inside of one.
 */
async function requireOpenTransaction(
  run: (statement: string) => Promise<unknown>,
  engine: DialectName,
): Promise<void> {
  if (engine !== 'sqlite') {
    try {
      await run('savepoint gatebook')
      await run('release savepoint gatebook')
    } catch (cause) {
      throw unknown('the connection is in no usable transaction', cause)
    }
    return
  }
  const refusal: unknown = await run('begin').then(
    () => null,
    (error: unknown) => error,
  )
  if (refusal instanceof Error && /within a transaction/i.test(refusal.message)) return
  if (refusal !== null) throw unknown('the connection is not open', refusal)
  await run('rollback')
  throw unknown('the connection is in no transaction')
}

/** And that what it is told arrives as it was meant: a text in another character set would differ from its leaf. */
async function requireSameDatabase(db: Kysely<Tables>, engine: DialectName, databaseId: string): Promise<void> {
  const charset = engine === 'mysql' ? sql<string>`@@character_set_client` : sql<string>`'utf8mb4'`
  const row = await db
    .selectFrom('gatebook_meta')
    .select(['value', charset.as('charset')])
    .where('name', '=', 'database')
    .executeTakeFirst()
    .catch((cause: unknown) => {
      throw unknown('the connection leads to another database, or may not read the tables of this one', cause)
    })
  if (row?.value !== databaseId) throw unknown('the connection leads to another database')
  if (row.charset !== 'utf8mb4') {
    throw unknown(`the connection speaks ${row.charset}; create it with charset: 'utf8mb4'`)
  }
}
