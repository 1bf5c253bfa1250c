import { sql } from 'kysely'
import type { Diagnostics } from '../options.ts'
import type { MasterSecret } from '../secret/master-secret.ts'
import { chunks, listChunks } from '../store/chunks.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/transaction.ts'
import type { Clock } from '../util/clock.ts'
import { createMacCheck, type EntryRow } from './entry-walk.ts'
import { computeLeafHash } from './leaf.ts'
import { diverged } from './stopped.ts'

/** Four whole chunks. */
const BATCH = 1024
/** How long, and for how many rows, this process waits for another one that can check a MAC which it cannot check itself. */
const FOREIGN_PATIENCE = 600_000
const FOREIGN_ROWS = 1000

/**
 * Gives committed events their gap-free place: moves rows of `gatebook_queue` to `gatebook_entry`, in the order in which
 * they were written. Any number of processes may run it; the row of `gatebook_log_state`, which no log-in touches, lets
 * one at a time through. There is no cursor, so an event that commits late is not missed.
 *
 * A row whose MAC is wrong stays out. When the database knows versions of the master secret that this process does not, such
 * a row is first left to the process that has them.
 *
 * What survives a kill: before the commit of a batch, its rows are in the queue; after it, in the log. Never in both.
 */
export interface Sequencer {
  /**
   * Moves one batch. `more`: the batch was full. `busy`: another process is at it, and what was committed since may be left.
   * `onMoved` is told of the entries when they are committed. Throws ERR_LOG_DIVERGED when the size is not that of the entries.
   */
  sequence(onMoved?: (entries: readonly EntryRow[]) => void): Promise<'done' | 'more' | 'busy'>
  /** Lets in again what was rejected and carries a MAC that is right for this process, which may have versions that others had not. */
  reconsider(): Promise<void>
}

export interface SequencerOptions {
  readonly store: Store
  readonly secret: MasterSecret
  readonly clock: Clock
  readonly diagnostics: Diagnostics
}

