import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { GatebookError } from '../../errors.ts'
import type { OpenDatabase } from '../dialect.ts'
import type { Store } from '../store.ts'
import type { Tables } from '../tables.ts'

const ATTEMPTS = 8

export function createSqlStore(database: OpenDatabase): Store {
  const { kysely, traits } = database

  function translate(error: unknown): unknown {
    if (error instanceof GatebookError || !traits.isUnavailable(error)) return error
    return new GatebookError('ERR_UNAVAILABLE', {
      cause: error,
      detail: error instanceof Error ? error.message : String(error),
      retryAfterSeconds: 1,
    })
  }

  return {
    db: kysely,
    traits,

    async transaction(work) {
      for (let attempt = 1; ; attempt++) {
        const hooks: (() => void)[] = []
        try {
          const result = await kysely
            .transaction()
            .execute((db) => work({ db, traits, afterCommit: (run) => void hooks.push(run) }))
          for (const run of hooks) run()
          return result
        } catch (error) {
          if (attempt >= ATTEMPTS || !traits.isRetryable(error)) throw translate(error)
          // Two transactions that met once must not meet again in step.
          await sleep(Math.random() * 5 * 2 ** attempt)
        }
      }
    },

    async read(work) {
      try {
        return await work(kysely)
      } catch (error) {
        throw translate(error)
      }
    },

    adopt(hostTransaction) {
      const db = isKyselyTransaction(hostTransaction)
        ? (hostTransaction as unknown as Kysely<Tables>)
        : database.adopt(hostTransaction)
      if (db === null) throw new GatebookError('ERR_TRANSACTION_UNKNOWN', { detail: `the database is ${traits.name}` })
      return { db, traits, afterCommit: (run) => run() }
    },

    close: () => database.close(),
  }
}

/** By its shape, because the application may have another copy of Kysely. */
function isKyselyTransaction(value: object): boolean {
  return 'isTransaction' in value && value.isTransaction === true && 'withTables' in value
}
