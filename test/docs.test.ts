import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generateDocs, readPage } from '../scripts/generate-docs.mjs'
import { ERROR_CODES } from '../src/errors.ts'
import { EVENT_TYPES } from '../src/event/catalogue.ts'
import { AUDIT_FINDINGS } from '../src/log/audit/findings.ts'
import { OPTIONS } from '../src/options.ts'
import { OPERATOR_NAMES } from '../src/query/operators.ts'
import { QUERY_ERRORS } from '../src/query/query-error.ts'
import { FINDINGS } from '../src/server/findings.ts'
import { linkModules, ROOT, typeCheck } from './support/consumer.ts'
import { type MarkedBlock, matchesShown, parseBlocks, parseWalk } from './support/marked-blocks.ts'
import { findFreePort } from './support/private-server.ts'

/** Documentation that nobody runs is wrong within a month. Here it is run. */
const readme = readPage('README.md') ?? ''
const blocks = parseBlocks(readme)
const snippets = blocks.filter(({ language }) => /^(ts|js|typescript|javascript)$/.test(language))
const walk = blocks.filter(({ name }) => name === 'walk')
const folder = mkdtempSync(join(tmpdir(), 'gatebook-docs-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The environment without settings of whoever runs the tests. */
function cleanEnvironment(more: Record<string, string> = {}): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(GATEBOOK_|NODE_ENV$|VITEST)/.test(name))
  return { ...Object.fromEntries(kept), ...more }
}

