/**
 * `GET /auth/me` with many distinct tokens against a bare Hono route that returns the same JSON, in one process on two ports.
 * See README.md.
 */
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { median } from './statistics.ts'

const DISTINCT = 1000
const CONNECTIONS = 16
const ROUNDS = 9
const WINDOW_MILLISECONDS = 1500
const BAR = 0.5

export interface MeFigures {
  readonly requestsPerSecond: { readonly gatebook: number; readonly bare: number }
  /** Of the server, by its own account. */
  readonly microseconds: { readonly gatebook: number; readonly bare: number }
  readonly throughputRatio: number
  /** Bare by ours: how much of the work is not ours. */
  readonly workRatio: number
}

interface Ready {
  readonly gatebook: number
  readonly bare: number
  readonly tokens: readonly string[]
}

/** The measured process. Answers `cpu` with the microseconds that it has used. */
async function runServer(): Promise<void> {
  // What is published, and not what a loader makes of the source at each start.
  const built = <T>(path: string) => import(new URL(`../dist/${path}.js`, import.meta.url).href) as Promise<T>
  const { toNodeHandler } = await built<typeof import('../src/adapters/node.ts')>('adapters/node')
  const { createGatebook } = await built<typeof import('../src/gatebook.ts')>('gatebook')
  const { parseDatabaseUrl } = await built<typeof import('../src/server/database-url.ts')>('server/database-url')
  const gate = await createGatebook({
    issuer: 'http://127.0.0.1',
    secret: randomBytes(32).toString('base64'),
    database: parseDatabaseUrl('sqlite::memory:'),
  })
  const tokens: string[] = []
  for (let at = 0; at < DISTINCT; at++) tokens.push((await gate.sessions.start(at, { roles: ['editor'] })).accessToken)
  const headers = new Headers({ authorization: `Bearer ${tokens[0]}` })
  const body = (await (await gate.fetch(new Request('http://localhost/auth/me', { headers }))).json()) as object
  const ours = createServer(toNodeHandler(gate)).listen(0, '127.0.0.1')
  await once(ours, 'listening')
  const app = new Hono().get('/auth/me', (c) => c.json(body))
  const bare = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
  if (!bare.listening) await once(bare, 'listening')
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send!(user + system)
  })
  process.on('disconnect', () => process.exit())
  const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port
  process.send!({ gatebook: portOf(ours), bare: portOf(bare), tokens } satisfies Ready)
}

/** As many as fit into the time, over sockets that stay open; raw, so that the client is never the slower one. */
async function load(port: number, requests: readonly Buffer[]): Promise<number> {
  let answered = 0
  let going = true
  const one = (place: number) =>
    new Promise<void>((resolve, reject) => {
      let at = place
      let buffered = ''
      const socket = connect(port, '127.0.0.1').setNoDelay(true).setEncoding('latin1')
      const send = () => {
        at = (at + CONNECTIONS) % requests.length
        socket.write(requests[at]!)
      }
      socket
        .on('connect', send)
        .on('error', reject)
        .on('close', () => resolve())
      socket.on('data', (part: unknown) => {
        buffered += part as string
        const head = buffered.indexOf('\r\n\r\n')
        if (head === -1) return
        const length = Number(/content-length: (\d+)/i.exec(buffered)?.[1])
        if (buffered.length < head + 4 + length) return
        if (!buffered.startsWith('HTTP/1.1 200')) return void socket.destroy(new Error(buffered.slice(0, 300)))
        buffered = ''
        answered += 1
        if (going) send()
        else socket.destroy()
      })
    })
  const sockets = Array.from({ length: CONNECTIONS }, (_, place) => one(place))
  setTimeout(() => {
    going = false
  }, WINDOW_MILLISECONDS)
  await Promise.all(sockets)
  return answered
}

export async function benchMe(): Promise<MeFigures> {
  const child = fork(fileURLToPath(import.meta.url), ['server'], { execArgv: ['--import', 'tsx'] })
  const receive = async <T>() => (await once(child, 'message'))[0] as T
  const ready = await receive<Ready>()
  const requests = ready.tokens.map((token) =>
    Buffer.from(`GET /auth/me HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n\r\n`),
  )
  const cpu = async () => {
    const answer = receive<number>()
    child.send('cpu')
    return answer
  }
  const rounds: Record<'gatebook' | 'bare', { perSecond: number; microseconds: number }>[] = []
  for (let round = -1; round < ROUNDS; round++) {
    const measured: Partial<(typeof rounds)[number]> = {}
    for (const name of round % 2 === 0 ? (['gatebook', 'bare'] as const) : (['bare', 'gatebook'] as const)) {
      const before = await cpu()
      const begun = performance.now()
      const answered = await load(ready[name], requests)
      const seconds = (performance.now() - begun) / 1000
      measured[name] = { perSecond: answered / seconds, microseconds: ((await cpu()) - before) / answered }
    }
    // The first one warms up.
    if (round >= 0) rounds.push(measured as (typeof rounds)[number])
  }
  child.disconnect()
  await once(child, 'exit')
  const of = (name: 'gatebook' | 'bare', figure: 'perSecond' | 'microseconds') =>
    median(rounds.map((round) => round[name][figure]))
  return {
    requestsPerSecond: { gatebook: of('gatebook', 'perSecond'), bare: of('bare', 'perSecond') },
    microseconds: { gatebook: of('gatebook', 'microseconds'), bare: of('bare', 'microseconds') },
    throughputRatio: median(rounds.map(({ gatebook, bare }) => gatebook.perSecond / bare.perSecond)),
    workRatio: median(rounds.map(({ gatebook, bare }) => bare.microseconds / gatebook.microseconds)),
  }
}

export function formatMeFigures(figures: MeFigures): string {
  const { requestsPerSecond: rate, microseconds: work } = figures
  return [
    `| | requests a second | processor time of the server, µs a request |`,
    '|---|---|---|',
    `| Gatebook, ${DISTINCT} tokens | ${rate.gatebook.toFixed(0)} | ${work.gatebook.toFixed(1)} |`,
    `| bare Hono | ${rate.bare.toFixed(0)} | ${work.bare.toFixed(1)} |`,
    '',
    `Throughput ${figures.throughputRatio.toFixed(2)} of bare Hono, work ${figures.workRatio.toFixed(2)} (medians of ${ROUNDS} rounds, bar ${BAR}).`,
  ].join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === 'server') await runServer()
  else console.log(formatMeFigures(await benchMe()))
}
