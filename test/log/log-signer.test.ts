import { rm, writeFile } from 'node:fs/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createEventLog } from '../../src/log/append.ts'
import { createMacCheck } from '../../src/log/entry-walk.ts'
import { createFileGuard } from '../../src/log/guards/file-guard.ts'
import { createLogSigner } from '../../src/log/log-signer.ts'
import { createSequencer } from '../../src/log/sequencer.ts'
import { parseMasterSecret } from '../../src/secret/master-secret.ts'
import { openFileLock } from '../../src/store/dialects/file-lock.ts'
import { createSqlStore } from '../../src/store/sql/sql-store.ts'
import type { Store } from '../../src/store/store.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, dialectOf, openOwnGate, SECRET, type TestGate, until } from '../support/gate.ts'
import { guardOf } from '../support/log-signing.ts'
import { append, expectSigned, KEY, readGuard, readSize, untilSigned } from './signed-log.ts'

const QUEUED = availableEngines.filter(({ name }) => name !== 'sqlite')
const secret = parseMasterSecret(SECRET, 'secret')
const diagnostics = { debug() {}, info() {}, warn() {}, error() {} }

async function untilStopped(on: TestGate, divergence: string): Promise<void> {
  await until(divergence, async () => isStopped(on, divergence))
}

function isStopped({ diagnostics }: TestGate, divergence: string): boolean {
  return diagnostics.some(
    ({ fields, level }) => level === 'error' && 'divergence' in fields && fields.divergence === divergence,
  )
}

