import type { Kysely } from 'kysely'
import type { DialectTraits } from './dialect.ts'
import type { Tables } from './tables.ts'
import type { Transaction } from './transaction.ts'

export interface Store {
  /** For single statements outside a transaction. */
  readonly db: Kysely<Tables>
  readonly traits: DialectTraits
  /**
   * Runs `work` in one transaction: it commits when `work` returns and rolls back when it throws. A transaction that the
   * engine rolled back (deadlock, serialisation) is run again, so `work` MUST have no effect outside `tx`.
   * Throws ERR_UNAVAILABLE when the database is gone; the outcome of a commit that was under way is then unknown.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** Runs a single read outside a transaction, with the same mapping of lost connections. */
  read<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T>
  close(): Promise<void>
}
