import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ROOT } from '../support/consumer.ts'
import { loadedBy } from '../support/loaded-by.ts'

test('gatebook/client loads nothing of Node and no package, and is small', () => {
  const { files, outside, bytes } = loadedBy('client/index.ts')
  expect(outside).toEqual([])
  expect(files.filter((file) => !file.startsWith('client/'))).toEqual([])
  expect(bytes).toBeLessThan(70_000)
})

test('nor does it name anything that only Node has', () => {
  const named = loadedBy('client/index.ts').files.filter((file) =>
    /\b(process|Buffer|require|__dirname|NodeJS|setImmediate|unref)\b/.test(
      readFileSync(join(ROOT, 'src', file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ''),
    ),
  )
  expect(named).toEqual([])
})

test('its sources type-check with the types of a browser, without those of Node', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatebook-client-types-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(folder, { recursive: true })
  const compilerOptions = {
    ...{ target: 'es2023', module: 'esnext', moduleResolution: 'bundler', lib: ['es2023', 'dom', 'dom.iterable'] },
    ...{ types: [], strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
    ...{ allowImportingTsExtensions: true, noEmit: true, typeRoots: [] },
  }
  const files = [join(ROOT, 'src/client/index.ts')]
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
  const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], { encoding: 'utf8' })
  expect(stdout).toBe('')
})
