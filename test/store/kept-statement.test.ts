import { describe, expect, onTestFinished, test } from 'vitest'
import { keepStatement } from '../../src/store/kept-statement.ts'
import { createSqlStore } from '../../src/store/sql/sql-store.ts'
import { availableEngines } from '../support/engines.ts'
import { dialectOf, openOwnGate } from '../support/gate.ts'

interface Mark {
  readonly name: string
  readonly value: string
}

describe.each(availableEngines)('a kept statement on $name', (engine) => {
  async function open() {
    const on = await openOwnGate(engine)
    const store = createSqlStore(await dialectOf(on.database.url).connect())
    onTestFinished(() => store.close())
    return store
  }

  test('is built once for each number of rows, and writes the rows of each call', async () => {
    const store = await open()
    let built = 0
    const insert = keepStatement(
      ({ db }, rows: readonly Mark[]) => {
        built++
        return db.insertInto('gatebook_meta').values(rows)
      },
      (row) => [row],
    )
    const marks = Array.from({ length: 6 }, (_, at) => ({ name: `kept:${at}`, value: `${at}'"?$1` }))
    await store.transaction(async (tx) => {
      await insert(tx, marks.slice(0, 1))
      await insert(tx, marks.slice(1, 3))
      await insert(tx, marks.slice(3, 5))
      await insert(tx, marks.slice(5))
    })
    expect(built).toBe(2)
    // Whoever writes the same columns in another order must not get them into one another's place.
    await store.transaction((tx) => insert(tx, [{ value: 'turned', name: 'kept:9' }]))
    expect(built).toBe(3)
    marks.push({ name: 'kept:9', value: 'turned' })
    for (const odd of [
      { name: 'kept:odd' },
      { name: 'kept:odd', value: '', more: '' },
      { name: 'kept:odd', other: '' },
    ]) {
      const both = [{ name: 'kept:first', value: '' }, odd as Mark]
      await expect(store.transaction(async (tx) => insert(tx, both))).rejects.toThrow('the same columns')
    }
    const rows = await store.db
      .selectFrom('gatebook_meta')
      .select(['name', 'value'])
      .where('name', 'like', 'kept:%')
      .orderBy('name')
      .execute()
    expect(rows).toEqual(marks)
  })

  test('is refused when its parameters are not those that it was built with', async () => {
    const store = await open()
    const swapped = keepStatement(
      ({ db }, rows: readonly Mark[]) => db.insertInto('gatebook_meta').values(rows),
      ({ name, value }) => [{ value, name }],
    )
    const short = keepStatement(
      ({ db }, rows: readonly Mark[]) => db.insertInto('gatebook_meta').values(rows),
      ({ name }) => [{ name }],
    )
    for (const insert of [swapped, short]) {
      await expect(store.transaction((tx) => insert(tx, [{ name: 'kept:x', value: 'y' }]))).rejects.toThrow(TypeError)
    }
    const row = await store.db
      .selectFrom('gatebook_meta')
      .select('name')
      .where('name', '=', 'kept:x')
      .executeTakeFirst()
    expect(row).toBeUndefined()
  })
})
