import { inject } from 'vitest'
import { type Engine, type EngineName, type MissingEngine, openEngine } from './engine.ts'

export type { Engine, EngineName, MissingEngine, TestDatabase } from './engine.ts'

const found = inject('engines')

/**
 * The engines of this run, for `describe.each(availableEngines)('… on $name', (engine) => …)`. Real servers: found on
 * the machine or started for the run (see find-engines.ts).
 */
export const availableEngines: readonly Engine[] = found.available.map(openEngine)

/** Those that could not be had. The reporter counts each as skipped, and in CI as failed. */
export const missingEngines: readonly MissingEngine[] = found.missing

/** For a suite about one engine: `describe.skipIf(!findEngine('mysql'))`. */
export function findEngine(name: EngineName): Engine | null {
  return availableEngines.find((engine) => engine.name === name) ?? null
}
