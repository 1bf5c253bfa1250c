import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROOT, typeCheck } from '../support/consumer.ts'

/**
 * What is published is the tarball, not the checkout: a file that `files` forgets, an export that points nowhere, a type
 * that needs a package nobody has. So it is packed, installed into an empty project, and used from there.
 */
interface PackedFile {
  readonly path: string
  readonly size: number
}

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  name: string
  version: string
  bin: Record<string, string>
  exports: Record<string, string | { types?: string; default?: string }>
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
  peerDependencies?: Record<string, string>
  overrides?: Record<string, string>
}

/** Every entry point, as a user writes it. */
const modules = Object.keys(manifest.exports)
  .filter((key) => !key.endsWith('.json') && !key.includes('*'))
  .map((key) => manifest.name + key.slice(1))

/** Unpacked; more than half of it is sources and source maps. A jump means that something slipped in. */
const MAX_UNPACKED_BYTES = 8_000_000

const folder = mkdtempSync(join(tmpdir(), 'gatebook-package-'))
const project = join(folder, 'project')
let packed: PackedFile[] = []
let unpackedBytes = 0

function runIn(cwd: string, command: string, args: readonly string[]): { status: number | null; output: string } {
  // npm hands its own settings down to tests that it runs; the project of a user has none of them.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|GATEBOOK_|VITEST)/.test(name)))
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', env, timeout: 240_000 })
  return { status, output: `${stdout}${stderr}${error?.message ?? ''}` }
}

function npm(cwd: string, ...args: string[]): string {
  const { status, output } = runIn(cwd, 'npm', [...args, '--no-audit', '--no-fund', '--no-update-notifier'])
  if (status !== 0) throw new Error(`npm ${args.join(' ')} ended with ${status}:\n${output}`)
  return output
}

