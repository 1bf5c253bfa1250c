import { inject } from 'vitest'
import { type Engine, type EngineName, openEngine } from './engine.ts'

export type { Engine, EngineName, TestDatabase } from './engine.ts'

const found = inject('engines')

/**
 * The engines of this run, for `describe.each(availableEngines)('… on $name', (engine) => …)`. Real servers: found on
 * the machine or started for the run (see find-engines.ts).
 */
export const availableEngines: readonly Engine[] = found.available.map(openEngine)

/** For a suite about one engine: `describe.skipIf(!findEngine('mysql'))`. */
export function findEngine(name: EngineName): Engine | null {
  return availableEngines.find((engine) => engine.name === name) ?? null
}
