import { timingSafeEqual } from 'node:crypto'
import { sql } from 'kysely'
import type { Diagnostics } from '../options.ts'
import type { MasterSecret } from '../secret/master-secret.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/transaction.ts'
import type { Clock } from '../util/clock.ts'
import { computeLeafHash, computeWriterMac } from './leaf.ts'

const BATCH = 500

/**
 * Gives committed events their gap-free place: moves rows of `gatebook_queue` to `gatebook_entry`, in the order in which
 * they were written. Any number of processes may run it; the row of `gatebook_log_state`, which no log-in touches, lets
 * one at a time through. There is no cursor, so an event that commits late is not missed.
 *
 * What survives a kill: before the commit of a batch, its rows are in the queue; after it, in the log. Never in both.
 */
export interface Sequencer {
  /** Moves one batch. `more`: the batch was full. `busy`: another process is at it, and what was committed since may be left. */
  sequence(): Promise<'done' | 'more' | 'busy'>
}

export interface SequencerOptions {
  readonly store: Store
  readonly secret: MasterSecret
  readonly clock: Clock
  readonly diagnostics: Diagnostics
}

export function createSequencer({ store, secret, clock, diagnostics }: SequencerOptions): Sequencer {
  const macKeys = secret.versions.map((version) => secret.deriveKey('writer-mac', version)!)

  async function sequenceBatch(tx: Transaction): Promise<'done' | 'more' | 'busy'> {
    const state = await tx.db
      .selectFrom('gatebook_log_state')
      .select('size')
      .where('id', '=', 1)
      .forUpdate()
      .skipLocked()
      .executeTakeFirst()
    if (state === undefined) return 'busy'
    const rows = await tx.db
      .selectFrom('gatebook_queue')
      .selectAll()
      .where('rejected_at', 'is', null)
      .orderBy('number')
      .limit(sql.lit(BATCH))
      .execute()
    if (rows.length === 0) return 'done'

    const entries = []
    const rejected: number[] = []
    let index = Number(state.size)
    for (const row of rows) {
      const leafHash = computeLeafHash(row.leaf)
      const genuine = macKeys.some((key) => {
        const mac = computeWriterMac(key, row.event_id, leafHash)
        return row.mac.length === mac.length && timingSafeEqual(mac, row.mac)
      })
      if (!genuine) {
        rejected.push(Number(row.number))
        continue
      }
      entries.push({ log_index: index++, event_id: row.event_id, leaf: row.leaf, leaf_hash: leafHash, mac: row.mac })
    }
    if (entries.length > 0) {
      await tx.db.insertInto('gatebook_entry').values(entries).execute()
      await tx.db.updateTable('gatebook_log_state').set({ size: index }).where('id', '=', 1).execute()
      const moved = rows.map(({ number }) => Number(number)).filter((number) => !rejected.includes(number))
      await tx.db.deleteFrom('gatebook_queue').where('number', 'in', moved).execute()
    }
    if (rejected.length > 0) {
      await tx.db
        .updateTable('gatebook_queue')
        .set({ rejected_at: clock.now() })
        .where('number', 'in', rejected)
        .execute()
      tx.afterCommit(() =>
        diagnostics.error(
          { rejected },
          'Queued events do not carry the MAC of a writer of this installation. They are kept in gatebook_queue and stay out of the log.',
        ),
      )
    }
    return rows.length === BATCH ? 'more' : 'done'
  }

  return {
    async sequence() {
      // Mostly there is nothing to do, and finding that out must cost next to nothing.
      const waiting = await store.read((db) =>
        db
          .selectFrom('gatebook_queue')
          .select('number')
          .where('rejected_at', 'is', null)
          .limit(sql.lit(1))
          .executeTakeFirst(),
      )
      return waiting === undefined ? 'done' : store.transaction(sequenceBatch)
    },
  }
}
