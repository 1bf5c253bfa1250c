import { describe, expect, test } from 'vitest'
import type { GatebookOptions } from '../../src/options.ts'
import { availableEngines } from '../support/engines.ts'
import { openOwnGate } from '../support/gate.ts'

const DAY = 86_400_000

describe.each(availableEngines)('on $name, periods that somebody has written into the database', (engine) => {
  test('have a program beside the server forget nothing', async () => {
    const on = await openOwnGate(engine, { networkDays: 30 })
    await on.gate.log.append({ type: 'app.tick', outcome: 'success' }, { ip: '192.0.2.7' })
    await on.gate.close()
    on.clock.advance(10 * DAY)
    const beside = await on.another({ attach: true } as Partial<GatebookOptions>)
    const { kysely } = on.direct
    const read = () =>
      kysely.selectFrom('gatebook_meta').select('value').where('name', '=', 'retention').executeTakeFirstOrThrow()
    const { value } = await read()
    for (const forged of [
      value.replace('"networkDays":30', '"networkDays":1'),
      'null',
      'nothing',
      '{"networkDays":1}',
    ]) {
      await kysely.updateTable('gatebook_meta').set({ value: forged }).where('name', '=', 'retention').execute()
      expect(await beside.log.expire()).toEqual({ dryRun: false, items: [] })
    }
    await kysely.updateTable('gatebook_meta').set({ value }).where('name', '=', 'retention').execute()
    expect(await beside.log.expire()).toEqual({ dryRun: false, items: [] })
    on.clock.advance(30 * DAY)
    expect((await beside.log.expire()).items).toContainEqual(expect.objectContaining({ class: 'net', actors: 'users' }))
    const said = on.diagnostics.filter(({ message }) => message.startsWith('The periods that the database says'))
    expect(said.length).toBe(4)
  })
})
