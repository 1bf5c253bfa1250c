import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Gatebook, WatchOptions, WatchStep } from '../../src/api.ts'
import { encodeCursor } from '../../src/log/cursor.ts'
import { createEventReader, type EventReader } from '../../src/log/reader.ts'
import { createLogWatch } from '../../src/log/watch.ts'
import { createSqlStore } from '../../src/store/sql/sql-store.ts'
import type { IdentifierKeys } from '../../src/user/identifier.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openOwnGate, scenario, type TestGate, until } from '../support/gate.ts'

const NO_IDENTIFIERS: IdentifierKeys = { describe: () => ({ hmac: '', keyVersion: 1 }), digests: () => [] }

async function append(gate: Gatebook, from: number, count: number, type: `app.${string}` = 'app.test'): Promise<void> {
  const numbers = Array.from({ length: count }, (_, place) => from + place)
  for (let at = 0; at < count; at += 50) {
    await Promise.all(numbers.slice(at, at + 50).map((number) => gate.log.append({ type, data: { number } })))
  }
}

interface Watching {
  readonly seen: WatchStep[]
  readonly ids: () => string[]
  stop(): Promise<void>
  readonly ended: Promise<void>
}

/** Reads as fast as steps come. */
function start(gate: Pick<Gatebook['log'], 'watch'>, options: WatchOptions = {}): Watching {
  const stopping = new AbortController()
  const seen: WatchStep[] = []
  const ended = (async () => {
    for await (const step of gate.watch({ ...options, signal: stopping.signal })) seen.push(step)
  })()
  ended.catch(() => undefined)
  const stop = async () => {
    stopping.abort()
    await ended
  }
  onTestFinished(() => stop().catch(() => undefined))
  return { seen, stop, ended, ids: () => seen.flatMap((step) => (step.kind === 'event' ? [step.event.id] : [])) }
}

/** In the order of their places, when all of them have one. */
async function idsInOrder(on: TestGate, count: number): Promise<string[]> {
  return until('every event has its place', async () => {
    const rows = await on.direct.kysely.selectFrom('gatebook_entry').select('event_id').orderBy('log_index').execute()
    const { size } = await on.direct.kysely.selectFrom('gatebook_log_state').select('size').executeTakeFirstOrThrow()
    const ids = rows.map(({ event_id: id }) => id)
    return Number(size) === ids.length && ids.length >= count && ids
  })
}

