import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gatebook } from '../../src/api.ts'
import { availableEngines, type Engine, type EngineName } from '../support/engines.ts'
import { codeOf, openGate, type TestGate } from '../support/gate.ts'
import { expectAgreement } from './agreement.ts'
import { FLOW_OPTIONS, FLOWS, type FlowCase } from './flows.ts'
import { openTapped, type Tap, type TappedDialect } from './tapped-dialect.ts'

/**
 * Promise 1: no change without its event, no event without its change. Each flow is run once for each of its statements,
 * and that statement fails: it is not sent, or it is sent and its answer is lost, or the engine has given up the whole
 * transaction. Whatever happens, the tables are what the events tell.
 */
const INJECTED = 'a fault made by the test'

const DEADLOCK: Record<EngineName, object> = {
  sqlite: { message: 'database is locked' },
  postgres: { code: '40P01' },
  mysql: { errno: 1213 },
}

/** Which statements fail, one after the other, and how. `strike` is true for the one whose turn it is. */
const MODES: Record<string, (engine: Engine, strike: () => boolean) => Tap> = {
  'a statement is not sent': (_engine, strike) => ({
    before(sql) {
      // A rollback that fails is a connection that is gone, and then the server rolls back.
      if (!/^rollback/i.test(sql) && strike()) throw new Error(INJECTED)
    },
  }),
  'the answer to a commit is lost': (_engine, strike) => ({
    after(sql) {
      if (/^commit/i.test(sql) && strike()) throw new Error(INJECTED)
    },
  }),
  'a transaction ends in a deadlock': (engine, strike) => ({
    before(sql) {
      if (/^commit/i.test(sql) && strike()) throw Object.assign(new Error(INJECTED), DEADLOCK[engine.name])
    },
  }),
}

describe.each(availableEngines)('faults on $name', (engine) => {
  let on: TestGate
  let database: TappedDialect
  let gate: Gatebook
  beforeAll(async () => {
    on = await openGate(engine, FLOW_OPTIONS)
    database = await openTapped(on.database.url)
    gate = await on.another({
      database: database.dialect,
      sequencerMilliseconds: 5000,
      revocationPollMilliseconds: 2000,
    })
  })
  afterAll(async () => {
    await on.close()
    await database.close()
  })

  /** Runs a flow with its n-th statement failing; false when it has fewer. */
  async function runWithFault(flow: FlowCase, mode: keyof typeof MODES, n: number): Promise<boolean> {
    const call = await flow.prepare(on)
    let statement = 0
    const tap = MODES[mode]!(engine, () => ++statement === n)
    const code = await codeOf(database.tapped(tap, () => call(gate)))
    const reached = statement >= n
    const wanted = flow.refusal ?? 'no error'
    expect([wanted, ...(reached ? faultsOf(mode) : [])], `${mode}, ${n}`).toContain(code)
    return reached
  }

  /** What a caller may see of a fault. */
  function faultsOf(mode: string): readonly string[] {
    if (mode !== 'a transaction ends in a deadlock') return [`Error: ${INJECTED}`]
    // One that the engine gave up is run again, and nobody notices; SQLite only tells that another process was in the way.
    return engine.name === 'sqlite' ? ['ERR_UNAVAILABLE'] : []
  }

  test.each(FLOWS)('$name', { timeout: 120_000 }, async (flow) => {
    for (const mode of Object.keys(MODES)) {
      let n = 1
      // The last run is one without a fault, and finds nothing broken.
      while (await runWithFault(flow, mode, n)) n += 1
    }
    await expectAgreement(on)
  })
})
