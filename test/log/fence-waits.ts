import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { OpenDatabase } from '../../src/store/dialect.ts'

const QUERIES = {
  // Whoever waits for a transaction that has locked rows of the fence's table, whatever for, or for the table itself.
  postgres: sql<{ number: number }>`
    with fence as (
      select pid, granted, mode from pg_locks
      where relation = 'gatebook_log_state'::regclass
        and database = (select oid from pg_database where datname = current_database())
    )
    select count(distinct waiting.pid) as number from pg_locks waiting
    where not waiting.granted and (
      waiting.pid in (select pid from fence where not granted)
      or pg_blocking_pids(waiting.pid) && array(
        select pid from fence where granted and mode in ('RowShareLock', 'RowExclusiveLock')
      )
    )`,
  mysql: sql<{ number: number }>`
    select count(distinct waiting.requesting_trx_id) as number
    from information_schema.innodb_lock_waits waiting
    join information_schema.innodb_locks wanted on wanted.lock_id = waiting.requested_lock_id
    where wanted.lock_table = concat('\`', database(), '\`.\`gatebook_log_state\`')`,
}

/** What InnoDB says here is renewed only when nobody has asked for a tenth of a second. */
const PAUSE_MILLISECONDS = { postgres: 0, mysql: 120 }

/** How many transactions wait for the fence of the sequencer at this moment. */
export async function countFenceWaits({ kysely, traits }: OpenDatabase): Promise<number> {
  if (traits.name === 'sqlite') throw new Error('SQLite has no fence')
  await sleep(PAUSE_MILLISECONDS[traits.name])
  const { rows } = await QUERIES[traits.name].execute(kysely)
  return Number(rows[0]!.number)
}

export interface Fence {
  release(): Promise<void>
}

/** Locks the row of the fence as soon as nobody has it. Waits for no lock, so that it is not counted itself. */
export async function holdFence({ kysely }: OpenDatabase): Promise<Fence> {
  let release = (): void => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let ended: Promise<void> = Promise.resolve()
  await new Promise<void>((resolve, reject) => {
    ended = kysely.transaction().execute(async (db) => {
      const row = db.selectFrom('gatebook_log_state').select('size').where('id', '=', 1).forUpdate().skipLocked()
      while ((await row.executeTakeFirst()) === undefined);
      resolve()
      await released
    })
    ended.catch(reject)
  })
  return {
    async release() {
      release()
      await ended
    },
  }
}

/** Locks the row and lets it go, waiting for it where somebody has it. */
export async function waitForFence({ kysely }: OpenDatabase): Promise<void> {
  await kysely
    .transaction()
    .execute((db) =>
      db.selectFrom('gatebook_log_state').select('size').where('id', '=', 1).forUpdate().executeTakeFirstOrThrow(),
    )
}
