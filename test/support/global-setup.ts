import type { TestProject } from 'vitest/node'
import type { EngineAddress, MissingEngine } from './engine.ts'
import { findEngines } from './find-engines.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    engines: { available: EngineAddress[]; missing: MissingEngine[] }
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const found = await findEngines()
  project.provide('engines', { available: found.engines, missing: found.missing })
  for (const engine of found.engines) console.log(`engine ${engine.name}: ${engine.about}`)
  return () => found.close()
}
