import { describe, expect, test } from 'vitest'
import { resolveOptions } from '../../src/options.ts'
import { sqlite } from '../../src/store/dialects/sqlite.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, createFakeClock, ISSUER, openOwnGate } from '../support/gate.ts'

const DAY = 86_400_000

describe.each(availableEngines)('a hold on $name', (engine) => {
  test('keeps what it covers and nothing else, and lets go of it when it is released', async () => {
    const on = await openOwnGate(engine, { networkDays: 10, mediumVolumeDays: 20 })
    const { gate } = on
    const start = on.clock.now()
    const here = { ip: '203.0.113.1' }
    const write = (userId: string, actor?: string) =>
      gate.log.append(
        { type: 'app.act', userId },
        { ...here, ...(actor !== undefined && { actor: { kind: 'application', id: actor } }) },
      )
    await write('1')
    await write('2')
    await write('2', '1')
    await codeOf(gate.login({ identifier: 'Typed@example.org', password: 'not a password of anybody' }, here))
    on.clock.advance(DAY)
    await write('3')
    // Not with a scenario: that counts events, and here some go.
    const told = async () =>
      (await on.events())
        .filter(({ type }) => /^log\./.test(type))
        .map(({ type, actor, subject, identifierMask, data }) => [type, actor.id, subject ?? identifierMask, data])
    const admin = { actor: { kind: 'admin', id: 'usr_admin' } } as const
    const user = await gate.log.holds.add({ userId: 1, reason: 'court', reference: 'CASE-1' }, admin)
    const name = await gate.log.holds.add({ identifier: 'typed@example.org', reason: 'court' }, admin)
    const time = await gate.log.holds.add({ from: start + DAY, to: start + DAY + 1, reason: 'incident' }, admin)
    const held = [
      ['log.held', 'usr_admin', '1', { hold: user.id, reference: 'CASE-1' }],
      ['log.held', 'usr_admin', 't***@e***.org', { hold: name.id }],
      ['log.held', 'usr_admin', null, { hold: time.id, from: start + DAY, to: start + DAY + 1 }],
    ]
    expect(await told()).toEqual(held)
    on.clock.advance(40 * DAY)
    const { items } = await gate.log.expire({ dryRun: true })
    expect(items.map(({ class: kind, volume, count }) => [kind, volume, count])).toEqual([
      ['net', null, 1],
      ['event', 'medium', 1],
    ])
    await gate.log.expire()
    const left = async () => {
      const rows = await on.direct.kysely
        .selectFrom('gatebook_event')
        .select(['type', 'subject_id', 'actor_id', 'ip'])
        .where('type', 'in', ['app.act', 'login.failed'])
        .orderBy('number')
        .execute()
      return rows.map((row) => [row.type, row.subject_id, row.actor_id, row.ip])
    }
    expect(await left()).toEqual([
      ['app.act', '1', null, here.ip],
      ['app.act', '2', '1', here.ip],
      ['login.failed', null, null, here.ip],
      ['app.act', '3', null, here.ip],
    ])
    expect((await on.events()).filter(({ type }) => type === 'log.expired').length).toBe(2)
    await gate.log.holds.release(user.id, admin)
    expect((await gate.log.holds.list()).map(({ id }) => id).toSorted()).toEqual([name.id, time.id].toSorted())
    await gate.log.expire()
    expect((await left()).map(([, subject]) => subject)).toEqual([null, '3'])
    for (const { id } of [name, time]) await gate.log.holds.release(id)
    expect(await codeOf(gate.log.holds.release(time.id))).toBe('ERR_HOLD_NOT_FOUND')
    await gate.log.expire()
    // A log-in is of high volume, and kept for longer than that; its address is not.
    expect(await left()).toEqual([['login.failed', null, null, null]])
    const expired = (kind: string, days: number, count: number) => {
      const before = Math.floor(on.clock.now() / DAY - days) * DAY
      const data = { class: kind, actors: 'users', before, count, ...(kind === 'event' && { volume: 'medium' }) }
      return ['log.expired', null, null, data]
    }
    // Rows that went after a release have an announcement of their own.
    expect(await told()).toEqual([
      ...held,
      expired('net', 10, 1),
      expired('event', 20, 1),
      ['log.released', 'usr_admin', '1', { hold: user.id, reference: 'CASE-1' }],
      expired('net', 10, 2),
      expired('event', 20, 2),
      ['log.released', null, 't***@e***.org', { hold: name.id }],
      ['log.released', null, null, { hold: time.id }],
      expired('net', 10, 2),
      expired('event', 20, 1),
    ])
  })

  test('must say why, and between which instants', async () => {
    const { gate } = await openOwnGate(engine)
    for (const input of [
      { reason: '' },
      { reason: 'x'.repeat(501) },
      { reason: 'x', from: 5, to: 5 },
      { reason: 'x', from: -1 },
      { reason: 'x', to: 1.5 },
    ]) {
      expect([input, await codeOf(gate.log.holds.add(input))]).toEqual([input, 'ERR_HOLD_INVALID'])
    }
    expect(await codeOf(gate.log.holds.add({ reason: 'x', reference: 'anna@example.org' }))).toBe(
      'ERR_REFERENCE_INVALID',
    )
    expect(await gate.log.holds.list()).toEqual([])
  })

  test('stands in the way of nobody who logs in, and programs beside the server keep to its periods', async () => {
    const on = await openOwnGate(engine, { networkDays: 100 })
    await on.gate.sessions.start('7', {}, { ip: '203.0.113.1' })
    await on.gate.log.holds.add({ reason: 'everything' })
    expect(await codeOf(on.gate.sessions.start('7'))).toBe('no error')
    const beside = await on.another({ attach: true, networkDays: 1, adminNetworkDays: 1 })
    for (const { id } of await beside.log.holds.list()) await beside.log.holds.release(id)
    on.clock.advance(50 * DAY)
    expect((await beside.log.expire()).items).toEqual([])
    on.clock.advance(60 * DAY)
    expect((await beside.log.expire()).items).toContainEqual(expect.objectContaining({ class: 'net', actors: 'users' }))
  })
})

describe('the periods', () => {
  const resolve = (periods: object) =>
    resolveOptions({ issuer: ISSUER, database: sqlite(':memory:'), ...periods }, createFakeClock(), 1)

  test.each([
    [{ networkDays: 800 }, /^adminNetworkDays: /],
    [{ networkDays: 0 }, /^adminNetworkDays: /],
    [{ highVolumeDays: 29 }, /^highVolumeDays: /],
    [{ adminEventDays: 364 }, /^adminEventDays: .*at least 365 days/],
    [{ networkDays: -1 }, /^networkDays: /],
  ])('%j is refused', (periods, detail) => {
    expect(() => resolve(periods)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION_INVALID', detail: expect.stringMatching(detail) }),
    )
  })

  test.each([
    {},
    { networkDays: 0, adminNetworkDays: 0 },
    { adminEventDays: 0, highVolumeDays: 0 },
    { adminEventDays: 365 },
  ])('%j is not', (periods) => {
    expect(resolve(periods)).toMatchObject(periods)
  })
})