describe('generated pages', () => {
  for (const [path, wanted] of generateDocs()) {
    test(`${path} is what scripts/generate-docs.mjs writes`, () => {
      expect(readPage(path)).toBe(wanted)
    })
  }

  // The same rows both ways, read off the page as a reader does, so that the generator is tested too.
  test.each([
    ['docs/errors.md', ['error codes'], Object.keys(ERROR_CODES)],
    [
      'docs/configuration.md',
      ['options of the library and the server', 'settings of the server alone'],
      Object.keys(OPTIONS),
    ],
    [
      'docs/doctor.md',
      ['findings'],
      Object.entries(FINDINGS).flatMap(([code, { level }]) => (level === 'ok' ? [] : [code])),
    ],
    ['docs/audit.md', ['audit findings'], Object.keys(AUDIT_FINDINGS)],
    ['docs/search.md', ['operators'], OPERATOR_NAMES],
    ['docs/search.md', ['query errors'], Object.keys(QUERY_ERRORS)],
    ['spec/event.md', ['event types'], Object.keys(EVENT_TYPES)],
    ['spec/event.md', ['names in other vocabularies'], Object.keys(EVENT_TYPES)],
  ])('%s lists each row of %j once', (path, tables, rows) => {
    const page = readPage(path) ?? ''
    const parts = tables.map((name) => page.split(`<!-- generated: ${name} -->`)[1]?.split('<!-- end')[0] ?? '')
    const listed = parts.flatMap((part) => [...part.matchAll(/^\| `([^`]+)`/gm)].map((match) => match[1]))
    expect(listed.sort()).toEqual([...rows].sort())
  })
})

describe('links', () => {
  const pages = ['.', 'docs', 'spec']
    .filter((name) => existsSync(join(ROOT, name)))
    .flatMap((name) => readdirSync(join(ROOT, name)).map((file) => (name === '.' ? file : `${name}/${file}`)))
    .filter((file) => file.endsWith('.md'))
  test.each(pages)('of %s lead to files that are there', (page) => {
    const text = (readPage(page) ?? '').replace(/^```[\s\S]*?^```$/gm, '')
    const targets = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map((match) => match[1] as string)
    const local = targets.filter((target) => !/^[a-z]+:/.test(target))
    expect(local.filter((target) => !existsSync(join(ROOT, dirname(page), target)))).toEqual([])
  })
})

/** Runs a block in a folder of its own below the project. */
async function runBlock(project: string, { name, mode, text }: MarkedBlock): Promise<void> {
  const home = join(project, `run-${name}`)
  mkdirSync(home)
  const { outputText } = ts.transpileModule(text, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
  })
  writeFileSync(join(home, 'snippet.mjs'), outputText)
  const env = cleanEnvironment({ PORT: String(await findFreePort()) })
  const child = spawn(process.execPath, ['snippet.mjs'], { cwd: home, env: env as NodeJS.ProcessEnv })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk))
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve))
  const patience = mode === 'run' ? 30_000 : 3000
  const status = await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, patience, 'running'))])
  child.kill()
  await exited
  expect({ status, output }).toEqual({ status: mode === 'run' ? 0 : 'running', output })
}

describe('the code in the README', () => {
  const project = join(folder, 'snippets')
  const sources = snippets.map(({ name, language }) => `${name}.${/^(ts|typescript)$/.test(language) ? 'ts' : 'mjs'}`)

  beforeAll(() => {
    linkModules(project)
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'reader', type: 'module', private: true }))
    snippets.forEach(({ text }, index) => {
      writeFileSync(join(project, sources[index] as string), text)
    })
  })

  test('is there, and every block of it has a name', () => {
    expect(snippets.length).toBeGreaterThan(0)
    expect(snippets.filter(({ name }) => name === '').map(({ line }) => `README.md:${line}`)).toEqual([])
    expect(new Set(sources).size).toBe(sources.length)
  })

  test('type-checks against the built package', () => {
    const files = sources.filter((file) => file.endsWith('.ts'))
    if (files.length === 0) return
    expect(typeCheck({ folder: project, files, moduleResolution: 'nodenext', skipLibCheck: true })).toBe('')
  })

  const running = snippets.filter(({ name, mode }) => name !== '' && mode !== 'check')
  for (const block of running) {
    test(`${block.name} ${block.mode === 'run' ? 'runs' : 'starts'}`, () => runBlock(project, block))
  }
})

describe('the code in docs/', () => {
  const project = join(folder, 'pages')
  // What testing.md shows is run, in test/testing.
  const pages = readdirSync(join(ROOT, 'docs')).filter((file) => file.endsWith('.md') && file !== 'testing.md')
  const typed = pages.flatMap((page) =>
    parseBlocks(readPage(`docs/${page}`) ?? '')
      .filter(({ language }) => /^(ts|typescript)$/.test(language))
      .map((block) => ({ file: placeOf(block.text) ?? `${page.replace(/\.md$/, '')}-${block.line}.ts`, block })),
  )
  const files = typed.map(({ file, block }) => ({ file, text: block.text }))

  /** Files of an application that belong together say in their first line where they stand. */
  function placeOf(text: string): string | null {
    const path = /^\/\/ ([\w./[\]-]+\.ts)\b/.exec(text)?.[1]
    return path === undefined ? null : `application/${path}`
  }

  test('type-checks against the built package', () => {
    linkModules(project)
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'reader', type: 'module', private: true }))
    for (const { file, text } of files) {
      mkdirSync(dirname(join(project, file)), { recursive: true })
      writeFileSync(join(project, file), text)
    }
    expect(files.length).toBeGreaterThan(5)
    // NestJS wants the decorators of before the standard, and Next.js the resolution of a bundler.
    const groups = [
      { belongs: /^(?!application\/)/, decorated: false, moduleResolution: 'nodenext' },
      { belongs: /^(?!application\/)/, decorated: true, moduleResolution: 'nodenext' },
      { belongs: /^application\//, decorated: false, moduleResolution: 'bundler' },
    ] as const
    for (const { belongs, decorated, moduleResolution } of groups) {
      const group = files.filter(
        ({ file, text }) => belongs.test(file) && text.includes("from '@nestjs/common'") === decorated,
      )
      const options = { moduleResolution, skipLibCheck: true, legacyDecorators: decorated }
      expect(group.length).toBeGreaterThan(0)
      expect(typeCheck({ folder: project, files: group.map(({ file }) => file), ...options })).toBe('')
    }
  })

  for (const { block } of typed.filter(({ block }) => block.mode !== 'check')) {
    test(`${block.name} ${block.mode === 'run' ? 'runs' : 'starts'}`, () => runBlock(project, block))
  }
})

describe('the walk in the README', () => {
  const home = join(folder, 'walk')
  const tools = join(folder, 'tools')
  const main = join(ROOT, 'dist', 'cli', 'main.js')
  let server: ChildProcess | null = null
  let port = 0
  let said = ''

  beforeAll(async () => {
    mkdirSync(home)
    mkdirSync(tools)
    // A reader types one of these; each is the program of this checkout, run in the folder of the walk.
    const program = `exec '${process.execPath}' '${main}' "$@"`
    const shims = {
      gatebook: program,
      npx: `[ "$1" = gatebook ] || exit 127; shift; ${program}`,
      npm: `while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done; shift; ${program}`,
    }
    for (const [name, text] of Object.entries(shims)) {
      writeFileSync(join(tools, name), `#!/bin/sh\n${text}\n`)
      chmodSync(join(tools, name), 0o755)
    }
    port = await findFreePort()
    server = spawn(process.execPath, [main, 'serve'], {
      cwd: home,
      env: cleanEnvironment({ GATEBOOK_PORT: String(port) }) as NodeJS.ProcessEnv,
    })
    for (const stream of [server.stdout, server.stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk))
    const deadline = Date.now() + 20_000
    while (Date.now() < deadline && server.exitCode === null) {
      const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null)
      if (answer?.ok) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`the server does not answer on its /healthz; it said:\n${said}`)
  })

  afterAll(async () => {
    if (server && server.exitCode === null) {
      const exited = new Promise((resolve) => server?.on('exit', resolve))
      server.kill()
      await exited
    }
  })

  test('does and prints what the README shows', () => {
    const steps = parseWalk(
      walk
        .map(({ text }) => text)
        .join('\n')
        .replaceAll('4280', String(port)),
    )
    expect(steps.length).toBeGreaterThan(0)
    const mark = (index: number): string => `@@ step ${index} @@`
    // One shell for all of it, because a walk keeps its tokens in variables.
    const script = steps.map(({ commands }, index) => `printf '\\n%s\\n' '${mark(index)}'\n${commands}`).join('\n')
    const { stdout, stderr } = spawnSync('bash', ['-c', script], {
      cwd: home,
      encoding: 'utf8',
      env: cleanEnvironment({ PATH: `${tools}:${process.env.PATH}` }) as NodeJS.ProcessEnv,
      timeout: 50_000,
    })
    steps.forEach(({ commands, output }, index) => {
      const printed = stdout.split(`${mark(index)}\n`)[1]?.split(`\n${mark(index + 1)}`)[0] ?? ''
      if (output !== null && !matchesShown(printed, output)) {
        // Fails with both texts side by side.
        expect({ commands, printed: `${printed}${stderr}` }).toEqual({ commands, printed: output.join('\n') })
      }
    })
    expect(steps.some(({ output }) => output !== null)).toBe(true)
  })
})
