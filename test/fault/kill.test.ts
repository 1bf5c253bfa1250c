import { describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { runKills } from './kill-rounds.ts'

/** The failure that this prevents: a client that was told "you are in" while neither session nor event survived. */
describe.each(availableEngines)('a server that is killed under load, on $name', (engine) => {
  test('has lost nothing that a client was told, and serves again', { timeout: 120_000 }, async () => {
    const report = await runKills(engine, 2)
    expect(report.problems).toEqual([])
    expect(report.answers).toBeGreaterThan(20)
  })
})
