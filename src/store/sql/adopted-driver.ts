import type { DatabaseConnection, Driver } from 'kysely'

/** One connection in a transaction that the application has begun, and that only the application ends. */
export class AdoptedDriver implements Driver {
  readonly #connection: DatabaseConnection

  constructor(connection: DatabaseConnection) {
    this.#connection = connection
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection
  }

  async releaseConnection(): Promise<void> {}

  async beginTransaction(): Promise<void> {
    throw new Error('the transaction belongs to the application')
  }

  async commitTransaction(): Promise<void> {
    throw new Error('the transaction belongs to the application')
  }

  async rollbackTransaction(): Promise<void> {
    throw new Error('the transaction belongs to the application')
  }

  async destroy(): Promise<void> {}
}
