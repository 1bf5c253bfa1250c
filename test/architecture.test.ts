import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { listSourceFiles, packageOf, parseImports, readImports, type SourceImport } from './support/source-imports.ts'

/**
 * The layering is what keeps the log and the proofs checkable apart from databases and transports. It erodes one
 * convenient import at a time, so each test names the lines that break it.
 */
const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SRC = join(ROOT, 'src')

/** Ring n imports rings ≤ n. The longest matching prefix decides. */
const RINGS: Record<string, number> = {
  util: 0,
  event: 0,
  proof: 0,
  query: 1,
  user: 1,
  credential: 1,
  session: 1,
  token: 1,
  mail: 1,
  secret: 1,
  throttle: 1,
  flow: 1,
  log: 1,
  'log/anchors': 2,
  detect: 1,
  export: 1,
  store: 1,
  'store/sql': 2,
  'store/dialects': 2,
  'store/migrations': 2,
  http: 2,
  adapters: 2,
  client: 2,
  verify: 2,
  server: 3,
  cli: 3,
  testing: 3,
}

/**
 * The files at the top of src/: which ring they count as, for what they import and for who imports them. 2.5 is the
 * wiring: above everything that it puts together, below the programs.
 */
const TOP_FILES: Record<string, { imports: number; importedFrom: number }> = {
  'errors.ts': { imports: -1, importedFrom: 0 },
  'api.ts': { imports: 1, importedFrom: 1 },
  'api-objects.ts': { imports: 1, importedFrom: 1 },
  'api-log.ts': { imports: 1, importedFrom: 1 },
  'options.ts': { imports: 1, importedFrom: 1 },
  'api-arguments.ts': { imports: 0, importedFrom: 2 },
  'guard-api.ts': { imports: 2, importedFrom: 2 },
  'gatebook.ts': { imports: 2, importedFrom: 2.5 },
  'index.ts': { imports: 2.5, importedFrom: 3 },
}

/** Node modules with which ring 0 could do no I/O, and pure packages that run in a browser. */
const PURE_MODULES: Record<string, RegExp> = {
  'node:crypto': /^(event\/commitment|util\/id|proof\/platform)\.ts$/,
  '@noble/ed25519': /^proof\/platform-browser\.ts$/,
  '@noble/hashes/sha2.js': /^proof\/platform-browser\.ts$/,
  'ipaddr.js': /^util\/address\.ts$/,
}

/** A domain that opens sockets or starts programs cannot be tested by handing it a store. */
const NOT_IN_RING_1: ReadonlySet<string> = new Set(
  ['http', 'https', 'http2', 'net', 'tls', 'dgram', 'dns', 'child_process', 'cluster', 'worker_threads'].map(
    (name) => `node:${name}`,
  ),
)

const DRIVERS: ReadonlySet<string> = new Set(['pg', 'mysql2', 'node:sqlite', '@photostructure/sqlite'])

/** Tables are as long as they have rows. */
const TABLES: ReadonlySet<string> = new Set([
  'event/catalogue.ts',
  'errors.ts',
  'options.ts',
  'api-arguments.ts',
  'server/findings.ts',
])

const VAGUE_NAMES: ReadonlySet<string> = new Set([
  ...['helper', 'helpers', 'util', 'utils', 'manager', 'managers', 'service', 'services'],
  ...['common', 'misc', 'base', 'info'],
])

function ringOf(path: string): number {
  const top = TOP_FILES[path]
  if (top) return top.importedFrom
  const prefix = Object.keys(RINGS)
    .filter((folder) => path.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length)[0]
  if (prefix === undefined) throw new Error(`src/${path} stands in a folder that the ring table does not know`)
  return RINGS[prefix] as number
}

