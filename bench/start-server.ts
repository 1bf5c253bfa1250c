import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ServerReport, ServerSettings } from './server.ts'

export interface RunningBenchServer extends ServerReport {
  /** Of the last request, when the server counts them. */
  statements(): Promise<readonly string[]>
  stop(): Promise<void>
}

export async function startServer(settings: ServerSettings): Promise<RunningBenchServer> {
  const script = fileURLToPath(new URL('server.ts', import.meta.url))
  const flags = process.env.BENCH_NODE_FLAGS?.split(' ') ?? []
  const without =
    settings.withLog === false ? ['--import', new URL('without-log/register.mjs', import.meta.url).href] : []
  const args = [...flags, '--import', 'tsx', ...without, script, JSON.stringify(settings)]
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')
  const report = await Promise.race([
    receive<ServerReport>(child),
    exited.then(() => Promise.reject(new Error('the server did not start'))),
  ])
  return {
    ...report,
    async statements() {
      const answer = receive<readonly string[]>(child)
      child.send('statements')
      return answer
    },
    async stop() {
      child.disconnect()
      await exited
    },
  }
}

async function receive<T>(child: ChildProcess): Promise<T> {
  const [message] = await once(child, 'message')
  return message as T
}
