import { type ChildProcess, spawn } from 'node:child_process'
import { type Anchor, AnchorError, fillPlaces } from '../anchor.ts'

export interface CommandAnchorOptions {
  readonly name: string
  readonly program: string
  /** `{origin}` and `{size}` stand for those of the checkpoint. */
  readonly args?: readonly string[]
  readonly environment?: NodeJS.ProcessEnv
}

/** What of its standard error is told. */
const TOLD_BYTES = 200
/** Between being asked to end and being ended. */
const GRACE_MILLISECONDS = 2000
const LAST_WORDS_MILLISECONDS = 200

/**
 * Starts a program, without a shell, and writes the note to its standard input. Status 0: it is kept. The program does not get
 * Gatebook's own settings, since some are secrets.
 */
export function createCommandAnchor(options: CommandAnchorOptions): Anchor {
  const { name, program, args = [], environment = process.env } = options
  const env = Object.fromEntries(Object.entries(environment).filter(([key]) => !key.startsWith('GATEBOOK_')))
  return {
    name,
    async put({ note, checkpoint }, signal) {
      signal.throwIfAborted()
      const filled = args.map((arg) => fillPlaces(arg, checkpoint, (value) => value))
      const child = spawn(program, filled, { env, stdio: ['pipe', 'ignore', 'pipe'], windowsHide: true })
      const end = (): void => endSoon(child)
      signal.addEventListener('abort', end, { once: true })
      try {
        await run(child, note)
      } catch (error) {
        throw signal.aborted ? new AnchorError('The program took too long and was ended.') : error
      } finally {
        child.stderr?.destroy()
        signal.removeEventListener('abort', end)
      }
      return {}
    },
  }
}

function run(child: ChildProcess, note: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let told = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (told.length < TOLD_BYTES) told += text.slice(0, TOLD_BYTES)
    })
    child.on('error', (error: NodeJS.ErrnoException) => {
      reject(new AnchorError(`The program cannot be started (${error.code}).`, { cause: error }))
    })
    child.on('exit', (status, ended) => {
      if (status === 0) return resolve()
      const tell = (): void => {
        const words = told.slice(0, TOLD_BYTES).trim()
        const how = status === null ? String(ended) : `status ${status}`
        reject(new AnchorError(`The program ended with ${how}${words === '' ? '.' : `: ${words}`}`))
      }
      // What it has started may live on with its standard error, which then stays open.
      const timer = setTimeout(tell, LAST_WORDS_MILLISECONDS)
      child.once('close', () => {
        clearTimeout(timer)
        tell()
      })
    })
    // It may end without reading: then its status counts.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(note)
  })
}

function endSoon(child: ChildProcess): void {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MILLISECONDS)
  child.once('exit', () => clearTimeout(timer))
}