export function createSequencer({ store, secret, clock, diagnostics }: SequencerOptions): Sequencer {
  const isGenuine = createMacCheck(secret)
  /** Rows that are left to another process, by their number, with the instant at which they were first seen. */
  const foreign = new Map<number, number>()

  /** While the master secret is being changed, some processes write with a version that others do not have yet. */
  async function hasOtherVersions({ db }: Transaction): Promise<boolean> {
    const rows = await db.selectFrom('gatebook_meta').select('name').where('name', 'like', 'secret:%').execute()
    return rows.some(({ name }) => !secret.versions.includes(Number(name.slice('secret:'.length))))
  }

  async function sequenceBatch(
    tx: Transaction,
    onMoved?: (entries: readonly EntryRow[]) => void,
  ): Promise<'done' | 'more' | 'busy'> {
    const state = await tx.db
      .selectFrom('gatebook_log_state')
      .select('size')
      .where('id', '=', 1)
      .forUpdate()
      .skipLocked()
      .executeTakeFirst()
    if (state === undefined) return 'busy'
    const now = clock.now()
    const left = [...foreign].flatMap(([number, seenAt]) => (now - seenAt < FOREIGN_PATIENCE ? [number] : []))
    const waiting = tx.db.selectFrom('gatebook_queue').selectAll().where('rejected_at', 'is', null)
    const rows = await (left.length === 0 ? waiting : waiting.where('number', 'not in', left))
      .orderBy('number')
      .limit(sql.lit(BATCH))
      .execute()
    if (rows.length === 0) return 'done'

    const entries: EntryRow[] = []
    const moved: number[] = []
    const unknown: number[] = []
    let index = Number(state.size)
    const sequenced = await findSequenced(tx, rows)
    for (const row of rows) {
      // A row that was copied back, by a bad restore or on purpose: its MAC is right, and its event has its place already.
      if (sequenced.has(row.event_id)) {
        moved.push(Number(row.number))
        continue
      }
      const leafHash = computeLeafHash(row.leaf)
      if (!isGenuine(row.event_id, leafHash, row.mac)) {
        unknown.push(Number(row.number))
        continue
      }
      moved.push(Number(row.number))
      sequenced.add(row.event_id)
      entries.push({ log_index: index++, event_id: row.event_id, leaf: row.leaf, leaf_hash: leafHash, mac: row.mac })
    }
    const waits = unknown.length > 0 && (await hasOtherVersions(tx))
    const leave = unknown.filter((number) => waits && !foreign.has(number)).slice(0, FOREIGN_ROWS - left.length)
    const rejected = unknown.filter((number) => !leave.includes(number))
    if (moved.length > 0) {
      await requireSize(tx, Number(state.size))
      for (const chunk of chunks(entries)) await tx.db.insertInto('gatebook_entry').values(chunk).execute()
      await tx.db.updateTable('gatebook_log_state').set({ size: index }).where('id', '=', 1).execute()
      for (const chunk of listChunks(moved))
        await tx.db.deleteFrom('gatebook_queue').where('number', 'in', chunk).execute()
    }
    if (rejected.length > 0) {
      for (const chunk of listChunks(rejected)) {
        await tx.db.updateTable('gatebook_queue').set({ rejected_at: now }).where('number', 'in', chunk).execute()
      }
      tx.afterCommit(() =>
        diagnostics.error(
          { rejected },
          'Queued events do not carry the MAC of a writer of this installation. They are kept in gatebook_queue and stay out of the log.',
        ),
      )
    }
    tx.afterCommit(() => {
      noteForeign(leave, now)
      onMoved?.(entries)
    })
    return rows.length === BATCH ? 'more' : 'done'
  }

  function noteForeign(leave: readonly number[], now: number): void {
    for (const [number, seenAt] of foreign) if (now - seenAt >= FOREIGN_PATIENCE) foreign.delete(number)
    if (leave.length > 0 && foreign.size === 0) {
      diagnostics.warn(
        { rows: leave },
        'Queued events carry the MAC of a version of the master secret that this process does not have. They are left to a process that has it.',
      )
    }
    for (const number of leave) foreign.set(number, now)
  }

  return {
    async reconsider() {
      for (let after = 0; ; ) {
        const rows = await store.read((db) =>
          db
            .selectFrom('gatebook_queue')
            .selectAll()
            .where('rejected_at', 'is not', null)
            .where('number', '>', after)
            .orderBy('number')
            .limit(sql.lit(BATCH))
            .execute(),
        )
        const genuine = rows.filter((row) => isGenuine(row.event_id, computeLeafHash(row.leaf), row.mac))
        if (genuine.length > 0) {
          await store.transaction(async ({ db }) => {
            for (const chunk of listChunks(genuine.map(({ number }) => Number(number)))) {
              await db.updateTable('gatebook_queue').set({ rejected_at: null }).where('number', 'in', chunk).execute()
            }
          })
        }
        if (rows.length < BATCH) return
        after = Number(rows.at(-1)!.number)
      }
    },
    async sequence(onMoved) {
      // Mostly there is nothing to do, and finding that out must cost next to nothing.
      const waiting = await store.read((db) =>
        db
          .selectFrom('gatebook_queue')
          .select('number')
          .where('rejected_at', 'is', null)
          .limit(sql.lit(1))
          .executeTakeFirst(),
      )
      return waiting === undefined ? 'done' : store.transaction((tx) => sequenceBatch(tx, onMoved))
    },
  }
}

/**
 * A size that somebody has changed would leave a gap, or stop everything at an entry that is there already. A statement of its own,
 * since one that also takes the lock may see entries as they were before it had to wait.
 */
async function requireSize({ db }: Transaction, size: number): Promise<void> {
  const last = await db
    .selectFrom('gatebook_entry')
    .select('log_index')
    .orderBy('log_index', 'desc')
    .limit(sql.lit(1))
    .executeTakeFirst()
  const entries = last === undefined ? 0 : Number(last.log_index) + 1
  if (entries !== size) throw diverged('gap', `The size is ${size}, and the last entry is ${entries - 1}.`)
}

async function findSequenced(tx: Transaction, rows: readonly { readonly event_id: string }[]): Promise<Set<string>> {
  const found = new Set<string>()
  for (const chunk of listChunks(rows.map(({ event_id }) => event_id))) {
    const known = await tx.db.selectFrom('gatebook_entry').select('event_id').where('event_id', 'in', chunk).execute()
    for (const { event_id } of known) found.add(event_id)
  }
  return found
}
