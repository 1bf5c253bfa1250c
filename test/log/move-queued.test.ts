import { EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { computeLeafHash } from '../../src/log/leaf.ts'
import { moveQueued, type QueuedMove } from '../../src/log/move-queued.ts'
import { createSqlStore } from '../../src/store/sql/sql-store.ts'
import type { Store } from '../../src/store/store.ts'
import type { Transaction } from '../../src/store/transaction.ts'
import { availableEngines } from '../support/engines.ts'
import { dialectOf, openOwnGate } from '../support/gate.ts'

/** Beyond the places that the log of the test has. */
const FIRST = 1_000_000

function moveOf(number: number, at: number, leaf: Uint8Array, logIndex: number | null): QueuedMove {
  return { number, eventId: `evt_moved_${at}`, mac: Buffer.alloc(32, at), leafHash: computeLeafHash(leaf), logIndex }
}

/** A transaction that has done its work and commits when it is told to. */
async function holdOpen(
  store: Store,
  work: (tx: Transaction) => Promise<unknown>,
): Promise<{ commit(): Promise<void> }> {
  const [done, release] = [new EventEmitter(), new EventEmitter()]
  const isDone = once(done, 'done')
  const isReleased = once(release, 'release')
  const ended = store.transaction(async (tx) => {
    await work(tx)
    done.emit('done')
    await isReleased
  })
  await Promise.race([isDone, ended])
  return {
    async commit() {
      release.emit('release')
      await ended
    },
  }
}

describe.each(availableEngines)('moving queued events on $name', (engine) => {
  // SQLite has no queue.
  const queued = test.skipIf(engine.name === 'sqlite')

  async function open(count: number) {
    const on = await openOwnGate(engine, { logSigning: 'off' })
    const store = createSqlStore(await dialectOf(on.database.url).connect())
    onTestFinished(() => store.close())
    // Every byte, so that none is changed on its way through the server.
    const leaves = Array.from({ length: count }, (_, at) =>
      Buffer.from(Array.from({ length: 256 }, (_each, byte) => byte ^ (at % 256))),
    )
    for (const [at, leaf] of leaves.entries()) {
      const row = { event_id: `evt_moved_${at}`, leaf, mac: Buffer.alloc(32, at), rejected_at: null }
      await store.db.insertInto('gatebook_queue').values(row).execute()
    }
    const rows = await store.db
      .selectFrom('gatebook_queue')
      .select('number')
      .where('event_id', 'like', 'evt\\_moved\\_%')
      .orderBy('number')
      .execute()
    const numbers = rows.map(({ number }) => Number(number))
    const left = () =>
      store.db.selectFrom('gatebook_queue').select('event_id').where('event_id', 'like', 'evt\\_moved\\_%').execute()
    const readMoved = () =>
      store.db.selectFrom('gatebook_entry').selectAll().where('log_index', '>=', FIRST).orderBy('log_index').execute()
    return { store, leaves, numbers, left, readMoved }
  }

  queued('gives each its place, byte for byte, and takes away what has one already', async () => {
    const { store, leaves, numbers, left, readMoved } = await open(70)
    // The last ones first, and every seventh one has its place already.
    const moves: QueuedMove[] = numbers
      .map((number, at) => moveOf(number, at, leaves[at]!, at % 7 === 0 ? null : FIRST + 70 - at))
      .reverse()
    await store.transaction((tx) => moveQueued(tx, moves, FIRST + 71))
    expect(await left()).toEqual([])
    const moved = await readMoved()
    expect(moved.map((row) => ({ ...row, log_index: Number(row.log_index) }))).toEqual(
      leaves
        .map((leaf, at) => ({
          log_index: FIRST + 70 - at,
          event_id: `evt_moved_${at}`,
          leaf,
          leaf_hash: Buffer.from(computeLeafHash(leaf)),
          mac: Buffer.alloc(32, at),
        }))
        .filter((_, at) => at % 7 !== 0)
        .reverse(),
    )
    const { size } = await store.db.selectFrom('gatebook_log_state').select('size').executeTakeFirstOrThrow()
    expect(Number(size)).toBe(FIRST + 71)
  })

  queued('commits nothing when a row has gone meanwhile', async () => {
    const { store, leaves, numbers, left, readMoved } = await open(3)
    const before = await store.db.selectFrom('gatebook_log_state').select('size').executeTakeFirstOrThrow()
    await store.db.deleteFrom('gatebook_queue').where('number', '=', numbers[1]!).execute()
    const moves = numbers.map((number, at) => moveOf(number, at, leaves[at]!, FIRST + at))
    await expect(store.transaction((tx) => moveQueued(tx, moves, FIRST + 3))).rejects.toThrow(
      '3 queued events were to be moved, and 2 were',
    )
    expect(await left()).toHaveLength(2)
    expect(await readMoved()).toEqual([])
    expect(await store.db.selectFrom('gatebook_log_state').select('size').executeTakeFirstOrThrow()).toEqual(before)
  })

  queued.each([
    ['leaf', { leaf: Buffer.from('another leaf') }],
    ['event', { event_id: 'evt_moved_another' }],
    ['MAC', { mac: Buffer.alloc(32, 255) }],
  ])('commits nothing when somebody changes the %s of a row behind the check', async (_what, change) => {
    const { store, leaves, numbers, readMoved } = await open(3)
    const moves = numbers.map((number, at) => moveOf(number, at, leaves[at]!, FIRST + at))
    const changing = await holdOpen(store, ({ db }) =>
      db.updateTable('gatebook_queue').set(change).where('number', '=', numbers[1]!).execute(),
    )
    // On PostgreSQL the statement comes while the change is open, and waits; on MariaDB it reads what is committed.
    if (engine.name === 'mysql') await changing.commit()
    const moving = store
      .transaction((tx) => moveQueued(tx, moves, FIRST + 3))
      .then(
        () => 'moved',
        (error: Error) => error.message,
      )
    await sleep(300)
    await changing.commit()
    expect(await moving).toBe('3 queued events were to be moved, and 2 were')
    expect(await readMoved()).toEqual([])
  })

  queued('waits for no log-in that has not committed yet', async () => {
    const { store, leaves, numbers, readMoved } = await open(4)
    const moves = numbers.map((number, at) => moveOf(number, at, leaves[at]!, FIRST + at))
    const row = { event_id: 'evt_moved_late', leaf: Buffer.from('late'), mac: Buffer.alloc(32), rejected_at: null }
    const logIn = await holdOpen(store, ({ db }) => db.insertInto('gatebook_queue').values(row).execute())
    await store.transaction((tx) => moveQueued(tx, moves, FIRST + 4))
    expect(await readMoved()).toHaveLength(4)
    await logIn.commit()
  })
})
