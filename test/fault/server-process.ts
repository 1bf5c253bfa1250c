import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { signingEnvironment } from '../support/log-signing.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BUILT = join(ROOT, 'dist/cli/main.js')
/** What `npm test` has just built; the source where nothing has been built. */
const PROGRAM = existsSync(BUILT) ? [BUILT] : ['--import', 'tsx', join(ROOT, 'src/cli/main.ts')]

export interface ServerProcess {
  readonly url: string
  readonly pid: number
  /** Everything it has written to the standard error so far: its diagnostics. */
  diagnostics(): string
  /** Null while it runs. */
  exitCode(): number | null
  /** SIGKILL: nothing in the process gets to know of it. */
  kill(): Promise<void>
  /** SIGTERM: it drains. */
  stop(): Promise<void>
}

/** `gatebook serve` in a process of its own; `settings` are its whole environment beside PATH. */
export async function startServerProcess(settings: Readonly<Record<string, string>>): Promise<ServerProcess> {
  const child = spawn(process.execPath, [...PROGRAM, 'serve', '--json'], {
    // A folder in which no settings and no database lie about.
    cwd: PROGRAM.length === 1 ? tmpdir() : ROOT,
    env: {
      PATH: process.env.PATH ?? '',
      ...signingEnvironment(settings.GATEBOOK_DATABASE ?? ''),
      ...settings,
      GATEBOOK_PORT: '0',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  const written: Buffer[] = []
  child.stderr.on('data', (part: Buffer) => written.push(part))
  const diagnostics = () => Buffer.concat(written).toString()
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal)
    await exited
  }
  return {
    url: await readUrl(child, diagnostics),
    diagnostics,
    pid: child.pid!,
    exitCode: () => child.exitCode,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  }
}

function readUrl(child: ChildProcess, diagnostics: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    let out = ''
    child.stdout?.on('data', (part: Buffer) => {
      out += part
      try {
        resolve((JSON.parse(out) as { url: string }).url)
      } catch {
        // Not all of it yet.
      }
    })
    child.on('error', reject)
    child.on('exit', (code, signal) =>
      reject(new Error(`the server ended (${code ?? signal}) before it listened: ${diagnostics()}`)),
    )
  })
}
