import { describe, expect, test } from 'vitest'
import type { HoldInput } from '../../src/api.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openOwnGate } from '../support/gate.ts'

const DAY = 86_400_000
const NAMES = { one: 'one@example.org', other: 'other@example.org', absent: 'absent@example.org' }

interface Written {
  readonly userId: string
  readonly identifier: string
  readonly at: number
}

/** Every way to say whom a hold is on, and when: each condition is not there, true of some events, or of none. */
function listConditions(begin: number, end: number): readonly Omit<HoldInput, 'reason'>[] {
  const pick = <T>(name: string, values: readonly T[]) => [{}, ...values.map((value) => ({ [name]: value }))]
  return pick('userId', ['1', '3']).flatMap((user) =>
    pick('identifier', [NAMES.one, NAMES.absent]).flatMap((identifier) =>
      pick('from', [begin, begin + 5 * DAY]).flatMap((from) =>
        pick('to', [end, begin - 5 * DAY])
          .map((to) => ({ ...user, ...identifier, ...from, ...to }) as Omit<HoldInput, 'reason'>)
          .filter(({ from = 0, to = Number.MAX_SAFE_INTEGER }) => from < to),
      ),
    ),
  )
}

const isTrue = (hold: Omit<HoldInput, 'reason'>, { userId, identifier, at }: Written): boolean =>
  (hold.userId === undefined || hold.userId === userId) &&
  (hold.identifier === undefined || hold.identifier === identifier) &&
  (hold.from === undefined || at >= hold.from) &&
  (hold.to === undefined || at < hold.to)

describe.each(availableEngines)('the conditions of a hold on $name', (engine) => {
  test('must all be true of what is kept, and those that name whom stand against an erasure at any time', {
    timeout: 120_000,
  }, async () => {
    const on = await openOwnGate(engine, { networkDays: 10, throttlePairFree: 100 })
    const { gate } = on
    const written: Written[] = []
    const write = async (userId: string, identifier: string): Promise<void> => {
      const attempt = await gate.attempts.begin({ identifier, userId }, { ip: '203.0.113.1' })
      await attempt.fail('wrong-password')
      written.push({ userId, identifier, at: on.clock.now() })
    }
    const start = on.clock.now()
    for (let day = 0; day < 3; day++) {
      await write('1', NAMES.one)
      await write('1', NAMES.other)
      await write('2', NAMES.one)
      on.clock.advance(DAY)
    }
    on.clock.advance(40 * DAY)
    const countDue = async (): Promise<number> => {
      const { items } = await gate.log.expire({ dryRun: true })
      return items.reduce((sum, { count }) => sum + count, 0)
    }
    expect(await countDue()).toBe(written.length)
    const about = written.filter(({ userId }) => userId === '1')
    const conditions = listConditions(start + DAY, start + DAY + 1)
    expect(conditions.length).toBe(54)
    const kept = new Set<number>()
    for (const hold of conditions) {
      const { id } = await gate.log.holds.add({ ...hold, reason: 'court' })
      const held = written.filter((event) => isTrue(hold, event)).length
      kept.add(held)
      expect([hold, written.length - (await countDue())]).toEqual([hold, held])
      const isNamed = hold.userId !== undefined || hold.identifier !== undefined
      const stands = isNamed
        ? hold.userId === '1' || hold.identifier === NAMES.one
        : about.some((event) => isTrue(hold, event))
      expect([hold, (await gate.log.previewErasure({ userId: 1 })).holds]).toEqual([hold, stands ? [id] : []])
      if (stands) expect(await codeOf(gate.log.erase({ userId: 1 }))).toBe('ERR_HELD')
      await gate.log.holds.release(id)
    }
    expect([...kept].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 6, 9])

    await gate.log.holds.add({ userId: 1, identifier: NAMES.one, from: start + DAY, to: start + DAY + 1, reason: 'x' })
    await gate.log.expire()
    const left = await on.direct.kysely
      .selectFrom('gatebook_event')
      .select(['subject_id', 'identifier', 'at'])
      .where('ip', 'is not', null)
      .execute()
    expect(left.map((row) => [row.subject_id, row.identifier, Number(row.at)])).toEqual([['1', NAMES.one, start + DAY]])
    expect(await codeOf(gate.log.erase({ userId: 1 }))).toBe('ERR_HELD')
    expect(await codeOf(gate.log.erase({ identifier: NAMES.one }))).toBe('ERR_HELD')
    expect((await gate.log.erase({ identifier: NAMES.other })).events).toBe(3)
    // The name is also his.
    expect(await codeOf(gate.log.erase({ userId: 2 }))).toBe('ERR_HELD')
  })

  test('on a time are true of whoever was signed in then and did nothing, or would be signed out by the erasure', async () => {
    const on = await openOwnGate(engine)
    const { gate } = on
    const start = on.clock.now()
    const { sessionId } = await gate.sessions.start('7', {}, { ip: '203.0.113.1' })
    on.clock.advance(3 * DAY)
    const live = await gate.log.holds.add({ from: start + DAY, reason: 'incident' })
    expect((await gate.log.previewErasure({ userId: 7 })).holds).toEqual([live.id])
    await gate.log.holds.release(live.id)
    await gate.sessions.end(sessionId, 'logout')
    on.clock.advance(DAY)
    for (const [from, to, stands] of [
      [start + DAY, start + DAY + 1, true],
      [start - DAY, start, false],
      [start + 3 * DAY + 1, undefined, false],
    ] as const) {
      const { id } = await gate.log.holds.add({ from, ...(to !== undefined && { to }), reason: 'incident' })
      expect((await gate.log.previewErasure({ userId: 7 })).holds).toEqual(stands ? [id] : [])
      if (stands) expect(await codeOf(gate.log.erase({ userId: 7 }))).toBe('ERR_HELD')
      await gate.log.holds.release(id)
    }
    expect(await gate.log.erase({ userId: 7 })).toMatchObject({ userId: '7', sessions: 1 })
  })
})
