import { describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openOwnGate, type TestGate } from '../support/gate.ts'

const DAY = 86_400_000

/** Without what the database fills in. */
function columnsOf<Row extends { number: number }>(row: Row): Omit<Row, 'number'> {
  const copy: Partial<Row> & { time_utc?: string } = { ...row }
  delete copy.number
  delete copy.time_utc
  return copy as Omit<Row, 'number'>
}
const HERE = { ip: '203.0.113.1' }

/** Whoever has the database, and neither the master secret nor the key of the log. */
describe.each(availableEngines)('a hold that somebody has changed by SQL, on $name', (engine) => {
  async function held(): Promise<{ on: TestGate; hold: string }> {
    const on = await openOwnGate(engine, { networkDays: 10, mediumVolumeDays: 20 })
    await on.gate.log.append({ type: 'app.act', userId: '1' }, HERE)
    const { id } = await on.gate.log.holds.add({ userId: 1, reason: 'court', reference: 'CASE-1' })
    return { on, hold: id }
  }

  const refusals = async ({ gate, clock }: TestGate) => {
    clock.advance(40 * DAY)
    return [
      await codeOf(gate.log.erase({ userId: 1 })),
      await codeOf(gate.log.previewErasure({ userId: 1 })),
      await codeOf(gate.log.erase({ identifier: 'anna' })),
      await codeOf(gate.log.expire()),
      await codeOf(gate.log.prune()),
    ]
  }
  const REFUSED = Array.from({ length: 5 }, () => 'ERR_HOLD_TAMPERED')

  const left = async ({ direct }: TestGate) =>
    direct.kysely.selectFrom('gatebook_event').select(['subject_id', 'ip']).where('type', '=', 'app.act').execute()

  test('holds on when it is deleted, until it is released', async () => {
    const { on, hold } = await held()
    await on.direct.kysely.deleteFrom('gatebook_hold').execute()
    expect(await refusals(on)).toEqual(REFUSED)
    // Whatever else is held meanwhile.
    await on.gate.log.holds.add({ identifier: 'bert', reason: 'court' })
    expect(await codeOf(on.gate.log.erase({ userId: 1 }))).toBe('ERR_HOLD_TAMPERED')
    expect(await left(on)).toEqual([{ subject_id: '1', ip: HERE.ip }])
    await on.gate.log.holds.release(hold)
    expect(await codeOf(on.gate.log.holds.release(hold))).toBe('ERR_HOLD_NOT_FOUND')
    expect(await codeOf(on.gate.log.erase({ userId: 1 }))).toBe('no error')
    const told = (await on.events()).filter(({ type }) => type === 'log.released')
    expect(told.map(({ data }) => data)).toEqual([{ hold }])
  })

  test.each<[string, object]>([
    ['its user', { subject_id: '2' }],
    ['its time', { to_at: 1 }],
    ['its seal', { mac: Buffer.alloc(32) }],
  ])('holds on when %s is changed', async (_, change) => {
    const { on, hold } = await held()
    await on.direct.kysely.updateTable('gatebook_hold').set(change).execute()
    expect(await refusals(on)).toEqual(REFUSED)
    await on.gate.log.holds.release(hold)
    expect(await codeOf(on.gate.log.erase({ userId: 1 }))).toBe('no error')
  })

  test('is not released by an event that somebody writes', async () => {
    const { on, hold } = await held()
    const { kysely } = on.direct
    const row = await kysely
      .selectFrom('gatebook_event')
      .selectAll()
      .where('type', '=', 'log.held')
      .executeTakeFirstOrThrow()
    const columns = columnsOf(row)
    const id = `${row.id.slice(0, -1)}${row.id.endsWith('0') ? '1' : '0'}`
    const forged = { ...columns, id, type: 'log.released', data: JSON.stringify({ hold }) }
    await kysely.insertInto('gatebook_event').values(forged).execute()
    await kysely.deleteFrom('gatebook_hold').execute()
    expect(await codeOf(on.gate.log.erase({ userId: 1 }))).toBe('ERR_HOLD_TAMPERED')
  })

  test('that somebody invents by an event holds nothing', async () => {
    const { on, hold } = await held()
    await on.gate.log.holds.release(hold)
    const { kysely } = on.direct
    const row = await kysely
      .selectFrom('gatebook_event')
      .selectAll()
      .where('type', '=', 'log.held')
      .executeTakeFirstOrThrow()
    const columns = columnsOf(row)
    const forged = { ...columns, id: `${columns.id.slice(0, -2)}zz`, data: '{"hold":"hld_invented"}' }
    await kysely.insertInto('gatebook_event').values(forged).execute()
    expect(await codeOf(on.gate.log.erase({ userId: 1 }))).toBe('no error')
  })
})

describe.each(availableEngines)('an erasure on $name', (engine) => {
  test('does not count events that somebody has copied, so that they explain nothing', async () => {
    const on = await openOwnGate(engine)
    for (const _ of [1, 2, 3]) await on.gate.log.append({ type: 'app.act', userId: '1' }, HERE)
    const { kysely } = on.direct
    const rows = await kysely.selectFrom('gatebook_event').selectAll().where('subject_id', '=', '1').execute()
    const copies = rows.map((row, place) => ({ ...columnsOf(row), id: `${row.id.slice(0, -2)}x${place}` }))
    await kysely.insertInto('gatebook_event').values(copies).execute()
    // One of the log whose row is not what the log says is none of it either.
    await kysely.updateTable('gatebook_event').set({ method: 'x' }).where('id', '=', rows[0]!.id).execute()
    expect(await on.gate.log.erase({ userId: 1 })).toMatchObject({ events: 2, networks: 2 })
    const open = await kysely.selectFrom('gatebook_event').select('id').where('salt_id', 'is not', null).execute()
    expect(open.filter(({ id }) => [...rows, ...copies].some((row) => row.id === id))).toEqual([])
  })
})
