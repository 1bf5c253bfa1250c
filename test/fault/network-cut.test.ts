import { describe, expect, test } from 'vitest'
import { findEngine } from '../support/engines.ts'
import { runCut } from './network-cuts.ts'

/** The failure that this prevents: an answer whose change was on a connection that was gone, or an event without one. */
describe.each(['postgres', 'mysql'] as const)('a network that is cut between a server under load and %s', (name) => {
  const engine = findEngine(name)
  test.skipIf(engine === null).each(['silent', 'reset'] as const)(
    '%s: loses nothing that a client was told, and goes on by itself',
    { timeout: 120_000 },
    async (how) => {
      const report = await runCut(engine!, how, 1.5)
      expect(report.problems).toEqual([])
      expect(report.answers).toBeGreaterThan(40)
    },
  )
})
