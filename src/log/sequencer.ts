import { sql } from 'kysely'
import type { Diagnostics } from '../options.ts'
import type { MasterSecret } from '../secret/master-secret.ts'
import { listChunks } from '../store/chunks.ts'
import type { Store } from '../store/store.ts'
import type { QueueTable } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'
import type { Clock } from '../util/clock.ts'
import { createMacCheck, type EntryRow } from './entry-walk.ts'
import { computeLeafHash } from './leaf.ts'
import { moveQueued, type QueuedMove } from './move-queued.ts'
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
  /** Whether there was something the last time, and so more is likely. */
  let expecting = false

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
    const rows = await readQueue(tx, left)
    expecting = rows.length > 0
    if (rows.length === 0) return 'done'

    const size = Number(state.size)
    const entries: EntryRow[] = []
    const moves: QueuedMove[] = []
    const unknown: number[] = []
    const sequenced = new Set<string>()
    for (const { number: id, event_id, leaf, mac, known_at: knownAt } of rows) {
      const number = Number(id)
      const leafHash = computeLeafHash(leaf)
      if (!isGenuine(event_id, leafHash, mac)) {
        unknown.push(number)
        continue
      }
      // A row that was copied back, by a bad restore or on purpose: its MAC is right, and its event has its place already.
      const isPlaced = knownAt !== null || sequenced.has(event_id)
      const logIndex = isPlaced ? null : size + entries.length
      sequenced.add(event_id)
      moves.push({ number, eventId: event_id, mac, leafHash, logIndex })
      if (logIndex !== null) entries.push({ log_index: logIndex, event_id, leaf, leaf_hash: leafHash, mac })
    }
    const waits = unknown.length > 0 && (await hasOtherVersions(tx))
    const leave = unknown.filter((number) => waits && !foreign.has(number)).slice(0, FOREIGN_ROWS - left.length)
    const rejected = unknown.filter((number) => !leave.includes(number))
    if (moves.length > 0) {
      requireSize(size, rows[0]!.last_index)
      await moveQueued(tx, moves, size + entries.length)
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
      if (expecting) return store.transaction((tx) => sequenceBatch(tx, onMoved))
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

type QueuedRow = Pick<QueueTable, 'event_id' | 'leaf' | 'mac'> & {
  readonly number: number
  /** The place of its event, if it has one. */
  readonly known_at: number | null
  /** That of the last entry. */
  readonly last_index: number | null
}

/**
 * As IS NULL, since no instant here is negative. Of a queue that has grown since it was last analyzed, PostgreSQL takes IS NULL for one row in
 * 200, and would sort all of it for each batch instead of reading the first rows in their order.
 */
const IS_WAITING = sql<boolean>`coalesce(queued.rejected_at, -1) < 0`

/** A statement of its own, since one that also takes the lock may see the log as it was before. */
function readQueue({ db }: Transaction, left: readonly number[]): Promise<QueuedRow[]> {
  const waiting = db.selectFrom('gatebook_queue as queued').where(IS_WAITING)
  return (left.length === 0 ? waiting : waiting.where('queued.number', 'not in', left))
    .select(({ selectFrom }) => [
      ...(['queued.number', 'queued.event_id', 'queued.leaf', 'queued.mac'] as const),
      selectFrom('gatebook_entry as known')
        .select('known.log_index')
        .whereRef('known.event_id', '=', 'queued.event_id')
        .as('known_at'),
      selectFrom('gatebook_entry as last')
        .select('last.log_index')
        .orderBy('last.log_index', 'desc')
        .limit(sql.lit(1))
        .as('last_index'),
    ])
    .orderBy('queued.number')
    .limit(sql.lit(BATCH))
    .execute()
}

/** A size that somebody has changed would leave a gap, or stop everything at an entry that is there already. */
function requireSize(size: number, lastIndex: number | null): void {
  const entries = lastIndex === null ? 0 : Number(lastIndex) + 1
  if (entries !== size) throw diverged('gap', `The size is ${size}, and the last entry is ${entries - 1}.`)
}
