import { describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { runStorm } from './storm.ts'

/** The failure that this prevents: an event that was committed and is not in the log, twice in it, or in one that nobody signs on. */
describe.each(availableEngines)('sixteen writers and who signs, killed, on $name', (engine) => {
  test('leave each committed event once, no gap and one root for each size', { timeout: 120_000 }, async () => {
    const report = await runStorm(engine, engine.name === 'sqlite' ? 2 : 3)
    expect(report.problems).toEqual([])
    expect(report.rolledBack).toBeGreaterThan(0)
    expect(report.events).toBeGreaterThan(150)
    expect(report.checkpoints).toBeGreaterThan(5)
  })
})
