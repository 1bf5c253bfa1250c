import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readImports } from './source-imports.ts'

const SRC = fileURLToPath(new URL('../../src', import.meta.url))

export interface Loaded {
  /** Below src/, the entry first. */
  readonly files: readonly string[]
  /** Packages and modules of Node. */
  readonly outside: readonly string[]
  /** Of the files, with their types and comments. */
  readonly bytes: number
}

/** Every file that whoever imports `entry` loads, and what they load from outside. Types are gone by then. */
export function loadedBy(entry: string): Loaded {
  const imports = readImports(SRC).filter(({ typeOnly }) => !typeOnly)
  const files = new Set([entry])
  const outside = new Set<string>()
  // A Set goes on with what is added while it is walked.
  for (const file of files) {
    for (const { target, specifier } of imports.filter((found) => found.file === file)) {
      if (target === null) outside.add(specifier)
      else files.add(target)
    }
  }
  const bytes = [...files].reduce((sum, file) => sum + readFileSync(join(SRC, file)).length, 0)
  return { files: [...files], outside: [...outside], bytes }
}
