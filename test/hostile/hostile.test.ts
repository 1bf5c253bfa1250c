import { describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { runHostile } from './run.ts'

/** The long edition, with ten thousand requests, is `npm run evidence -- hostile`. */
describe.each(availableEngines)('on $name', (engine) => {
  test.each([2, 3])(
    'whatever is sent (seed %i) is answered with a code and leaves nothing it should not',
    { timeout: 120_000 },
    async (seed) => {
      const { problems, answers, events, diagnosticLines } = await runHostile(engine, {
        requests: 700,
        seed,
        slow: seed === 2 && engine.name === 'sqlite',
      })
      expect(problems).toEqual([])
      // It got through to the flows and was not turned away at the door.
      expect(events).toBeGreaterThan(50)
      expect(answers.get('200')).toBeGreaterThan(50)
      expect(answers.size).toBeGreaterThan(20)
      expect(answers.get('403 ERR_CSRF')).toBeGreaterThan(5)
      expect(diagnosticLines).toBeGreaterThan(400)
    },
  )
})