/** The sentence that says what is wrong with an import, or null. */
function judge({ file, specifier, target, typeOnly, lazy }: SourceImport): string | null {
  const importing = TOP_FILES[file]?.imports ?? ringOf(file)
  if (target !== null) {
    if (target.startsWith('../')) return 'leaves src/'
    if (!target.endsWith('.ts')) return 'must name the .ts file'
    if (file.startsWith('proof/') && !/^(proof|util)\//.test(target)) return 'proof/ imports only util/'
    if (/^(detect|export)\//.test(file) && target.startsWith('store/')) return 'is handed a reader, never the store'
    if (target.startsWith('testing/') && !file.startsWith('testing/')) return 'testing/ is for tests alone'
    if (file.startsWith('client/') && !typeOnly && !target.startsWith('client/') && ringOf(target) > 0) {
      return 'client/ runs in a browser'
    }
    if (ringOf(target) > importing) return `ring ${importing} must not import ring ${ringOf(target)}`
    return null
  }
  const name = packageOf(specifier)
  if (file.startsWith('client/')) return 'client/ runs in a browser, and brings nothing along'
  if (file.startsWith('testing/') && !/^node:(?!test)/.test(specifier)) return 'testing/ works with every test runner'
  if (DRIVERS.has(name)) {
    if (!file.startsWith('store/dialects/')) return 'database drivers belong to store/dialects/'
    return typeOnly || lazy ? null : 'a driver is loaded with import() when its dialect is used'
  }
  if (importing === 0 && !typeOnly && !PURE_MODULES[specifier]?.test(file)) return 'ring 0 is pure: no I/O, no packages'
  if (importing <= 1 && NOT_IN_RING_1.has(specifier)) return 'ring 1 does I/O only through interfaces'
  if (/^[a-z]/.test(specifier) && !specifier.startsWith('node:') && isBuiltin(specifier))
    return 'wants the node: prefix'
  return null
}

function isBuiltin(specifier: string): boolean {
  return ['fs', 'path', 'crypto', 'http', 'net', 'os', 'url', 'util', 'stream', 'zlib', 'events'].includes(specifier)
}

function offences(imports: readonly SourceImport[]): string[] {
  return imports.flatMap((found) => {
    const why = judge(found)
    return why === null ? [] : [`src/${found.file}:${found.line} imports ${found.specifier}: ${why}`]
  })
}

describe('imports', () => {
  test('of src/ keep to their rings', () => {
    expect(offences(readImports(SRC))).toEqual([])
  })

  test.each([
    ['util/id.ts', "import { a } from '../session/a.ts'", /ring 0 must not import ring 1/],
    ['util/id.ts', "import { readFile } from 'node:fs'", /ring 0 is pure/],
    ['util/id.ts', "import { createHash } from 'node:crypto'", null],
    ['proof/hash.ts', "import { createHash } from 'node:crypto'", /ring 0 is pure/],
    ['proof/platform.ts', "import { createHash } from 'node:crypto'", null],
    ['proof/tree.ts', "import { a } from '../event/event.ts'", /proof\/ imports only util\//],
    ['flow/login.ts', "import { a } from '../http/handler.ts'", /ring 1 must not import ring 2/],
    ['flow/login.ts', "import type { Settings } from '../options.ts'", null],
    ['flow/login.ts', "import { sql } from 'kysely'", null],
    ['flow/login.ts', "import pg from 'pg'", /belong to store\/dialects/],
    ['flow/login.ts', "const x = await import('mysql2/promise')", /belong to store\/dialects/],
    ['log/append.ts', "export { x } from '../store/sql/x.ts'", /ring 1 must not import ring 2/],
    ['log/append.ts', "import { connect } from 'node:net'", /only through interfaces/],
    ['log/anchors/command.ts', "import { spawn } from 'node:child_process'", null],
    ['log/anchoring.ts', "import { createFileAnchor } from './anchors/file.ts'", /ring 1 must not import ring 2/],
    ['store/dialects/postgres.ts', "import pg from 'pg'", /is loaded with import\(\)/],
    ['store/dialects/postgres.ts', "import type pg from 'pg'", null],
    ['store/dialects/postgres.ts', "const pg = await import('pg')", null],
    ['store/dialects/sqlite.ts', "process.getBuiltinModule('node:sqlite')", null],
    ['adapters/express.ts', "import { toRequest } from '../http/request.ts'", null],
    ['http/handler.ts', "import { serve } from '../server/serve.ts'", /ring 2 must not import ring 3/],
    ['detect/rule.ts', "import type { Store } from '../store/store.ts'", /never the store/],
    ['errors.ts', "import { a } from './util/id.ts'", /ring -1 must not import ring 0/],
    ['http/handler.ts', "import { createGatebook } from '../gatebook.ts'", /ring 2 must not import ring 2.5/],
    ['index.ts', "export { createGatebook } from './gatebook.ts'", null],
    ['cli/main.ts', "import { createGatebook } from '../index.ts'", null],
    ['gatebook.ts', "import { serve } from './server/serve.ts'", /ring 2 must not import ring 3/],
    ['cli/main.ts', "import { createFakeClock } from '../testing/index.ts'", /testing\/ is for tests alone/],
    ['testing/a.ts', "import { b } from './b.ts'", null],
    ['testing/a.ts', "import { AssertionError } from 'node:assert'", null],
    ['testing/a.ts', "import { test } from 'node:test'", /works with every test runner/],
    ['testing/a.ts', "import { expect } from 'vitest'", /works with every test runner/],
    ['client/a.ts', "import { a } from '../util/bytes.ts'", null],
    ['client/a.ts', "import { a } from '../token/jwt.ts'", /runs in a browser/],
    ['client/a.ts', "import type { ErrorCode } from '../errors.ts'", null],
    ['client/a.ts', "import { readFile } from 'node:fs'", /brings nothing along/],
    ['client/a.ts', "import { z } from 'zod'", /brings nothing along/],
    ['session/end.ts', "import { a } from '../../test/a.ts'", /leaves src/],
    ['session/end.ts', "type A = import('../cli/main.ts').A", /ring 1 must not import ring 3/],
  ])('of %s: %s', (file, text, wanted) => {
    const found = offences(parseImports(file, text))
    if (wanted === null) expect(found).toEqual([])
    else expect(found.join('\n')).toMatch(wanted)
  })
})

/** What the pages may import: what runs in a browser of the rooms of src/, and packages that they bring along. */
const DASHBOARD_ROOMS = /^\.\.\/\.\.\/src\/(proof|query|util|event|client)\//
const DASHBOARD_PACKAGES: ReadonlySet<string> = new Set(['preact', 'uplot'])

/** Paths are from dashboard/src. */
function judgeDashboard({ specifier, target }: SourceImport): string | null {
  if (target === null) return DASHBOARD_PACKAGES.has(packageOf(specifier)) ? null : 'brings another package along'
  if (target.startsWith('../')) return DASHBOARD_ROOMS.test(target) ? null : 'is not for browsers'
  return /\.(tsx?|css)$/.test(target) ? null : 'must name the file'
}

function dashboardOffences(imports: readonly SourceImport[]): string[] {
  return imports.flatMap((found) => {
    const why = judgeDashboard(found)
    return why === null ? [] : [`dashboard/src/${found.file}:${found.line} imports ${found.specifier}: ${why}`]
  })
}

describe('imports of the dashboard', () => {
  test('are its own, or run in a browser', () => {
    expect(dashboardOffences(readImports(join(ROOT, 'dashboard/src')))).toEqual([])
  })

  test.each([
    ['events/a.tsx', "import { b } from './b.ts'", null],
    ['events/a.tsx', "import { parseQuery } from '../../../src/query/parse-query.ts'", null],
    ['events/a.tsx', "import { useState } from 'preact/hooks'", null],
    ['events/a.tsx', "import type { Gatebook } from '../../../src/api.ts'", /not for browsers/],
    ['events/a.tsx', "import { a } from '../../../src/log/receipt.ts'", /not for browsers/],
    ['events/a.tsx', "import { a } from '../../../test/a.ts'", /not for browsers/],
    ['events/a.tsx', "import { readFile } from 'node:fs'", /another package/],
    ['events/a.tsx', "const x = await import('react')", /another package/],
    ['events/a.tsx', "import { b } from './b'", /name the file/],
  ])('of %s: %s', (file, text, wanted) => {
    const found = dashboardOffences(parseImports(file, text))
    if (wanted === null) expect(found).toEqual([])
    else expect(found.join('\n')).toMatch(wanted)
  })
})

describe('dependencies', () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >
  const outside = readImports(SRC).filter(({ specifier, target }) => target === null && !specifier.startsWith('node:'))

  test('that the code loads are declared', () => {
    const declared = new Set(
      ['dependencies', 'peerDependencies', 'optionalDependencies'].flatMap((kind) => Object.keys(manifest[kind] ?? {})),
    )
    const undeclared = outside
      .filter(({ specifier, typeOnly }) => !typeOnly && !declared.has(packageOf(specifier)))
      .map(({ file, line, specifier }) => `src/${file}:${line} loads ${specifier}, which package.json does not declare`)
    expect(undeclared).toEqual([])
  })

  test('that are declared are used', () => {
    const used = new Set(outside.map(({ specifier }) => packageOf(specifier)))
    expect(Object.keys(manifest.dependencies ?? {}).filter((name) => !used.has(name))).toEqual([])
  })

  test('of the dashboard are none of those who install the package', () => {
    const own = JSON.parse(readFileSync(join(ROOT, 'dashboard/package.json'), 'utf8')) as typeof manifest
    expect([own.private, own.dependencies]).toEqual([true, undefined])
    const brought = Object.keys(own.devDependencies ?? {})
    expect(brought.filter((name) => name in (manifest.dependencies ?? {}))).toEqual([])
  })

  test('have exact versions', () => {
    const dashboard = JSON.parse(readFileSync(join(ROOT, 'dashboard/package.json'), 'utf8')) as typeof manifest
    const loose = Object.entries({
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...dashboard.devDependencies,
    })
    expect(loose.filter(([, version]) => !/^(npm:[\w-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([])
  })
})

describe('files', () => {
  const trees = ['src', 'test', 'scripts', 'bench', 'dashboard'].filter((tree) => readdirSync(ROOT).includes(tree))
  const files = trees.flatMap((tree) => listSourceFiles(join(ROOT, tree)).map((file) => ({ tree, file })))

  test('are short enough to be read: 500 lines, tests 700', () => {
    const long = files.flatMap(({ tree, file }) => {
      const lines = readFileSync(join(ROOT, tree, file), 'utf8').split('\n').length - 1
      if (lines <= (tree === 'test' ? 700 : 500) || (tree === 'src' && TABLES.has(file))) return []
      return [`${tree}/${file} has ${lines} lines`]
    })
    expect(long).toEqual([])
  })

  test('leave nothing to be done later', () => {
    // Put together here so that this file does not find itself.
    const mark = new RegExp(`\\b(${['TO', 'FIX'].map((a, i) => a + ['DO', 'ME'][i]).join('|')})\\b`)
    const found = files.flatMap(({ tree, file }) =>
      readFileSync(join(ROOT, tree, file), 'utf8')
        .split('\n')
        .flatMap((text, index) => (mark.test(text) ? [`${tree}/${file}:${index + 1}`] : [])),
    )
    expect(found).toEqual([])
  })

  test('and folders say in their names what they are about', () => {
    const vague = files.filter(({ file }) => VAGUE_NAMES.has(basename(file).replace(/(\.test|\.d)?\.\w+$/, '')))
    expect(vague.map(({ tree, file }) => `${tree}/${file}`)).toEqual([])
  })

  test('are named in kebab-case', () => {
    // Next.js makes paths of the names of folders.
    const own = files.filter(({ file }) => !file.startsWith('frameworks/next/app/'))
    const odd = own.filter(({ file }) => !file.split('/').every((part) => /^[a-z0-9]+([-.][a-z0-9]+)*$/.test(part)))
    expect(odd.map(({ tree, file }) => `${tree}/${file}`)).toEqual([])
  })
})
