import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OpenDatabase } from '../../src/store/dialect.ts'
import { ifAbsent } from '../../src/store/insert-if-absent.ts'
import { migrateOpen } from '../../src/store/migrations/migrate.ts'
import { createSqlStore } from '../../src/store/sql/sql-store.ts'
import type { Durability, Store } from '../../src/store/store.ts'
import type { Transaction } from '../../src/store/transaction.ts'
import type { Engine, TestDatabase } from '../support/engines.ts'
import { dialectOf } from '../support/gate.ts'

const NOW = 1_800_000_000_123

/** What every engine has to do behind the `Store` interface, the same on all three. */
export function testStore(engine: Engine): void {
  let database: TestDatabase
  let open: OpenDatabase
  let store: Store
  beforeAll(async () => {
    database = await engine.createDatabase()
    open = await dialectOf(database.url).connect()
    store = createSqlStore(open)
    await migrateOpen(open)
  })
  afterAll(async () => {
    await store.close()
    await database.drop()
  })

  const insertMeta = (tx: Pick<Transaction, 'db'>, name: string, value = '') =>
    tx.db.insertInto('gatebook_meta').values({ name, value }).execute()
  const readMeta = async (name: string) =>
    (await store.db.selectFrom('gatebook_meta').select('value').where('name', '=', name).executeTakeFirst())?.value

  const subject = (id: string) => ({
    id,
    generation: 0,
    credential_version: 0,
    created_at: NOW,
    disabled_at: null,
    erased_at: null,
  })

  describe('a transaction', () => {
    test('commits when its work returns, and rolls back when it throws', async () => {
      await store.transaction((tx) => insertMeta(tx, 'kept', 'a'))
      const failing = store.transaction(async (tx) => {
        await insertMeta(tx, 'lost')
        throw new RangeError('the work failed')
      })
      await expect(failing).rejects.toThrow(RangeError)
      expect([await readMeta('kept'), await readMeta('lost')]).toEqual(['a', undefined])
    })

    test('runs what comes after the commit once, after it, and only then', async () => {
      const order: string[] = []
      await store.transaction(async (tx) => {
        tx.afterCommit(() => order.push('first'))
        tx.afterCommit(() => order.push('second'))
        await insertMeta(tx, 'after')
        order.push('work')
      })
      const failing = store.transaction(async (tx) => {
        tx.afterCommit(() => order.push('never'))
        await insertMeta(tx, 'after')
      })
      await expect(failing).rejects.toThrow()
      expect(order).toEqual(['work', 'first', 'second'])
    })

    test('of relaxed durability commits, rolls back and mixes with others; it only saves the disk wait', async () => {
      await Promise.all(
        Array.from({ length: 24 }, async (_value, place) => {
          const work = async (tx: Transaction): Promise<void> => {
            await insertMeta(tx, `mixed ${place}`, 'here')
            if (place % 4 >= 2) throw new RangeError('the work failed')
          }
          const outcome = store.transaction(work, place % 2 === 0 ? 'relaxed' : 'full')
          if (place % 4 >= 2) await expect(outcome).rejects.toThrow(RangeError)
          else await outcome
        }),
      )
      const rows = await Promise.all(Array.from({ length: 24 }, (_value, place) => readMeta(`mixed ${place}`)))
      expect(rows).toEqual(Array.from({ length: 24 }, (_value, place) => (place % 4 >= 2 ? undefined : 'here')))

      const setting = {
        sqlite: sql<{ setting: string }>`select synchronous as setting from pragma_synchronous`,
        postgres: sql<{ setting: string }>`select current_setting('synchronous_commit') as setting`,
        mysql: sql<{ setting: string }>`select 'as the server is set' as setting`,
      }[engine.name]
      const settingIn = (durability: Durability) =>
        store.transaction(async ({ db }) => String((await setting.execute(db)).rows[0]!.setting), durability)
      const settings = [await settingIn('relaxed'), await settingIn('full'), await settingIn('relaxed')]
      const server = 'as the server is set'
      const [relaxed, full] = { sqlite: ['1', '2'], postgres: ['off', 'on'], mysql: [server, server] }[engine.name]
      expect(settings).toEqual([relaxed, full, relaxed])
    })

    test('that failed at one statement leaves the connection as good as before', async () => {
      for (let round = 0; round < 15; round++) {
        await store.transaction((tx) => insertMeta(tx, 'kept')).catch(() => {})
      }
      await store.transaction((tx) => insertMeta(tx, 'still', 'here'))
      expect(await readMeta('still')).toBe('here')
    })

    test('is not seen by others before it commits', async () => {
      let seen: string | undefined = 'nothing read'
      const reader = dialectOf(database.url)
      const other = await reader.connect()
      try {
        await store.transaction(async (tx) => {
          await insertMeta(tx, 'unseen')
          const row = await other.kysely
            .selectFrom('gatebook_meta')
            .select('name')
            .where('name', '=', 'unseen')
            .executeTakeFirst()
          seen = row?.name
        })
      } finally {
        await other.close()
      }
      expect(seen).toBeUndefined()
      expect(await readMeta('unseen')).toBe('')
    })

    test('in parallel with many others loses nothing', async () => {
      await store.transaction((tx) => insertMeta(tx, 'count', '0'))
      const other = createSqlStore(await dialectOf(database.url).connect())
      const increment = (on: Store) =>
        on.transaction(async (tx) => {
          const query = tx.db.selectFrom('gatebook_meta').select('value').where('name', '=', 'count')
          const { value } = await (tx.traits.rowLocks ? query.forUpdate() : query).executeTakeFirstOrThrow()
          await tx.db
            .updateTable('gatebook_meta')
            .set({ value: String(Number(value) + 1) })
            .where('name', '=', 'count')
            .execute()
        })
      await Promise.all(Array.from({ length: 60 }, (_value, place) => increment(place % 2 ? store : other)))
      await other.close()
      expect(await readMeta('count')).toBe('60')
    })

    test.skipIf(engine.name === 'sqlite')('that the engine gives up in a deadlock is run again', async () => {
      await store.transaction(async (tx) => {
        await insertMeta(tx, 'left', '0')
        await insertMeta(tx, 'right', '0')
      })
      const other = createSqlStore(await dialectOf(database.url).connect())
      let runs = 0
      let arrived = 0
      let release!: () => void
      const both = new Promise<void>((resolve) => {
        release = resolve
      })
      const add = (tx: Transaction, name: string) =>
        tx.db.updateTable('gatebook_meta').set({ value: sql`concat(value, '+')` }).where('name', '=', name).execute()
      const cross = (on: Store, first: string, second: string) =>
        on.transaction(async (tx) => {
          runs += 1
          await add(tx, first)
          arrived += 1
          if (arrived === 2) release()
          // The first time, both hold one row and want the other one.
          await both
          await add(tx, second)
        })
      await Promise.all([cross(store, 'left', 'right'), cross(other, 'right', 'left')])
      await other.close()
      expect(runs).toBe(3)
      expect([await readMeta('left'), await readMeta('right')]).toEqual(['0++', '0++'])
    })

    test('gives up after a while when it can never succeed', async () => {
      let runs = 0
      const deadlock = {
        sqlite: { message: 'database is locked' },
        postgres: { code: '40P01' },
        mysql: { errno: 1213 },
      }
      const error = Object.assign(new Error('deadlock'), deadlock[engine.name])
      const failing = store.transaction(async () => {
        runs += 1
        throw error
      })
      await expect(failing).rejects.toThrow()
      // On SQLite the wait for another process is the driver's, before the transaction begins.
      expect(runs).toBe(engine.name === 'sqlite' ? 1 : 8)
    })
  })

  describe('errors', () => {
    const failureOf = async (work: (tx: Transaction) => Promise<unknown>): Promise<unknown> => {
      const result = await store.transaction(work).catch((error: unknown) => error)
      return result
    }

    test('of a taken key are recognised, and no others are', async () => {
      await store.transaction((tx) => insertMeta(tx, 'taken'))
      const taken = await failureOf((tx) => insertMeta(tx, 'taken'))
      expect(store.traits.isUniqueViolation(taken)).toBe(true)
      expect(store.traits.isRetryable(taken)).toBe(false)
      expect(store.traits.isUnavailable(taken)).toBe(false)
      for (const other of [
        await failureOf((tx) => sql`select * from no_such_table`.execute(tx.db)),
        await failureOf((tx) => insertMeta(tx, null as never)),
        await failureOf((tx) => sql`selec 1`.execute(tx.db)),
        new Error('something else'),
        undefined,
        null,
        'text',
      ]) {
        expect(store.traits.isUniqueViolation(other)).toBe(false)
        expect(store.traits.isRetryable(other)).toBe(false)
        expect(store.traits.isUnavailable(other)).toBe(false)
      }
    })

    test('of a key that is taken are avoided by an insert that leaves the row alone', async () => {
      const insert = (value: string) =>
        store.transaction((tx) =>
          ifAbsent(tx.db.insertInto('gatebook_meta').values({ name: 'once', value }), tx.traits, 'name').execute(),
        )
      await insert('first')
      await insert('second')
      expect(await readMeta('once')).toBe('first')
      // Values that do not fit are refused all the same.
      const tooLong = failureOf((tx) =>
        ifAbsent(
          tx.db.insertInto('gatebook_meta').values({ name: null as never, value: '' }),
          tx.traits,
          'name',
        ).execute(),
      )
      expect(await tooLong).toBeInstanceOf(Error)
    })
  })

  describe('keys', () => {
    const distinct = [
      'anna',
      'Anna',
      'änna',
      'a\u0308nna',
      'ａnna',
      'anna\u200b',
      'straße',
      'strasse',
      'İ',
      'i',
      'ß',
      'ss',
      'ǆ',
      '😀',
      '😁',
    ]

    test('are compared byte by byte: what differs stays apart', async () => {
      await store.transaction((tx) => tx.db.insertInto('gatebook_subject').values(distinct.map(subject)).execute())
      for (const id of distinct) {
        const rows = await store.db.selectFrom('gatebook_subject').select('id').where('id', '=', id).execute()
        expect(rows).toEqual([{ id }])
        const again = await store
          .transaction((tx) => tx.db.insertInto('gatebook_subject').values(subject(id)).execute())
          .catch((error: unknown) => error)
        expect(store.traits.isUniqueViolation(again)).toBe(true)
      }
    })

    test('sort byte by byte', async () => {
      const rows = await store.db
        .selectFrom('gatebook_subject')
        .select('id')
        .where('id', 'in', distinct)
        .orderBy('id')
        .execute()
      const bytes = (text: string) => Buffer.from(text)
      expect(rows.map(({ id }) => id)).toEqual([...distinct].sort((a, b) => Buffer.compare(bytes(a), bytes(b))))
    })
  })

  describe('values', () => {
    test('of 64 bits come back as numbers', async () => {
      for (const at of [0, -1, 2 ** 31, NOW, Number.MAX_SAFE_INTEGER]) {
        await store.transaction((tx) =>
          tx.db
            .insertInto('gatebook_subject')
            .values({ ...subject(`at ${at}`), created_at: at })
            .execute(),
        )
        const row = await store.db
          .selectFrom('gatebook_subject')
          .select('created_at')
          .where('created_at', '=', at)
          .executeTakeFirstOrThrow()
        expect(row.created_at).toBe(at)
      }
    })

    test('of bytes and of long text come back as they went', async () => {
      const leaf = Uint8Array.from({ length: 8192 }, (_value, place) => place % 256)
      const mac = new Uint8Array(32).fill(255)
      await store.transaction((tx) =>
        tx.db.insertInto('gatebook_queue').values({ event_id: 'bytes', leaf, mac, rejected_at: NOW }).execute(),
      )
      const row = await store.db
        .selectFrom('gatebook_queue')
        .selectAll()
        .where('event_id', '=', 'bytes')
        .executeTakeFirstOrThrow()
      expect([Buffer.from(row.leaf), Buffer.from(row.mac)]).toEqual([Buffer.from(leaf), Buffer.from(mac)])
      const text = '\\ \' " % _ ? $1 :a @b \t\r\n 😀 \u{10ffff} '.repeat(200)
      await store.transaction((tx) => insertMeta(tx, 'text', text))
      expect(await readMeta('text')).toBe(text)
    })

    test('count the rows that a statement changed', async () => {
      const remove = () =>
        store.transaction((tx) => tx.db.deleteFrom('gatebook_meta').where('name', '=', 'text').executeTakeFirst())
      expect((await remove()).numDeletedRows).toBe(1n)
      expect((await remove()).numDeletedRows).toBe(0n)
    })
  })
}
