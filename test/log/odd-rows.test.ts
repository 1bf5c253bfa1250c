import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { availableEngines, findEngine } from '../support/engines.ts'
import { codeOf, openOwnGate, until } from '../support/gate.ts'

const queued = availableEngines.filter(({ name }) => name !== 'sqlite')

describe.each(queued)('the sequencer on $name', (engine) => {
  test('goes on when a row is copied back into the queue', async () => {
    const on = await openOwnGate(engine)
    const { kysely } = on.direct
    const entries = () => kysely.selectFrom('gatebook_entry').select('event_id').execute()
    const id = await on.gate.log.append({ type: 'app.first' })
    await until('its place', async () => (await entries()).some(({ event_id }) => event_id === id))
    await sql`INSERT INTO gatebook_queue (event_id, leaf, mac)
      SELECT event_id, leaf, mac FROM gatebook_entry WHERE event_id = ${id}`.execute(kysely)
    const next = await on.gate.log.append({ type: 'app.second' })
    await until('the next place', async () => (await entries()).some(({ event_id }) => event_id === next))
    expect((await entries()).filter(({ event_id }) => event_id === id)).toHaveLength(1)
    expect(await kysely.selectFrom('gatebook_queue').selectAll().execute()).toEqual([])
  })
})

const postgres = findEngine('postgres')

test.skipIf(postgres === null)('bytes that PostgreSQL prints in its escape form are the same bytes', async () => {
  const on = await openOwnGate(postgres!)
  const database = sql.id(new URL(on.database.url).pathname.slice(1))
  await sql`ALTER DATABASE ${database} SET bytea_output = escape`.execute(on.direct.kysely)
  const other = await on.another()
  const anna = on.person()
  const { accessToken } = await other.register(anna, anna.context)
  expect(await codeOf(other.tokens.verify(accessToken))).toBe('no error')
  await until('an empty queue', async () => {
    const waiting = await on.direct.kysely.selectFrom('gatebook_queue').selectAll().execute()
    expect(waiting.every(({ rejected_at }) => rejected_at === null)).toBe(true)
    return waiting.length === 0
  })
})
