import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { PairedReport, PairedSettings } from './paired-server.ts'
import type { ServerReport, ServerSettings } from './server.ts'

export interface RunningBenchServer extends ServerReport {
  /** Of the last request, when the server counts them. */
  statements(): Promise<readonly string[]>
  stop(): Promise<void>
}

export async function startServer(settings: ServerSettings): Promise<RunningBenchServer> {
  const { child, report, stop } = await start<ServerReport>('server.ts', settings)
  return {
    ...report,
    async statements() {
      const answer = receive<readonly string[]>(child)
      child.send('statements')
      return answer
    },
    stop,
  }
}

export interface RunningPair {
  readonly ports: PairedReport
  stop(): Promise<void>
}

/** Both in one process: of two with the same code and settings, one does up to a twentieth more log-ins for as long as it lives. */
export async function startPairedServer(settings: PairedSettings): Promise<RunningPair> {
  const register = new URL('without-log/register.mjs', import.meta.url).href
  const { report, stop } = await start<PairedReport>('paired-server.ts', settings, ['--import', register])
  return { ports: report, stop }
}

async function start<Report>(name: string, settings: object, imports: readonly string[] = []) {
  const script = fileURLToPath(new URL(name, import.meta.url))
  const flags = process.env.BENCH_NODE_FLAGS?.split(' ') ?? []
  const args = [...flags, '--import', 'tsx', ...imports, script, JSON.stringify(settings)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const exited = once(child, 'exit')
  const report = await Promise.race([
    receive<Report>(child),
    exited.then(() => Promise.reject(new Error('the server did not start'))),
  ])
  const stop = async (): Promise<void> => {
    child.disconnect()
    await exited
  }
  return { child, report, stop }
}

async function receive<T>(child: ChildProcess): Promise<T> {
  const [message] = await once(child, 'message')
  return message as T
}
