import { expect, onTestFinished, test } from 'vitest'
import { resolveOptions } from '../../src/options.ts'
import { parseMasterSecret } from '../../src/secret/master-secret.ts'
import { sqlite } from '../../src/store/dialects/sqlite.ts'
import { migrateOpen } from '../../src/store/migrations/migrate.ts'
import { createSqlStore } from '../../src/store/sql/sql-store.ts'
import type { Store } from '../../src/store/store.ts'
import { createThrottle } from '../../src/throttle/throttle.ts'
import { createFakeClock, ISSUER, SECRET } from '../support/gate.ts'

/** The throttle over a real store whose next transactions fail before they begin. */
async function openThrottle() {
  const dialect = sqlite(':memory:')
  const open = await dialect.connect()
  onTestFinished(() => open.close())
  await migrateOpen(open)
  const real = createSqlStore(open)
  let failing = 0
  const store: Store = {
    ...real,
    transaction: (work, durability) =>
      failing-- > 0 ? Promise.reject(new Error('no connection became free')) : real.transaction(work, durability),
  }
  const clock = createFakeClock()
  const throttle = createThrottle(
    store,
    parseMasterSecret(SECRET, 'secret'),
    resolveOptions({ issuer: ISSUER, database: dialect }, clock, 1),
  )
  const source = { account: null, ip: '203.0.113.9' }
  const attempt = async () => {
    const outcome = await throttle.reserve(source)
    if ('refusal' in outcome) throw new Error('refused')
    return outcome.reservation
  }
  return {
    throttle,
    clock,
    attempt,
    succeed: async () => {
      const reservation = await attempt()
      await real.transaction((tx) => throttle.release(tx, reservation, 'succeeded'))
    },
    failNext: () => {
      failing = 1
    },
    countOfAddress: async () =>
      (await real.db.selectFrom('gatebook_throttle').select('failures').executeTakeFirstOrThrow()).failures,
  }
}

test('what could not be given back to an address is still owed to it', async () => {
  const on = await openThrottle()
  await on.attempt()
  await on.succeed()
  expect(await on.countOfAddress()).toBe(2)
  on.failNext()
  await expect(on.throttle.settle()).rejects.toThrow('no connection')
  on.failNext()
  await expect(on.throttle.reserve({ account: null, ip: '203.0.113.9' })).rejects.toThrow('no connection')
  await on.throttle.settle()
  expect(await on.countOfAddress()).toBe(1)
  await on.throttle.settle()
  expect(await on.countOfAddress()).toBe(1)
})

test('the next attempt of an address takes along what is owed to it', async () => {
  const on = await openThrottle()
  for (let turn = 0; turn < 200; turn++) await on.succeed()
  expect(await on.countOfAddress()).toBe(1)
})

test('what began in one window takes nothing back from the next one', async () => {
  const on = await openThrottle()
  await on.succeed()
  const { throttle } = on
  const early = [await on.attempt(), await on.attempt()]
  on.clock.advance(600_000)
  await on.attempt()
  await on.succeed()
  for (const reservation of early) {
    await throttle.release({ afterCommit: (run: () => void) => run() } as never, reservation, 'succeeded')
  }
  await throttle.settle()
  expect(await on.countOfAddress()).toBe(1)
})
