import { setTimeout as sleep } from 'node:timers/promises'
import { CompiledQuery, type Kysely } from 'kysely'
import { GatebookError } from '../../errors.ts'
import type { DialectName, OpenDatabase } from '../dialect.ts'
import type { Store } from '../store.ts'
import type { Tables } from '../tables.ts'

const ATTEMPTS = 8
/** A server that restarts breaks every connection that waits in the pool; each try gets the next one. */
const RECONNECTS = 3

export function createSqlStore(database: OpenDatabase): Store {
  const { kysely, relaxed, traits } = database

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

    async adopt(hostTransaction) {
      const db = isKyselyTransaction(hostTransaction)
        ? adoptKysely(hostTransaction, traits.name)
        : database.adopt(hostTransaction)
      if (db === null) throw new GatebookError('ERR_TRANSACTION_UNKNOWN', { detail: `the database is ${traits.name}` })
      if (!isKyselyTransaction(hostTransaction)) await requireOpenTransaction(db, traits.name)
      return { db, traits, afterCommit: (run) => run() }
    },

    close: () => database.close(),
  }
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
 * Two statements that commit by themselves could leave an event without its leaf. Asked by what each engine refuses: a
 * savepoint outside a transaction, or on SQLite, where a savepoint would begin one, a transaction inside of one.
 */
async function requireOpenTransaction(db: Kysely<Tables>, engine: DialectName): Promise<void> {
  const run = (sql: string) => db.executeQuery(CompiledQuery.raw(sql))
  if (engine === 'sqlite') {
    const began = await run('begin').then(
      () => true,
      () => false,
    )
    if (!began) return
    await run('rollback')
    throw new GatebookError('ERR_TRANSACTION_UNKNOWN', { detail: 'the connection is in no transaction' })
  }
  try {
    await run('savepoint gatebook')
    await run('release savepoint gatebook')
  } catch (cause) {
    throw new GatebookError('ERR_TRANSACTION_UNKNOWN', { cause, detail: 'the connection is in no usable transaction' })
  }
}
