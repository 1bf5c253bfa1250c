import { setTimeout as sleep } from 'node:timers/promises'
import { GatebookError } from '../../errors.ts'
import type { OpenDatabase } from '../dialect.ts'
import type { Store } from '../store.ts'
import { createHostTransactions } from './host-transaction.ts'

const ATTEMPTS = 8
/** A server that restarts breaks every connection that waits in the pool; each try gets the next one, out of 10 as a rule. */
const RECONNECTS = 12
/** How often, and how far apart, it is tried to get past those who read. */
const SCRUBS = 50
const SCRUB_MILLISECONDS = 100

/** `databaseId` is from `ensureDatabaseId`; without it no transaction of an application's is taken. */
export function createSqlStore(database: OpenDatabase, databaseId?: string): Store {
  const { kysely, relaxed, traits } = database
  const hosts = databaseId === undefined ? null : createHostTransactions(database, databaseId)

  function translate(error: unknown): unknown {
    if (error instanceof GatebookError || !traits.isUnavailable(error)) return error
    return new GatebookError(traits.isFull(error) ? 'ERR_DATABASE_FULL' : 'ERR_UNAVAILABLE', {
      cause: error,
      detail: error instanceof Error ? error.message : String(error),
      retryAfterSeconds: 1,
    })
  }

  return {
    db: kysely,
    traits,

    async transaction(work, durability = 'full') {
      let lost = 0
      for (let attempt = 1; ; attempt++) {
        const hooks: (() => void)[] = []
        let ending = false
        try {
          const result = await (durability === 'full' ? kysely : relaxed).transaction().execute(async (db) => {
            const result = await work({ db, traits, afterCommit: (run) => void hooks.push(run) })
            // Whether a commit that was sent has happened is not known when its answer is lost.
            ending = true
            return result
          })
          for (const run of hooks) run()
          return result
        } catch (error) {
          if (!ending && traits.isConnectionLost(error) && ++lost < RECONNECTS) continue
          if (attempt >= ATTEMPTS || !traits.isRetryable(error)) throw translate(error)
          // Two transactions that met once must not meet again in step.
          await sleep(Math.random() * 5 * 2 ** attempt)
        }
      }
    },

    async read(work) {
      for (let lost = 0; ; ) {
        try {
          return await work(kysely)
        } catch (error) {
          if (!traits.isConnectionLost(error) || ++lost >= RECONNECTS) throw translate(error)
        }
      }
    },

    async within(hostTransaction, work) {
      if (hosts === null) throw new GatebookError('ERR_TRANSACTION_UNKNOWN', { detail: 'the database has no name yet' })
      const hooks: (() => void)[] = []
      try {
        return await hosts.within(hostTransaction, async (db) => {
          const result = await work({ db, traits, afterCommit: (run) => void hooks.push(run) })
          for (const run of hooks) run()
          return result
        })
      } catch (error) {
        throw translate(error)
      }
    },

    async scrub() {
      if (database.scrub === null) return true
      for (let attempt = 1; ; attempt++) {
        if (await database.scrub()) return true
        if (attempt >= SCRUBS) return false
        await sleep(SCRUB_MILLISECONDS)
      }
    },

    close: () => database.close(),
  }
}
