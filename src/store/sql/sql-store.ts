import { setTimeout as sleep } from 'node:timers/promises'
import { GatebookError } from '../../errors.ts'
import type { OpenDatabase } from '../dialect.ts'
import type { Store } from '../store.ts'

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

    close: () => database.close(),
  }
}