describe.each(availableEngines)('the log on $name', (engine) => {
  test('is signed, by whichever process has the lock, and each checkpoint is of the one tree', async () => {
    const on = await openOwnGate(engine)
    await on.another()
    await append(on, 10)
    await untilSigned(on)
    await append(on, 300)
    await expectSigned(on)
    const { waiting, missing, stopped } = on.gate.log.status()
    expect({ missing, stopped }).toEqual({ missing: 0, stopped: null })
    expect(waiting).toBeLessThan(400)
  })

  test('goes on where it was after a start, from its tiles and its entries', async () => {
    const on = await openOwnGate(engine)
    await append(on, 520)
    await untilSigned(on)
    await on.gate.close()
    await on.another()
    await append(await reopened(on), 3)
    await expectSigned(on)
  })

  test('does not start beside a log without its guard, and does after it was adopted', async () => {
    const on = await openOwnGate(engine)
    await append(on, 5)
    const size = await untilSigned(on)
    await on.gate.close()
    await rm(guardOf(on.database.url))
    expect(await codeOf(on.another())).toBe('ERR_LOG_GUARD_MISSING')
    const operator = await on.another({ attach: true })
    expect(await operator.log.adopt()).toEqual({ epoch: 1, size, previousSize: size })
    expect(await codeOf(operator.log.adopt())).toBe('ERR_LOG_GUARD_PRESENT')
    await operator.close()
    await on.another()
    await expectSigned(on)
    const { items } = await (await reopened(on)).gate.log.search({ type: 'log.epoch' })
    expect(items.map(({ reason, data }) => [reason, data.epoch, data.size])).toEqual([['guard-adopted', 1, size]])
  })

  test('that was rolled back is not signed on; log-ins are, and a new epoch signs again', async () => {
    const on = await openOwnGate(engine)
    await append(on, 20)
    const size = await untilSigned(on)
    await on.gate.close()
    // As a backup would have it.
    const { kysely } = on.direct
    await kysely
      .deleteFrom('gatebook_entry')
      .where('log_index', '>=', size - 4)
      .execute()
    await kysely
      .updateTable('gatebook_log_state')
      .set({ size: size - 4 })
      .execute()
    await kysely.deleteFrom('gatebook_checkpoint').execute()
    const again = await reopened(on)
    await untilStopped(on, 'rolled-back')
    const anna = on.person()
    expect(await codeOf(again.gate.register(anna, anna.context))).toBe('no error')
    expect((await readGuard(on)).size).toBe(size)
    expect(again.gate.log.status().stopped?.code).toBe('ERR_LOG_DIVERGED')
    const operator = await on.another({ attach: true })
    const recovered = await operator.log.recover()
    expect(recovered.epoch).toBe(2)
    expect(recovered.previousSize).toBe(size)
    await operator.close()
    await until('it signs again', async () => again.gate.log.status().stopped === null, 15_000)
    await append(again, 2)
    await expectSigned(on, 2)
    const { items } = await again.gate.log.search({ type: 'log.epoch' })
    expect(items.map(({ reason, data }) => [reason, data.epoch, data.previous_size])).toEqual([['restored', 2, size]])
    const after = await on.another({ attach: true })
    expect(await codeOf(after.log.recover())).toBe('ERR_LOG_INTACT')
  })

  test('whose history was rewritten is not signed on', async () => {
    const on = await openOwnGate(engine)
    await append(on, 10)
    await untilSigned(on)
    await on.gate.close()
    const { kysely } = on.direct
    // Entry and hash fit together; the signed root knows better.
    const [first, second] = await kysely
      .selectFrom('gatebook_entry')
      .selectAll()
      .orderBy('log_index')
      .limit(2)
      .execute()
    const { leaf, leaf_hash, mac } = first!
    await kysely
      .updateTable('gatebook_entry')
      .set({ leaf, leaf_hash, mac })
      .where('log_index', '=', second!.log_index)
      .execute()
    await reopened(on)
    await untilStopped(on, 'rewritten')
  })

  test('whose tiles were edited is not signed on', async () => {
    const on = await openOwnGate(engine)
    await append(on, 300)
    await untilSigned(on)
    await on.gate.close()
    await on.direct.kysely
      .updateTable('gatebook_tile')
      .set({ hashes: Buffer.alloc(32, 7) })
      .where('level', '=', 1)
      .execute()
    await reopened(on)
    await untilStopped(on, 'rewritten')
  })

  test('does not take in an entry that no writer has made', async () => {
    const on = await openOwnGate(engine)
    await append(on, 3)
    const size = await untilSigned(on)
    await on.gate.close()
    const { kysely } = on.direct
    const { leaf, leaf_hash } = await kysely.selectFrom('gatebook_entry').selectAll().limit(1).executeTakeFirstOrThrow()
    await kysely
      .insertInto('gatebook_entry')
      .values({ log_index: size, event_id: 'evt_forged', leaf, leaf_hash, mac: Buffer.alloc(32) })
      .execute()
    await kysely
      .updateTable('gatebook_log_state')
      .set({ size: size + 1 })
      .execute()
    await reopened(on)
    await untilStopped(on, 'forged')
    expect((await readGuard(on)).size).toBe(size)
  })

  test('believes no guard that its key has not signed, and none that has gone', async () => {
    const on = await openOwnGate(engine)
    await append(on, 3)
    await untilSigned(on)
    await until('the guard is missed', async () => {
      // Again, because a turn that has read it just before writes the next one.
      await rm(guardOf(on.database.url), { force: true })
      await append(on, 1)
      return isStopped(on, 'guard-gone')
    })
    await writeFile(guardOf(on.database.url), 'app.example/log-test\n1\nAAAA\n\n— app.example/log-test AAAA\n')
    await on.gate.close()
    await reopened(on)
    await untilStopped(on, 'guard-invalid')
  })

  test('that says another size than it has is not signed on', async () => {
    const on = await openOwnGate(engine)
    await append(on, 3)
    const size = await untilSigned(on)
    await on.direct.kysely
      .updateTable('gatebook_log_state')
      .set({ size: size + 7 })
      .execute()
    await append(on, 1).catch(() => undefined)
    await untilStopped(on, 'gap')
  })

  test('is signed to the end after a kill at every step, with one root for each size', async () => {
    const on = await openOwnGate(engine, { logSigning: 'off' })
    await rm(guardOf(on.database.url), { force: true })
    const opened = await dialectOf(on.database.url).connect()
    const store = createSqlStore(opened)
    onTestFinished(() => store.close())
    const log = createEventLog({ clock: on.clock, secret, onAppended() {} })
    const seen = new Map<number, string>()
    let killed = 0
    for (let step = 1; step < 200; step++) {
      await store.transaction((tx) =>
        log.append(tx, [{ type: 'app.written', outcome: 'success', actor: { kind: 'application' }, data: { step } }]),
      )
      const dies = countDown(step % 23)
      const doomed = createSigner(mortal(store, dies), on, seen, dies)
      const end = await codeOf(doomed.advance())
      if (end === 'Error: killed') killed += 1
      else expect(end).toBe('no error')
      if (step % 23 === 0) break
    }
    expect(killed).toBeGreaterThan(5)
    while ((await createSigner(store, on, seen).advance()) !== 'done');
    await expectSigned(on)
    expect(await readSize(on)).toBeGreaterThan(20)
  })

  function createSigner(store: Store, on: TestGate, seen: Map<number, string>, dies: () => void = () => {}) {
    const real = createFileGuard(guardOf(on.database.url), openFileLock)
    onTestFinished(() => real.close())
    return createLogSigner({
      store,
      key: KEY,
      isGenuine: createMacCheck(secret),
      sequencer: store.traits.queued ? createSequencer({ store, secret, clock: on.clock, diagnostics }) : null,
      clock: on.clock,
      isNew: true,
      onSigned() {},
      guard: {
        location: real.location,
        close: () => real.close(),
        peek: () => real.peek(),
        async tryLock() {
          const lock = (await real.tryLock())!
          return {
            read: () => lock.read(),
            async write(note) {
              dies()
              await lock.write(note)
              const [, size = '', root = ''] = note.split('\n')
              expect(seen.get(Number(size)) ?? root, 'one root for each size').toBe(root)
              seen.set(Number(size), root)
              dies()
            },
            unlock: () => lock.unlock(),
          }
        },
      },
    })
  }
})

