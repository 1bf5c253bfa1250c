import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { LogEvent } from '../../src/event/event.ts'
import { createEventLog } from '../../src/log/append.ts'
import { computeLeafHash, computeWriterMac } from '../../src/log/leaf.ts'
import { parseMasterSecret } from '../../src/secret/master-secret.ts'
import { createSqlStore } from '../../src/store/sql/sql-store.ts'
import { expectAgreement } from '../contract/agreement.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, dialectOf, openOwnGate, SECRET, type TestGate, until } from '../support/gate.ts'
import { fillLog } from './fill-log.ts'
import { untilSigned } from './signed-log.ts'

const QUEUED = availableEngines.filter(({ name }) => name !== 'sqlite')

/** Writes events in transactions that take their time, and of which some roll back. */
async function writeSlowly(on: TestGate, writers: number, each: number): Promise<string[]> {
  const store = createSqlStore(await dialectOf(on.database.url).connect())
  onTestFinished(() => store.close())
  const log = createEventLog({ clock: on.clock, secret: parseMasterSecret(SECRET, 'secret'), onAppended: () => {} })
  const written: string[] = []
  const write = async (writer: number): Promise<void> => {
    for (let count = 0; count < each; count++) {
      const rollsBack = (writer + count) % 4 === 0
      const ids = store.transaction(async (tx) => {
        const more = Array.from({ length: 1 + (count % 3) }, (_value, place) => ({
          type: 'app.written' as const,
          outcome: 'success' as const,
          actor: { kind: 'application' as const },
          data: { writer, count, place },
        }))
        const appended = await log.append(tx, more)
        // SQLite has one writer: for it, to take one's time is to keep everybody waiting.
        if (on.direct.traits.queued) await sleep(Math.random() * 20)
        if (rollsBack) throw new RangeError('rolled back')
        return appended
      })
      written.push(...(await ids.catch((error) => (error instanceof RangeError ? [] : Promise.reject(error)))))
    }
  }
  await Promise.all(Array.from({ length: writers }, (_value, writer) => write(writer)))
  return written
}

describe.each(availableEngines)('the order of the log on $name', (engine) => {
  test('has no gaps with sixteen writers, rollbacks and two sequencers, and nothing is in it twice', async () => {
    const on = await openOwnGate(engine)
    await on.another()
    await on.another()
    const written = await writeSlowly(on, 16, 8)
    await expectAgreement(on)
    const events = (await on.events()).filter(({ type }) => type === 'app.written')
    expect(events.map(({ id }) => id).sort()).toEqual(written.sort())
    // Events of one transaction stand in the order in which they were written.
    const entries = await on.direct.kysely
      .selectFrom('gatebook_entry')
      .select(['event_id'])
      .orderBy('log_index')
      .execute()
    const places = new Map(entries.map(({ event_id: id }, place) => [id, place]))
    const seen = new Map<string, number>()
    for (const { data } of [...events].sort((a, b) => places.get(a.id)! - places.get(b.id)!)) {
      const key = `${data.writer} ${data.count}`
      expect(data.place).toBe(seen.get(key) ?? 0)
      seen.set(key, (seen.get(key) ?? 0) + 1)
    }
  })

  test('is what a tail shows: each event once, late ones too', async () => {
    const on = await openOwnGate(engine)
    const end = new AbortController()
    const shown: LogEvent[] = []
    const filtered: LogEvent[] = []
    const collect = async (tail: AsyncIterable<LogEvent>, into: LogEvent[]) => {
      for await (const event of tail) into.push(event)
    }
    const before = await writeSlowly(on, 1, 3)
    const tails = [
      collect(on.gate.log.tail({ last: 2, signal: end.signal }), shown),
      collect(on.gate.log.tail({ filter: { type: 'app.other' }, signal: end.signal }), filtered),
    ]
    await until('the last two', async () => shown.length === 2)
    expect(shown.map(({ id }) => id)).toEqual(before.slice(-2))
    const written = await writeSlowly(on, 8, 6)
    const other = await on.gate.log.append({ type: 'app.other' })
    await until('all have been shown', async () => shown.length >= written.length + 3)
    await until('the other one', async () => filtered.length === 1)
    await sleep(300)
    end.abort()
    await Promise.all(tails)
    expect(
      shown
        .slice(2)
        .map(({ id }) => id)
        .sort(),
    ).toEqual([...written, other].sort())
    expect(filtered.map(({ id }) => id)).toEqual([other])
  })
})

