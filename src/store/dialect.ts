import type { Kysely } from 'kysely'
import type { Tables } from './tables.ts'

export type DialectName = 'sqlite' | 'postgres' | 'mysql'

/** What `createGatebook` takes as `database`. Made by `sqlite(…)`, `postgres(…)` and `mysql(…)`. */
export interface Dialect {
  readonly name: DialectName
  /** Where the data is, for people: without a password. */
  readonly location: string
  /** Gone with the process. */
  readonly ephemeral?: boolean
  /** Loads the driver and opens the database. Throws ERR_DATABASE. */
  connect(): Promise<OpenDatabase>
}

export interface OpenDatabase {
  readonly kysely: Kysely<Tables>
  /** The same, for transactions of relaxed durability; `kysely` itself where the engine has no such thing. */
  readonly relaxed: Kysely<Tables>
  readonly traits: DialectTraits
  /**
   * The same tables over a connection of the application's own that is in a transaction; null when it is not one of this
   * engine's driver.
   */
  adopt(connection: object): Kysely<Tables> | null
  /** How processes on this database tell each other that there is something to read; null where they can only look. */
  readonly signals: DatabaseSignals | null
  /**
   * Overwrites what is left of removed rows in files that this process writes; false when somebody who reads was in the way.
   * Null where that is the business of the server.
   */
  readonly scrub: (() => Promise<boolean>) | null
  /** Ends what was opened here; an application's own pool stays open. */
  close(): Promise<void>
}

/** Hints, and no more: one may be lost, so whoever listens looks by himself now and then as well. */
export interface DatabaseSignals {
  send(channel: string): Promise<void>
  /**
   * On a connection of its own, which is opened again when it breaks; then too `onSignal` is called, for what was missed.
   * Null where there is no such connection. The returned function ends it.
   */
  readonly listen: ((channel: string, onSignal: () => void) => () => Promise<void>) | null
}

/** Every difference between the engines that code outside `dialects/` has to know. */
export interface DialectTraits {
  readonly name: DialectName
  /** Rows can be locked with FOR UPDATE. SQLite has one writer instead: its transactions begin IMMEDIATE. */
  readonly rowLocks: boolean
  /** Entries pass a queue, because transactions commit in another order than they write. Not so with one writer. */
  readonly queued: boolean
  /** A row that is already there is left alone. */
  readonly conflictClause: 'on-conflict' | 'on-duplicate-key'
  /** `with a as (insert …), b as (insert …) select …` is one statement: all of it sees what was there before. */
  readonly insertsInWith: boolean
  /**
   * Statements that are prepared once keep the plan that was right for small tables. After many rows were added at once, the
   * planner has to be told how large these tables are. Null where the engine finds out by itself.
   */
  readonly analyze: ((tables: readonly string[]) => string) | null
  /** SQL for the whole number that a text begins with; NULL or 0 where it begins with none, and never an error. */
  leadingNumber(text: string): string
  /** The transaction was rolled back by the engine (deadlock, serialisation, busy) and can be run again. */
  isRetryable(error: unknown): boolean
  isUniqueViolation(error: unknown): boolean
  /** The connection broke: what was not committed has not happened, and another connection may do. */
  isConnectionLost(error: unknown): boolean
  /** There is no space left. */
  isFull(error: unknown): boolean
  /** The database does not answer, for these reasons or for others. */
  isUnavailable(error: unknown): boolean
}
