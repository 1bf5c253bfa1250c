import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openGate, openOwnGate, type TestGate, until } from '../support/gate.ts'
import { findBetterSqlite3, HOSTS, type Host } from './hosts.ts'

describe.each(availableEngines)('an event in the transaction of the application on $name', (engine) => {
  let on: TestGate
  const hosts: Host[] = []
  beforeAll(async () => {
    on = await openGate(engine)
    await on.direct.kysely.schema.createTable('app_order').addColumn('name', 'varchar(20)').execute()
    for (const open of HOSTS[engine.name]!) hosts.push(await open(on.database.url))
  })
  afterAll(async () => {
    for (const host of hosts) await host.close()
    await on.close()
  })

  const orders = async (): Promise<number> =>
    (
      await on.direct.kysely
        .selectFrom('app_order' as never)
        .selectAll()
        .execute()
    ).length
  const events = async (): Promise<number> => (await on.gate.log.search({ type: 'app.*' })).items.length

  test('commits with it, and has its place in the log', async () => {
    for (const host of hosts) {
      const before = { orders: await orders(), events: await events() }
      const { tx, write, end } = await host.begin()
      await write()
      const id = await on.gate.log.append({ type: 'app.order.placed', userId: 42, data: { total: 12 } }, { tx })
      expect(await on.gate.log.find(id), host.name).toBeNull()
      await end('commit')
      expect({ orders: await orders(), events: await events() }).toEqual({
        orders: before.orders + 1,
        events: before.events + 1,
      })
      expect(await on.gate.log.find(id)).toMatchObject({ subject: '42', actor: { kind: 'application' } })
      await until('its place', async () => {
        const query = on.direct.kysely.selectFrom('gatebook_entry').selectAll().where('event_id', '=', id)
        return (await query.executeTakeFirst()) !== undefined
      })
    }
  })

  test('is gone with it', async () => {
    for (const host of hosts) {
      const before = { orders: await orders(), events: await events() }
      const { tx, write, end } = await host.begin()
      await write()
      const id = await on.gate.log.append({ type: 'app.order.placed' }, { tx })
      await end('rollback')
      expect({ orders: await orders(), events: await events() }, host.name).toEqual(before)
      expect(await on.gate.log.find(id)).toBeNull()
    }
  })

  test('takes the request from the options too', async () => {
    const { tx, end } = await hosts[0]!.begin()
    const id = await on.gate.log.append({ type: 'app.export' }, { tx, ip: '203.0.113.9', requestId: 'r-1' })
    await end('commit')
    expect(await on.gate.log.find(id)).toMatchObject({ ip: '203.0.113.9', requestId: 'r-1' })
  })

  const refusal = (tx: unknown) => codeOf(on.gate.log.append({ type: 'app.export' }, { tx: tx as object }))

  test('takes nothing that is not a connection of this engine', async () => {
    const foreign = engine.name === 'postgres' ? { exec() {}, prepare() {} } : { query() {}, getTypeParser() {} }
    const before = await events()
    for (const tx of [{}, on.gate, foreign, undefined, null, 'BEGIN', 7, [], Promise.resolve()]) {
      expect(await refusal(tx)).toBe('ERR_TRANSACTION_UNKNOWN')
    }
    expect(await events()).toBe(before)
  })

  test('takes no connection outside a transaction, before or after it', async () => {
    const before = await events()
    for (const host of hosts) {
      if (host.connection !== undefined)
        expect(await refusal(host.connection), host.name).toBe('ERR_TRANSACTION_UNKNOWN')
      const { tx, write, end } = await host.begin()
      await write()
      await end('commit')
      expect(await refusal(tx), host.name).toBe('ERR_TRANSACTION_UNKNOWN')
    }
    expect(await events()).toBe(before)
  })

  test('takes no transaction of another database', async () => {
    const other = await openOwnGate(engine)
    await other.direct.kysely.schema.createTable('app_order').addColumn('name', 'varchar(20)').execute()
    for (const open of HOSTS[engine.name]!) {
      const host = await open(other.database.url)
      const { tx, write, end } = await host.begin()
      await write()
      expect(await refusal(tx), host.name).toBe('ERR_TRANSACTION_UNKNOWN')
      // The transaction is what it was.
      await end('commit')
      await host.close()
    }
    expect(await other.events()).toEqual((await other.events()).filter(({ type }) => !type.startsWith('app.')))
  })

  test('leaves the transaction as it was when the event is wrong', async () => {
    for (const host of hosts) {
      const before = { orders: await orders(), events: await events() }
      const { tx, write, end } = await host.begin()
      await write()
      expect(await codeOf(on.gate.log.append({ type: 'app.x' }, { tx, ip: 'x' }))).toBe('no error')
      expect(await codeOf(on.gate.log.append({ type: 'app.UPPER' as never }, { tx }))).toBe('ERR_EVENT_INVALID')
      expect(await codeOf(on.gate.log.append({ type: 'app.x', data: { a: 1.5 } }, { tx }))).toBe('ERR_EVENT_INVALID')
      await end('commit')
      expect({ orders: await orders(), events: await events() }, host.name).toEqual({
        orders: before.orders + 1,
        events: before.events + 1,
      })
    }
  })

  test('takes several at once, one after the other', async () => {
    for (const host of hosts) {
      const before = await events()
      const { tx, end } = await host.begin()
      await Promise.all(Array.from({ length: 5 }, () => on.gate.log.append({ type: 'app.x' }, { tx })))
      await end('commit')
      expect(await events(), host.name).toBe(before + 5)
    }
  })
})

test('better-sqlite3 is there', (context) => {
  if (findBetterSqlite3() !== null) return
  context.skip('better-sqlite3 is not there: npm ci --prefix test/host-drivers (it compiles for a minute)')
})