describe.each(QUEUED)('an event that waits on $name', (engine) => {
  test('and is taken out of the database is missed by the process that has left it', async () => {
    const on = await openOwnGate(engine)
    await append(on, 1)
    await untilSigned(on)
    const writer = await on.another({ logSigning: 'off' })
    await on.gate.close()
    const [kept, taken] = [
      await writer.log.append({ type: 'app.kept' }),
      await writer.log.append({ type: 'app.taken' }),
    ]
    await on.direct.kysely.deleteFrom('gatebook_queue').where('event_id', '=', taken).execute()
    on.clock.advance(20_000)
    const signer = await reopened(on)
    await append(signer, 1)
    await untilSigned(on)
    const alarm = await until('the alarm', async () => {
      on.clock.advance(100)
      return on.diagnostics.find(({ message }) => message.includes('has committed are not'))
    })
    expect(alarm.fields).toEqual({ events: [taken] })
    expect(writer.log.status()).toMatchObject({ signing: false, missing: 1 })
    expect(kept).not.toBe(taken)
  })
})

/** The same database with another gate, as after a start. */
async function reopened(on: TestGate): Promise<TestGate> {
  return { ...on, gate: await on.another() }
}

function countDown(steps: number): () => void {
  let left = steps
  return () => {
    left -= 1
    if (left === 0) throw new Error('killed')
  }
}

/** Dies before or after what it asks of the database. */
function mortal(store: Store, dies: () => void): Store {
  const around = async <T>(work: () => Promise<T>): Promise<T> => {
    dies()
    const result = await work()
    dies()
    return result
  }
  return {
    ...store,
    read: (work) => around(() => store.read(work)),
    transaction: (work, durability) => around(() => store.transaction(work, durability)),
  }
}
