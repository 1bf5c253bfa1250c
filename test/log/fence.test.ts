import { describe, expect, onTestFinished, test } from 'vitest'
import { createSequencer } from '../../src/log/sequencer.ts'
import { parseMasterSecret } from '../../src/secret/master-secret.ts'
import type { OpenDatabase } from '../../src/store/dialect.ts'
import { createSqlStore } from '../../src/store/sql/sql-store.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, dialectOf, openOwnGate, SECRET, type TestGate, until } from '../support/gate.ts'
import { countFenceWaits, holdFence, waitForFence } from './fence-waits.ts'

const DIAGNOSTICS = { debug() {}, info() {}, warn() {}, error() {} }
const CLIENTS = 6
/** Log-ins that have to be answered while the fence is held, and how often it is held. */
const WHILE_HELD = 8
const HOLDS = 5

async function connect(on: TestGate): Promise<OpenDatabase> {
  const opened = await dialectOf(on.database.url).connect()
  onTestFinished(() => opened.close())
  return opened
}

/** Gives places without a pause, as no process would; the fence is all that keeps two of these apart. */
async function sequenceOn(on: TestGate, goesOn: () => boolean): Promise<Record<'done' | 'more' | 'busy', number>> {
  const store = createSqlStore(await connect(on))
  const secret = parseMasterSecret(SECRET, 'secret')
  const sequencer = createSequencer({ store, secret, clock: on.clock, diagnostics: DIAGNOSTICS })
  const results = { done: 0, more: 0, busy: 0 }
  while (goesOn()) results[await sequencer.sequence()] += 1
  return results
}

/** The failure that this prevents: a log-in that waits for whoever writes the log, and all of them when that one hangs. */
describe.each(availableEngines)('the fence of the sequencer on $name', (engine) => {
  // SQLite has no queue: entries have their place with their event.
  const queued = test.skipIf(engine.name === 'sqlite')
  queued(
    'is nothing that a log-in ever waits for, with two sequencers and with one that holds it',
    {
      timeout: 60_000,
    },
    async () => {
      const on = await openOwnGate(engine, { logSigning: 'off' })
      const watching = await connect(on)
      const holding = await connect(on)
      let going = true
      let logins = 0
      const client = async (): Promise<void> => {
        const anna = on.person()
        await on.gate.register(anna, anna.context)
        while (going) {
          await on.gate.login(anna, anna.context)
          logins += 1
        }
      }
      const waits = { looks: 0, seen: 0 }
      const watch = async (): Promise<void> => {
        while (going) {
          waits.seen += await countFenceWaits(watching)
          waits.looks += 1
        }
      }
      const work = [...Array.from({ length: CLIENTS }, client), watch()]
      const sequencers = [sequenceOn(on, () => going), sequenceOn(on, () => going)]
      try {
        for (let hold = 0; hold < HOLDS; hold++) {
          const before = logins
          await until('log-ins', async () => logins >= before + WHILE_HELD)
          const fence = await holdFence(holding)
          const [held, looks] = [logins, waits.looks]
          await until(
            'log-ins while the fence is held',
            async () => logins >= held + WHILE_HELD && waits.looks > looks + 2,
          )
          await fence.release()
        }
      } finally {
        going = false
      }
      await Promise.all(work)
      const results = await Promise.all(sequencers)
      expect(waits.seen).toBe(0)
      expect(waits.looks).toBeGreaterThan(10)
      for (const { done, busy } of results) {
        expect(done).toBeGreaterThan(0)
        expect(busy).toBeGreaterThan(0)
      }
    },
  )

  queued('is seen by the same look when somebody does wait for it', async () => {
    const on = await openOwnGate(engine)
    const [watching, first, second] = [await connect(on), await connect(on), await connect(on)]
    const fence = await holdFence(first)
    expect(await countFenceWaits(watching)).toBe(0)
    const waiting = waitForFence(second)
    await until('the wait is seen', async () => (await countFenceWaits(watching)) === 1)
    await fence.release()
    await waiting
    await until('it is over', async () => (await countFenceWaits(watching)) === 0)
    expect(await codeOf(on.gate.log.append({ type: 'app.x' }))).toBe('no error')
  })
})
