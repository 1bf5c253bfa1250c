import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { linkModules, ROOT, typeCheck } from '../support/consumer.ts'
import { parseBlocks } from '../support/marked-blocks.ts'

/** What docs/testing.md shows is a test, so it has to pass: against the built package, in the project of a reader. */
const page = readFileSync(join(ROOT, 'docs/testing.md'), 'utf8')
const blocks = parseBlocks(page).filter(({ language }) => language === 'ts')
const folder = mkdtempSync(join(tmpdir(), 'gatebook-testing-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the code in docs/testing.md', () => {
  beforeAll(() => {
    linkModules(folder)
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'reader', type: 'module', private: true }))
    for (const { name, text } of blocks) writeFileSync(join(folder, `${name}.ts`), text)
  })

  test('has a name for each block', () => {
    expect(blocks.map(({ name }) => name)).toEqual(['app', 'orders-test', 'events-test', 'clock-test'])
  })

  test('type-checks', () => {
    const files = blocks.map(({ name }) => `${name}.ts`)
    expect(typeCheck({ folder, files, moduleResolution: 'nodenext', skipLibCheck: true })).toBe('')
  })

  test.each(blocks.filter(({ mode }) => mode === 'run').map(({ name }) => name))('passes: %s', (name) => {
    const args = ['--disable-warning=ExperimentalWarning', '--import', 'tsx', `${name}.ts`]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: folder,
      encoding: 'utf8',
      timeout: 50_000,
    })
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: expect.stringMatching(/\bfail 0\b/), stderr: '' })
  })
})
