import type { NewEvent } from '../event/event.ts'
import type { Transaction } from '../store/transaction.ts'

/** The only way to leave an event. */
export interface EventLog {
  /**
   * Appends facts in the transaction that makes them true, in this order, and returns their ids. When it throws, the
   * transaction must not commit.
   */
  append(tx: Transaction, events: readonly NewEvent[]): Promise<readonly string[]>
}
