import { execFile, spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access, chmod, chown, mkdir, mkdtemp, readFile, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const run: (
  command: string,
  args: readonly string[],
  options?: { cwd?: string; uid?: number; gid?: number; env?: NodeJS.ProcessEnv; timeout?: number },
) => Promise<{ stdout: string; stderr: string }> = promisify(execFile)

/** An account to run a server under; both members absent: our own. Database servers refuse to run as root. */
export interface Account {
  readonly uid?: number
  readonly gid?: number
  readonly name?: string
}

export async function unprivilegedAccount(preferred: string): Promise<Account> {
  if (process.getuid?.() !== 0) return {}
  for (const name of [preferred, 'nobody']) {
    try {
      const ids = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])])
      return { name, uid: Number(ids[0].stdout), gid: Number(ids[1].stdout) }
    } catch {
      // No such account: the next one.
    }
  }
  throw new Error(`this runs as root and there is neither an account "${preferred}" nor "nobody" to run a server under`)
}

/** Whether another account can get to this path: every folder on the way must let it through. */
export async function isReachableByOthers(path: string): Promise<boolean> {
  for (let at = dirname(path); ; at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false
    if (dirname(at) === at) return true
  }
}

/** A folder for one run, or one server. Whoever makes it hands it to a keeper, which removes it. */
export async function makeFolder(what: string, where?: string): Promise<string> {
  const usual = process.getuid?.() === 0 && !(await isReachableByOthers(join(tmpdir(), 'x'))) ? '/tmp' : tmpdir()
  const folder = await mkdtemp(join(where ?? usual, `gatebook-test-${what}-`))
  await chmod(folder, 0o711)
  return folder
}

export async function makeOwnedFolder(path: string, account: Account): Promise<string> {
  await mkdir(path, { mode: 0o700, recursive: true })
  if (account.uid !== undefined && account.gid !== undefined) await chown(path, account.uid, account.gid)
  return path
}

export async function findProgram(name: string, folders: readonly string[] = []): Promise<string | null> {
  // Debian keeps daemons in /usr/sbin, which is not on everybody's PATH.
  const path = [...folders, ...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  for (const folder of path.filter(Boolean)) {
    const candidate = join(folder, name)
    if (
      await access(candidate, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return candidate
  }
  return null
}

export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

export interface ServerCommand extends Account {
  readonly command: string
  readonly args: readonly string[]
  readonly stopSignal: NodeJS.Signals
  readonly logFile: string
  readonly env?: Record<string, string>
}

export interface Kept {
  /** Settles only if the server ends before it is told to, with the way it ended. */
  readonly ended: Promise<string>
  /** Ends the server and removes the folder. */
  close(): Promise<void>
}

/** Puts a folder, and the server in it, under a process that outlives a killed run just long enough to clean up. */
export function keep(folder: string, server?: ServerCommand): Kept {
  const script = fileURLToPath(new URL('keeper.mjs', import.meta.url))
  const keeper = spawn(process.execPath, [script, folder, ...(server ? [JSON.stringify(server)] : [])], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  const exited = new Promise<void>((resolve) => keeper.on('exit', () => resolve()))
  const ended = new Promise<string>((resolve) => {
    keeper.stdout.once('data', (line: Buffer) => resolve(line.toString().trim()))
    keeper.on('error', (error) => resolve(error.message))
  })
  keeper.stdin.on('error', () => {})
  keeper.unref()
  return {
    ended,
    async close() {
      keeper.ref()
      keeper.stdin.end()
      await exited
    },
  }
}

/** Waits until the server answers, or says with the end of its log why it does not. */
export async function waitUntilAnswers(kept: Kept, logFile: string, ask: () => Promise<unknown>): Promise<void> {
  let how: string | null = null
  kept.ended.then((text) => {
    how = text
  })
  const deadline = Date.now() + 60_000
  for (;;) {
    if (how === null && Date.now() < deadline) {
      const answered = await ask().then(
        () => true,
        () => false,
      )
      if (answered) return
      await new Promise((resolve) => setTimeout(resolve, 50))
      continue
    }
    const log = (await readFile(logFile, 'utf8').catch(() => '')).trim().split('\n').slice(-3).join(' / ')
    throw new Error(`the server ${how === null ? 'does not answer' : `ended (${how})`}: ${log}`)
  }
}
