import { createRequire } from 'node:module'
import { Kysely, PostgresDialect } from 'kysely'
import mysql2 from 'mysql2'
import mysql2Promise from 'mysql2/promise'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SqliteHandle } from '../../src/store/dialects/sqlite.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openGate, type TestGate, until } from '../support/gate.ts'

/** An open transaction of an application: `end` commits it or rolls it back. */
interface HostTransaction {
  readonly tx: object
  write(): Promise<unknown>
  end(how: 'commit' | 'rollback'): Promise<unknown>
}

interface Host {
  readonly name: string
  begin(): Promise<HostTransaction>
  close(): Promise<unknown>
}

type Open = (url: string) => Promise<Host>

const INSERT = "INSERT INTO app_order (name) VALUES ('book')"

const openPg: Open = async (url) => {
  const pool = new pg.Pool({ connectionString: url })
  return {
    name: 'a pg client',
    async begin() {
      const tx = await pool.connect()
      await tx.query('BEGIN')
      return { tx, write: () => tx.query(INSERT), end: (how) => tx.query(how).finally(() => tx.release()) }
    },
    close: () => pool.end(),
  }
}

const openKysely: Open = async (url) => {
  const db = new Kysely<{ app_order: { name: string } }>({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }),
  })
  return {
    name: 'a Kysely transaction',
    async begin() {
      const tx = await db.startTransaction().execute()
      return {
        tx,
        write: () => tx.insertInto('app_order').values({ name: 'book' }).execute(),
        end: (how) => (how === 'commit' ? tx.commit() : tx.rollback()).execute(),
      }
    },
    close: () => db.destroy(),
  }
}

const openMysqlPromise: Open = async (url) => {
  const pool = mysql2Promise.createPool(url)
  return {
    name: 'a mysql2 promise connection',
    async begin() {
      const tx = await pool.getConnection()
      await tx.beginTransaction()
      return { tx, write: () => tx.query(INSERT), end: (how) => tx[how]().finally(() => tx.release()) }
    },
    close: () => pool.end(),
  }
}

const openMysqlCallback: Open = async (url) => {
  const tx = mysql2.createConnection(url)
  const run = (sql: string) => tx.promise().query(sql)
  return {
    name: 'a mysql2 callback connection',
    async begin() {
      await run('BEGIN')
      return { tx, write: () => run(INSERT), end: (how) => run(how) }
    },
    close: async () => tx.destroy(),
  }
}

const openHandle: Open = async (url) => {
  const { DatabaseSync } = (process.getBuiltinModule('node:sqlite' as never) ??
    createRequire(import.meta.url)('@photostructure/sqlite')) as { DatabaseSync: new (path: string) => SqliteHandle }
  const tx = new DatabaseSync(url.slice('sqlite:'.length))
  tx.exec('PRAGMA busy_timeout = 5000')
  return {
    name: 'a node:sqlite handle',
    async begin() {
      tx.exec('BEGIN IMMEDIATE')
      return { tx, write: async () => tx.exec(INSERT), end: async (how) => tx.exec(how) }
    },
    close: async () => tx.close(),
  }
}

const HOSTS: Readonly<Record<string, readonly Open[]>> = {
  postgres: [openPg, openKysely],
  mysql: [openMysqlPromise, openMysqlCallback],
  sqlite: [openHandle],
}

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

  test('takes nothing that is not a connection of this engine', async () => {
    const foreign = engine.name === 'postgres' ? { exec() {}, prepare() {} } : { query() {}, getTypeParser() {} }
    for (const tx of [{}, on.gate, foreign]) {
      expect(await codeOf(on.gate.log.append({ type: 'app.export' }, { tx }))).toBe('ERR_TRANSACTION_UNKNOWN')
    }
  })
})