beforeAll(() => {
  const answer = runIn(ROOT, 'npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder])
  if (answer.status !== 0) throw new Error(`npm pack ended with ${answer.status}:\n${answer.output}`)
  const json = answer.output.slice(answer.output.indexOf('[\n'), answer.output.lastIndexOf(']') + 1)
  const [report] = JSON.parse(json) as [{ filename: string; unpackedSize: number; files: PackedFile[] }]
  packed = report.files
  unpackedBytes = report.unpackedSize

  runIn(folder, 'mkdir', [project])
  // Frameworks that are installed for their types depend on packages of which ours is not the only choice.
  const empty = { name: 'empty', private: true, type: 'module', overrides: manifest.overrides }
  writeFileSync(join(project, 'package.json'), JSON.stringify(empty))
  // Install scripts stay off: newer versions of npm do not run those of dependencies, and it must work without.
  npm(project, 'install', join(folder, report.filename), '--prefer-offline', '--ignore-scripts')
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the tarball', () => {
  test('holds what package.json points at', () => {
    const paths = new Set(packed.map(({ path }) => path))
    const targets = Object.values(manifest.exports).flatMap((target) =>
      typeof target === 'string' ? [target] : Object.values(target),
    )
    const wanted = [...targets, ...Object.values(manifest.bin)].map((path) => path.replace(/^\.\//, ''))
    expect(wanted.filter((path) => !path.includes('*') && !paths.has(path))).toEqual([])
    for (const path of ['README.md', 'LICENSE', 'package.json', 'dist/dashboard/index.html']) {
      expect(paths).toContain(path)
    }
    expect([...paths].filter((path) => path.startsWith('dashboard/'))).toEqual([])
  })

  test('holds nothing that is only for developing', () => {
    const odd = packed.filter(({ path }) =>
      /(^|\/)(tests?|bench|scripts|examples|\.ci|coverage)\/|\.test\.|(^|\/)\.|\.tgz$/.test(path),
    )
    expect(odd.map(({ path }) => path)).toEqual([])
  })

  test('holds the source of every compiled file, so that source maps lead somewhere', () => {
    const paths = new Set(packed.map(({ path }) => path))
    const compiled = [...paths].filter((path) => /^dist\/(?!dashboard\/).*(?<!\.d)\.js$/.test(path))
    expect(compiled.length).toBeGreaterThan(0)
    const sourceOf = (path: string) => path.replace(/^dist\//, 'src/')
    // A script for browsers is its own source.
    const lost = compiled.filter(
      (path) => !paths.has(sourceOf(path).replace(/\.js$/, '.ts')) && !paths.has(sourceOf(path)),
    )
    expect(lost).toEqual([])
  })

  test(`is at most ${MAX_UNPACKED_BYTES / 1e6} MB unpacked`, () => {
    expect(unpackedBytes).toBeLessThanOrEqual(MAX_UNPACKED_BYTES)
  })
})

describe('in an empty project', () => {
  test.each(modules)('%s can be imported', (name) => {
    const program = `import(${JSON.stringify(name)}).then((m) => { if (Object.keys(m).length === 0) process.exit(9) })`
    expect(runIn(project, process.execPath, ['--input-type=module', '-e', program])).toEqual({ status: 0, output: '' })
  })

  test.each(modules)('%s can be required', (name) => {
    const program = `if (Object.keys(require(${JSON.stringify(name)})).length === 0) process.exit(9)`
    // Node 20 and 22 announce on standard error that requiring an ES module is new; that is not ours to answer for.
    const options = ['--disable-warning=ExperimentalWarning', '--input-type=commonjs', '-e', program]
    expect(runIn(project, process.execPath, options)).toEqual({ status: 0, output: '' })
  })

  test('both ways give the same module', () => {
    const program = `
      import { createRequire } from 'node:module'
      const require = createRequire(process.cwd() + '/x.cjs')
      for (const name of ${JSON.stringify(modules)}) {
        const [a, b] = [await import(name), require(name)]
        for (const key of Object.keys(a)) if (a[key] !== b[key]) throw new Error(name + ' ' + key)
      }`
    const options = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program]
    expect(runIn(project, process.execPath, options)).toEqual({ status: 0, output: '' })
  })

  test('package.json can be read', () => {
    const program = `process.stdout.write(require('${manifest.name}/package.json').version)`
    expect(runIn(project, process.execPath, ['-e', program])).toEqual({ status: 0, output: manifest.version })
  })

  test.each(Object.keys(manifest.bin))('npx %s --help', (name) => {
    const { status, output } = runIn(project, 'npx', ['--no-install', name, '--help'])
    expect({ status, output }).toEqual({
      status: 0,
      output: expect.stringMatching(new RegExp(`usage:? .*${name}`, 'i')),
    })
  })

  test('an unknown command is wrong use: status 2', () => {
    expect(runIn(project, 'npx', ['--no-install', 'gatebook', 'frobnicate']).status).toBe(2)
  })
})

describe('the types', () => {
  /** What a user of these entry points has installed beside the package. */
  const companions = ['typescript', '@types/node', ...Object.keys(manifest.peerDependencies ?? {})]
  companions.push('@types/express', '@types/koa')

  beforeAll(() => {
    const all = { ...manifest.dependencies, ...manifest.devDependencies }
    const wanted = companions.filter((name) => all[name]).map((name) => `${name}@${all[name]}`)
    npm(project, 'install', ...wanted, '--prefer-offline', '--ignore-scripts', '--no-save')
    const imports = modules.map((name, index) => `import * as m${index} from '${name}'`)
    writeFileSync(
      join(project, 'consumer.ts'),
      [
        ...imports,
        "import { createGatebook } from 'gatebook'",
        "import { sqlite } from 'gatebook/sqlite'",
        "const gate = await createGatebook({ issuer: 'https://app.example', database: sqlite('gatebook.db') })",
        "const attempt = await gate.attempts.begin({ identifier: 'a', userId: '1' }, { ip: '192.0.2.1' })",
        "const tokens = await attempt.succeed('1', { roles: ['admin'], claims: { plan: 'free' } })",
        'const token: string = tokens.accessToken',
        'const { userId, roles } = await gate.tokens.verify(token)',
        'const both: [string, readonly string[]] = [userId, roles]',
        "const answer: Response = await gate.fetch(new Request('https://app.example/auth/me'))",
        '// @ts-expect-error an option that does not exist',
        "await createGatebook({ issuer: 'https://app.example', database: sqlite('gatebook.db'), isuer: '' })",
        `export { both, answer, ${modules.map((_, index) => `m${index}`).join(', ')} }`,
      ].join('\n'),
    )
  })

  for (const moduleResolution of ['nodenext', 'bundler'] as const) {
    test(`satisfy a strict user with moduleResolution ${moduleResolution} and no skipLibCheck`, () => {
      const complaints = typeCheck({ folder: project, files: ['consumer.ts'], moduleResolution, skipLibCheck: false })
      expect(complaints).toBe('')
    })
  }
})
