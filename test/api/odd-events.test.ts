import { describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openOwnGate } from '../support/gate.ts'

describe.each(availableEngines)('an event of the application on $name', (engine) => {
  test.each<readonly [string, object]>([
    ['a list with holes', { data: { a: Object.assign(new Array(3), { 0: 'x', 2: 'y' }) } }],
    ['an empty list with a hole', { data: { a: new Array(1) } }],
    ['an actor of no kind', { actor: 1 }],
  ])('that has %s is refused, and the log stays readable', async (_name, { actor, ...odd }: { actor?: unknown }) => {
    const { gate, events } = await openOwnGate(engine)
    const before = await events()
    const options = actor === undefined ? {} : { actor: { kind: 'evil' } as never }
    expect(await codeOf(gate.log.append({ type: 'app.odd', ...odd }, options))).toMatch(
      /^ERR_(EVENT|ARGUMENT)_INVALID$/,
    )
    expect(await events()).toEqual(before)
  })

  test('is what was looked at, whatever its members say the next time', async () => {
    const { gate } = await openOwnGate(engine)
    let asked = 0
    const event = {
      get type() {
        asked += 1
        return (asked <= 2 ? 'app.x' : 'login.succeeded') as 'app.x'
      },
    }
    await gate.log.append(event)
    expect((await gate.log.search({ type: 'login.*' })).items).toEqual([])
    expect((await gate.log.search({ type: 'app.x' })).items).toHaveLength(1)
  })

  test('whose data somebody has spoilt does not hide the others', async () => {
    const { gate, direct } = await openOwnGate(engine)
    const id = await gate.log.append({ type: 'app.x', data: { a: 1 } })
    await gate.log.append({ type: 'app.x', data: { b: 2 } })
    await direct.kysely.updateTable('gatebook_event').set({ data: '{"a":[,]}' }).where('id', '=', id).execute()
    const { items } = await gate.log.search({ type: 'app.x' })
    expect(items.map(({ data }) => data)).toEqual([{ b: 2 }, { unreadable: '{"a":[,]}' }])
  })

  test('a row that is nothing costs one row of an import', async () => {
    const { gate } = await openOwnGate(engine)
    const refused: string[] = []
    const report = await gate.users.import([null, undefined, 7] as never, {
      onRefused: ({ code }) => void refused.push(code),
    })
    expect(report.refused).toBe(3)
    expect(refused).toEqual(['ERR_ROW_MALFORMED', 'ERR_ROW_MALFORMED', 'ERR_ROW_MALFORMED'])
  })
})
