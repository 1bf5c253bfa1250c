import { describe, expect, test } from 'vitest'
import { FLOW_OPTIONS, FLOWS } from '../../contract/flows.ts'
import { availableEngines } from '../../support/engines.ts'
import { codeOf, openOwnGate, scenario } from '../../support/gate.ts'
import { expectClean, openSignedLog, runAudit, signed } from './signed-log.ts'

describe.each(availableEngines)('the audit on $name', (engine) => {
  test('of a history with every flow finds nothing, and leaves log.audited', async () => {
    const on = await openOwnGate(engine, FLOW_OPTIONS)
    for (const flow of FLOWS) await codeOf((await flow.prepare(on))(on.gate))
    const size = await signed(on)
    const { expectEvents } = await scenario(on)
    const audited = await runAudit(on)
    expectClean(audited)
    expect(audited.summary).toMatchObject({ size, entries: size, events: size, covered: size, anchored: 0 })
    expect(audited.summary!.checkpoints).toBeGreaterThan(0)
    await expectEvents([
      { event: 'log.audited success', actor: 'application', data: { entries: size, size, findings: 0 } },
    ])
  })

  test('tells how many rows it has compared, and ends between two batches when it is asked to', async () => {
    const on = await openOwnGate(engine)
    for (let at = 0; at < 3; at++) await on.gate.register(on.person(), {})
    await signed(on)
    const rows: (number | null)[] = []
    const stop = new AbortController()
    let ended = false
    for await (const step of on.gate.log.audit({ reconcile: true, signal: stop.signal })) {
      if (step.kind === 'summary') ended = true
      if (step.kind !== 'progress' || step.phase !== 'rows') continue
      rows.push(step.total, step.done)
      stop.abort()
    }
    expect([ended, rows]).toEqual([false, [null, expect.any(Number)]])
  })

  test('of an empty log finds nothing', async () => {
    const on = await openOwnGate(engine)
    const size = await signed(on)
    const audited = await runAudit(on)
    expectClean(audited)
    expect(audited.summary!.size).toBe(size)
  })

  test('of a log that grows meanwhile finds nothing', async () => {
    const on = await openSignedLog(engine)
    const writing = (async () => {
      for (let at = 0; at < 60; at++) await on.gate.log.append({ type: 'app.tick', outcome: 'success' })
    })()
    for (let round = 0; round < 3; round++) expectClean(await runAudit(on))
    await writing
  })
})
