import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = new URL('../../', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')) as { bin: { gatebook: string } }

/** The program as it is installed: what `package.json` names, or an installation somewhere else. */
export const PROGRAM: string = process.env.GATEBOOK_TEST_PROGRAM ?? fileURLToPath(new URL(manifest.bin.gatebook, ROOT))

export interface RunOptions {
  readonly folder: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
}

export interface Transcript {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A program that goes on until it is told to end. */
export interface Running {
  readonly child: ChildProcess
  stdout(): string
  stderr(): string
  /** Waits until the text is there; throws with everything that was said when the program ends or 20 s pass before. */
  saw(stream: 'stdout' | 'stderr', pattern: RegExp, patience?: number): Promise<RegExpExecArray>
  ended: Promise<Transcript>
}

export function start(args: readonly string[], { folder, env = {}, input }: RunOptions): Running {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(GATEBOOK_|NODE_ENV$|NODE_OPTIONS$|UV_|VITEST)/.test(name),
  )
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    cwd: folder,
    env: { ...Object.fromEntries(inherited), TZ: 'Europe/Berlin', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      said[stream] += text
    })
  }
  child.stdin.end(input ?? '')
  const ended = new Promise<Transcript>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => resolve({ status, ...said }))
  })

  async function saw(stream: 'stdout' | 'stderr', pattern: RegExp, patience = 20_000): Promise<RegExpExecArray> {
    const giveUp = Date.now() + patience
    for (;;) {
      const match = pattern.exec(said[stream])
      if (match !== null) return match
      if (child.exitCode !== null || Date.now() > giveUp) {
        throw new Error(`no ${pattern} on ${stream}:\n${said.stdout}\n${said.stderr}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  return { child, stdout: () => said.stdout, stderr: () => said.stderr, saw, ended }
}

/** Runs one command to its end. */
export function run(args: readonly string[], options: RunOptions): Promise<Transcript> {
  return start(args, options).ended
}

/** `serve` on a free port; resolves when it answers. */
export async function startServer(args: readonly string[], options: RunOptions): Promise<Running & { url: string }> {
  const running = start(['serve', '--port', '0', ...args], options)
  const [, url] = await running.saw('stdout', /listens on (http:\S+)\n.*mail .*\n/s)
  return Object.assign(running, { url: url as string })
}

export async function stopServer(running: Running): Promise<void> {
  running.child.kill('SIGTERM')
  await running.ended
}

export async function post(url: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

/** JSON lines. */
export function parseLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