describe.each(availableEngines)('watching the log on $name', (engine) => {
  test('begins now, says what comes, and leaves nothing', async () => {
    const on = await openOwnGate(engine)
    await append(on.gate, 0, 3)
    // On some engines, these have no place yet.
    const watch = start(on.gate.log)
    const filtered = start(on.gate.log, { filter: { type: 'app.wanted', not: { outcome: 'denied' } } })
    await until('both are ready', async () => watch.seen.length > 0 && filtered.seen.length > 0)
    const { expectEvents } = await scenario(on)
    const first = await on.gate.log.append({ type: 'app.other' })
    await on.gate.log.append({ type: 'app.wanted', outcome: 'denied' })
    const last = await on.gate.log.append({ type: 'app.wanted', data: { a: 1 } })
    await until('the events come', async () => watch.ids().length === 3 && filtered.ids().length === 1)
    expect(watch.seen.map(({ kind }) => kind)).toEqual(['ready', 'event', 'event', 'event'])
    expect([watch.ids().at(0), watch.ids().at(-1), ...filtered.ids()]).toEqual([first, last, last])
    expect(filtered.seen[1]).toMatchObject({ event: await on.gate.log.find(last) })
    await watch.stop()
    await on.gate.log.append({ type: 'app.wanted' })
    await until('the other one goes on', async () => filtered.ids().length === 2)
    expect(watch.ids()).toHaveLength(3)
    await expectEvents([
      { event: 'app.other success', actor: 'application' },
      { event: 'app.wanted denied', actor: 'application' },
      { event: 'app.wanted success', actor: 'application', data: { a: 1 } },
      { event: 'app.wanted success', actor: 'application' },
    ])
  })

  test('goes on where it has ended, whatever comes meanwhile: nothing is missed, and nothing comes twice', async () => {
    const on = await openOwnGate(engine)
    await idsInOrder(on, 2)
    const first = start(on.gate.log)
    await until('it is ready', async () => first.seen.length > 0)
    await first.stop()
    let cursor = first.seen[0]!.cursor
    const known = new Set((await on.gate.log.search({}, { limit: 500 })).items.map((event) => event.id))
    const other = await on.another()
    const writing = Promise.all([append(on.gate, 0, 900), append(other, 900, 900)])
    const ids: string[] = []
    // Ended after so many steps, often in the middle of a page; the others after some time, behind the shared reader.
    for (const most of [1, 7, 499, 500, 501, 3, 20, Number.POSITIVE_INFINITY]) {
      const stopping = new AbortController()
      const enough = Math.min(ids.length + most, 1800)
      for await (const step of on.gate.log.watch({ after: cursor, signal: stopping.signal })) {
        cursor = step.cursor
        if (step.kind === 'event') ids.push(step.event.id)
        if (step.kind === 'overflow' || (step.kind === 'event' && ids.length >= enough)) {
          stopping.abort()
          break
        }
      }
    }
    await writing
    const all = (await idsInOrder(on, 1800)).filter((id) => !known.has(id))
    expect(ids).toEqual(all)
  }, 60_000)

  test('costs one reader of the database, however many watch', async () => {
    const on = await openOwnGate(engine)
    const store = createSqlStore(on.direct, 'test')
    const real = createEventReader(store, NO_IDENTIFIERS)
    let asked = 0
    const counted: EventReader = {
      ...real,
      lastPlace: () => {
        asked += 1
        return real.lastPlace()
      },
      follow: (...given) => {
        asked += 1
        return real.follow(...given)
      },
    }
    const closing = new AbortController()
    const diagnostics = { debug() {}, info() {}, warn() {}, error() {} }
    const hub = createLogWatch({ reader: counted, identifiers: NO_IDENTIFIERS, closing: closing.signal, diagnostics })
    const watches = Array.from({ length: 60 }, () => start(hub))
    await until('all are ready', async () => watches.every(({ seen }) => seen.length > 0))
    await sleep(300)
    const before = asked
    await append(on.gate, 0, 10)
    await until('all have all', async () => watches.every(({ ids }) => ids().length >= 10))
    await sleep(500)
    // Two for each step of the reader, every quarter of a second; one watcher by itself would ask as often.
    expect(asked - before).toBeLessThan(30)
    expect(new Set(watches.map(({ ids }) => ids().join())).size).toBe(1)
    closing.abort()
    await Promise.all(watches.map(({ ended }) => ended))
    await hub.stop()
    const after = asked
    await sleep(300)
    expect(asked).toBe(after)
  })

  test('ends for whoever is too far behind, who can go on', async () => {
    const on = await openOwnGate(engine)
    await idsInOrder(on, 2)
    const steps = on.gate.log.watch({ idleMilliseconds: 20 })[Symbol.asyncIterator]()
    const next = async (): Promise<WatchStep> => (await steps.next()).value as WatchStep
    expect((await next()).kind).toBe('ready')
    // Then it has met the shared reader.
    await until('it is idle', async () => (await next()).kind === 'idle')
    // So has this one: what it sees from here on, the shared reader has read.
    const follower = start(on.gate.log, { idleMilliseconds: 20 })
    await until('the follower is idle', async () => follower.seen.some(({ kind }) => kind === 'idle'))
    await append(on.gate, 0, 1300)
    const mark = await on.gate.log.append({ type: 'app.mark' })
    await until('the shared reader is through', async () => follower.ids().includes(mark))
    // Whatever was written before the mark has its place before it.
    const all = await idsInOrder(on, 1301)
    expect(all.at(-1)).toBe(mark)
    const seen: string[] = []
    let last = await next()
    while (last.kind === 'event') {
      seen.push(last.event.id)
      last = await next()
    }
    expect([last.kind, seen.length]).toEqual(['overflow', 1000])
    expect((await steps.next()).done).toBe(true)
    const rest = start(on.gate.log, { after: last.cursor })
    await until('the rest comes', async () => rest.ids().includes(mark))
    expect([...seen, ...rest.ids()]).toEqual(all.slice(-1301))
    expect(seen.length + rest.ids().length).toBe(1301)
  }, 60_000)

  test('an idle step tells how far one has come, past what the filter leaves out', async () => {
    const on = await openOwnGate(engine)
    const watch = start(on.gate.log, { filter: { type: 'app.wanted' }, idleMilliseconds: 20 })
    await until('it is ready', async () => watch.seen.length > 1)
    await append(on.gate, 0, 5)
    const [ready] = watch.seen
    const idle = await until('it has come further', async () =>
      watch.seen.find(({ cursor }) => cursor !== ready!.cursor),
    )
    expect(idle.kind).toBe('idle')
  })

  test('ends at the release, and with the gate', async () => {
    const on = await openOwnGate(engine)
    const watch = start(on.gate.log)
    await until('it is ready', async () => watch.seen.length > 0)
    on.gate.log.release()
    await watch.ended
    expect(await codeOf(start(on.gate.log).ended)).toBe('ERR_CLOSED')
    const other = await on.another()
    const another = start(other.log)
    await until('it is ready', async () => another.seen.length > 0)
    await other.close()
    await another.ended
  })

  test('refuses cursors of something else, and places that the log has not come to', async () => {
    const on = await openOwnGate(engine)
    await append(on.gate, 0, 2)
    const page = await on.gate.log.search({}, { limit: 1 })
    for (const after of [page.next!, 'x', '', encodeCursor('place:999999'), encodeCursor('place:01')]) {
      expect(await codeOf(start(on.gate.log, { after }).ended)).toBe('ERR_CURSOR_INVALID')
    }
    expect(await codeOf(start(on.gate.log, { filter: { type: 'nonsense' } }).ended)).toBe('ERR_QUERY_INVALID')
  })
})
