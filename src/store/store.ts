import type { Kysely } from 'kysely'
import type { DialectTraits } from './dialect.ts'
import type { Tables } from './tables.ts'
import type { Transaction } from './transaction.ts'

/**
 * What a commit that has been acknowledged survives: with `full` everything that the engine promises; with `relaxed` the end
 * of this process always, but not that of the database server's machine, where the engine can save the disk wait.
 */
export type Durability = 'full' | 'relaxed'

export interface Store {
  /** For single statements outside a transaction. */
  readonly db: Kysely<Tables>
  readonly traits: DialectTraits
  /**
   * Runs `work` in one transaction: it commits when `work` returns and rolls back when it throws. A transaction that the
   * engine rolled back (deadlock, serialisation) is run again, so `work` MUST have no effect outside `tx`.
   * Throws ERR_UNAVAILABLE when the database is gone; the outcome of a commit that was under way is then unknown.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>, durability?: Durability): Promise<T>
  /** Runs a single read outside a transaction, with the same mapping of lost connections. */
  read<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T>
  /**
   * Runs `work` in the application's own open transaction: a connection of the driver (`pg`, `mysql2`, `node:sqlite`,
   * better-sqlite3) or a Kysely transaction. When `work` throws, that transaction is what it was before. Nobody here learns
   * whether it commits, so `afterCommit` runs at once and is good for hints only.
   * Throws ERR_TRANSACTION_UNKNOWN for anything else, for a connection that is in no transaction, and for one that leads to
   * another database.
   */
  within<T>(hostTransaction: unknown, work: (tx: Transaction) => Promise<T>): Promise<T>
  /**
   * What has been removed or emptied is then not in the files of SQLite either. False when that could not be had within some
   * seconds, because somebody reads all the time. On other engines it is for the server, and this does nothing.
   */
  scrub(): Promise<boolean>
  close(): Promise<void>
}
