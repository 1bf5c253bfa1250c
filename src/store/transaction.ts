import type { Kysely } from 'kysely'
import type { DialectTraits } from './dialect.ts'
import type { Tables } from './tables.ts'

/**
 * A transaction that is open. It is always an explicit argument: a function that takes one changes nothing outside it.
 * Isolation is READ COMMITTED on PostgreSQL and MySQL, and serialised on SQLite.
 */
export interface Transaction {
  readonly db: Kysely<Tables>
  readonly traits: DialectTraits
  /** Runs once when, and only when, the commit has been acknowledged. Must not throw. */
  afterCommit(run: () => void): void
}
