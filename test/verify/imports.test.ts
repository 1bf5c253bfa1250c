import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { readImports } from '../support/source-imports.ts'

const SRC = fileURLToPath(new URL('../../src', import.meta.url))

/** Every file that a resource server loads, and what they load from outside. Types are gone by then. */
function loadedBy(entry: string): { files: string[]; outside: string[] } {
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
  return { files: [...files], outside: [...outside] }
}

test('gatebook/verify loads no database, no hash and nothing but node:crypto, and is small', () => {
  const { files, outside } = loadedBy('verify/index.ts')
  expect(outside).toEqual(['node:crypto'])
  expect(files.filter((file) => !/^(verify|token|util)\/|^errors\.ts$/.test(file))).toEqual([])
  const bytes = files.reduce((sum, file) => sum + readFileSync(join(SRC, file)).length, 0)
  expect(bytes).toBeLessThan(70_000)
  expect(files.length).toBeLessThan(20)
})