describe.each(QUEUED)('the queue on $name', (engine) => {
  test('that others have filled is worked off without a pause, whatever it holds', async () => {
    const on = await openOwnGate(engine, { sequencerMilliseconds: 1000 })
    await untilSigned(on)
    await fillLog(on, 4500)
    const id = await on.gate.log.append({ type: 'app.x' })
    const started = performance.now()
    const size = await untilSigned(on)
    // Looked for as rarely as where nothing happens, the second of five batches would come after ten seconds.
    expect(performance.now() - started).toBeLessThan(9000)
    expect(size).toBeGreaterThan(4500)
    const last = await on.direct.kysely
      .selectFrom('gatebook_entry')
      .select('event_id')
      .where('log_index', '=', size - 1)
      .executeTakeFirstOrThrow()
    expect(last.event_id).toBe(id)
  })

  test('does not let a row in whose MAC is wrong, keeps it, and says so', async () => {
    const on = await openOwnGate(engine)
    const leaf = Buffer.from('{"forged":true}')
    const foreign = parseMasterSecret(SECRET.split('').reverse().join(''), 'secret').deriveCurrentKey('writer-mac')
    const forge = (id: string, mac: Uint8Array) =>
      on.direct.kysely.insertInto('gatebook_queue').values({ event_id: id, leaf, mac, rejected_at: null }).execute()
    await forge('evt_forged_1', Buffer.alloc(32))
    await forge('evt_forged_2', computeWriterMac(foreign, 'evt_forged_2', computeLeafHash(leaf)))
    const genuine = await on.gate.log.append({ type: 'app.genuine' })
    // A genuine MAC says which event it is of.
    const own = parseMasterSecret(SECRET, 'secret').deriveCurrentKey('writer-mac')
    await forge('evt_forged_3', computeWriterMac(own, genuine, computeLeafHash(leaf)))
    const rejected = await until('they are rejected', async () => {
      const rows = await on.direct.kysely.selectFrom('gatebook_queue').selectAll().execute()
      return rows.length === 3 && rows.every(({ rejected_at: at }) => at !== null) && rows
    })
    expect(rejected.map(({ event_id: id }) => id)).toEqual(['evt_forged_1', 'evt_forged_2', 'evt_forged_3'])
    const entries = await on.direct.kysely.selectFrom('gatebook_entry').select('event_id').execute()
    expect(entries.some(({ event_id: id }) => id.startsWith('evt_forged'))).toBe(false)
    expect(entries.some(({ event_id: id }) => id === genuine)).toBe(true)
    const told = await until('it is told', async () => on.diagnostics.find(({ level }) => level === 'error'))
    expect(told.message).toContain('MAC')
  })

  test('keeps a row with the id of an event that has its place, when its MAC is wrong', async () => {
    const on = await openOwnGate(engine)
    const genuine = await on.gate.log.append({ type: 'app.genuine' })
    await untilSigned(on)
    const row = { event_id: genuine, leaf: Buffer.from('{"forged":true}'), mac: Buffer.alloc(32), rejected_at: null }
    await on.direct.kysely.insertInto('gatebook_queue').values(row).execute()
    await on.gate.log.append({ type: 'app.genuine' })
    await untilSigned(on)
    const kept = await on.direct.kysely.selectFrom('gatebook_queue').select(['event_id', 'rejected_at']).execute()
    expect(kept).toEqual([{ event_id: genuine, rejected_at: expect.anything() }])
  })

  test('waits for a process that knows the secret, while the secret is being changed', async () => {
    const on = await openOwnGate(engine)
    const newer = await on.another({ secret: `1:${SECRET},2:${SECRET.split('').reverse().join('')}` })
    const anna = on.person()
    // Both sequence: the older one must not take what it cannot check for a forgery.
    for (let count = 0; count < 20; count++) {
      await newer.log.append({ type: 'app.newer' })
      await on.gate.log.append({ type: 'app.older' })
      await sleep(10)
    }
    expect(await codeOf(newer.register(anna, anna.context))).toBe('no error')
    await expectAgreement(on)
    expect(on.diagnostics.filter(({ level }) => level === 'error')).toEqual([])
  })

  test('takes in again what was rejected by a process that did not know the secret, when one starts that does', async () => {
    const on = await openOwnGate(engine)
    const secret = `1:${SECRET},2:${SECRET.split('').reverse().join('')}`
    const newer = await on.another({ secret, logSigning: 'off' })
    await on.gate.close()
    const rejected = await newer.log.append({ type: 'app.newer' })
    const { kysely } = on.direct
    const forged = { event_id: 'evt_forged', leaf: Buffer.from('{}'), mac: Buffer.alloc(32), rejected_at: 1 }
    await kysely.insertInto('gatebook_queue').values(forged).execute()
    await kysely.updateTable('gatebook_queue').set({ rejected_at: 1 }).execute()
    await on.another({ secret })
    await until('it has its place', async () =>
      kysely.selectFrom('gatebook_entry').select('log_index').where('event_id', '=', rejected).executeTakeFirst(),
    )
    const left = await kysely
      .selectFrom('gatebook_queue')
      .select('event_id')
      .where('rejected_at', 'is not', null)
      .execute()
    expect(left).toEqual([{ event_id: 'evt_forged' }])
  })

  test('does not wait for ever for such a process', async () => {
    const on = await openOwnGate(engine)
    await on.direct.kysely.insertInto('gatebook_meta').values({ name: 'secret:9', value: 'x' }).execute()
    const row = { event_id: 'evt_forged', leaf: Buffer.from('{}'), mac: Buffer.alloc(32), rejected_at: null }
    await on.direct.kysely.insertInto('gatebook_queue').values(row).execute()
    const read = () => on.direct.kysely.selectFrom('gatebook_queue').selectAll().executeTakeFirst()
    await on.gate.log.append({ type: 'app.x' })
    await until('it is told', async () => on.diagnostics.find(({ level }) => level === 'warn'))
    on.clock.advance(599_999)
    await on.gate.log.append({ type: 'app.x' })
    await until('what can be moved is moved', async () => {
      const waiting = await on.direct.kysely.selectFrom('gatebook_queue').select('number').execute()
      return waiting.length === 1
    })
    expect((await read())?.rejected_at).toBeNull()
    on.clock.advance(1)
    await until('it is rejected', async () => (await read())?.rejected_at !== null)
  })
})
