import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const FOLDER = fileURLToPath(new URL('../proof/independent/', import.meta.url))
const GO_PATH = '/usr/share/gocode'
const PYTHON = '/usr/bin/python3'

/** The programs of `test/proof/independent/` that can be run here, which are both in CI. */
export interface IndependentVerifiers {
  readonly missing: readonly string[]
  /** What each of them says of an exported folder. */
  verify(folder: string, vkey: string): Promise<Readonly<Record<string, { status: number; output: string }>>>
  remove(): void
}

export function buildIndependentVerifiers(): IndependentVerifiers {
  const work = mkdtempSync(join(tmpdir(), 'gatebook-independent-'))
  const programs: Record<string, readonly [string, ...string[]]> = {}
  const missing: string[] = []
  if (
    existsSync(join(GO_PATH, 'src/golang.org/x/mod/sumdb/tlog/tlog.go')) &&
    spawnSync('go', ['version']).status === 0
  ) {
    const program = join(work, 'verify-go')
    const env = { ...process.env, GO111MODULE: 'off', GOPATH: GO_PATH, GOFLAGS: '', GOCACHE: join(work, 'cache') }
    execFileSync('go', ['build', '-o', program, join(FOLDER, 'verify.go')], { env })
    programs.go = [program]
  } else missing.push('golang-go and golang-golang-x-mod-dev')
  if (spawnSync(PYTHON, ['--version']).status === 0 && spawnSync('openssl', ['version']).status === 0) {
    programs.python = [PYTHON, join(FOLDER, 'verify.py')]
  } else missing.push(`${PYTHON} and openssl`)

  async function run([program, ...first]: readonly [string, ...string[]], ...more: string[]) {
    try {
      const { stdout } = await promisify(execFile)(program, [...first, ...more])
      return { status: 0, output: stdout }
    } catch (error) {
      const { code, stderr } = error as { code: number; stderr: string }
      return { status: code, output: stderr }
    }
  }

  return {
    missing,
    async verify(folder, vkey) {
      const said = Object.entries(programs).map(async ([name, program]) => [name, await run(program, folder, vkey)])
      return Object.fromEntries(await Promise.all(said))
    },
    remove: () => rmSync(work, { recursive: true, force: true }),
  }
}
