import { describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { runRefreshModel } from './run-refresh-model.ts'

const SEEDS = { sqlite: 1, postgres: 2, mysql: 3 } as const

/**
 * Two tabs, a thief, lost answers and killed processes, drawn by lot with a fixed seed: whatever they do with the refresh
 * tokens of a session, what they are answered and the events that are left have to be what some order of the calls gives
 * in the model. The long edition is `npm run evidence -- refresh-model`.
 */
describe.each(availableEngines)('refresh tokens on $name', (engine) => {
  const seed = SEEDS[engine.name]

  test('of two gates do what the model says', { timeout: 180_000 }, async () => {
    const { problems, tally } = await runRefreshModel(engine, { processes: 'gates', histories: 60, seed })
    expect(problems).toEqual([])
    // The histories went everywhere. How often is not quite the seed's: it depends on who comes first.
    expect(tally.groups).toBeGreaterThan(60)
    expect(tally.lost).toBeGreaterThan(30)
    const { rotated, grace, superseded, reused, ended, expired, ...rest } = tally.outcomes
    for (const often of [rotated, grace, superseded, reused, ended, expired]) expect(often).toBeGreaterThan(15)
    for (const seldom of [rest['found expired'], rest['logged out']]) expect(seldom).toBeGreaterThan(0)
  })

  test('of a server that is killed before it answers do what the model says', { timeout: 180_000 }, async () => {
    const { problems, tally } = await runRefreshModel(engine, { processes: 'killed server', histories: 3, seed })
    expect(problems).toEqual([])
    expect(tally.breaks.killed + tally.breaks['killed early']).toBeGreaterThan(2)
    expect(tally.unanswered).toBeGreaterThan(1)
  })
})
