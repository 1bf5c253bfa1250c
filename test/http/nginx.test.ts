import { writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toNodeHandler } from '../../src/adapters/node.ts'
import type { Gatebook } from '../../src/api.ts'
import { type Listening, listen } from '../adapters/listener.ts'
import { findFreePort, findProgram, type Kept, keep, makeFolder, waitUntilAnswers } from '../support/private-server.ts'
import { openGate, PASSWORD } from './caller.ts'

const nginx = await findProgram('nginx')
/** Skipped where there is none, but in CI there has to be one. */
const skip = nginx === null && process.env.CI === undefined

/** Every host has an address of its own on the loopback network, so that hops can be told apart. */
const CLIENT = '127.0.0.9'
const OUTER = '127.0.0.2'
const INNER = '127.0.0.3'
const SPOOFED = { 'X-Forwarded-For': '192.0.2.1, 127.0.0.3', Forwarded: undefined } as const

const WAYS = [
  { name: 'addresses', options: { trustedProxies: [OUTER, INNER] } },
  { name: 'a range', options: { trustedProxies: ['127.0.0.2/31'] } },
  { name: 'their number', options: { trustedProxies: 2 } },
] as const

describe.skipIf(skip)(`behind nginx${skip ? ' (there is no nginx on this machine)' : ''}`, () => {
  let proxies: Kept
  let through: { one: number; two: number }
  let port: number
  let listening: Listening | undefined
  let gate: Gatebook | undefined

  beforeAll(async () => {
    if (nginx === null) throw new Error('CI has to have nginx')
    const folder = await makeFolder('nginx')
    const [one, two] = [await findFreePort(), await findFreePort()]
    port = await findFreePort()
    through = { one, two }
    const log = join(folder, 'error.log')
    await writeFile(join(folder, 'nginx.conf'), configure(folder, port, through))
    const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', log]
    proxies = keep(folder, { command: nginx, args, stopSignal: 'SIGQUIT', logFile: log })
    // Answered with 502 while nobody listens behind it.
    await waitUntilAnswers(proxies, log, () => fetch(`http://127.0.0.1:${one}/`))
  })
  afterAll(() => proxies?.close())

  async function serve(options: object): Promise<void> {
    gate = await openGate(options)
    listening = await listen(toNodeHandler(gate), port)
    await gate.users.create({ identifier: 'anna@app.example', password: PASSWORD })
  }

  async function stop(): Promise<void> {
    await listening?.close()
    await gate?.close()
  }

  /** Logs in through a port; where the event says it came from. */
  async function logIn(to: number, headers: Readonly<Record<string, string | undefined>> = {}): Promise<string> {
    const body = JSON.stringify({ identifier: 'anna@app.example', password: PASSWORD })
    const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined))
    const status = await new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host: '127.0.0.1',
          port: to,
          path: '/auth/login',
          method: 'POST',
          localAddress: CLIENT,
          headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), ...given },
        },
        (response) => response.resume().on('end', () => resolve(response.statusCode)),
      )
      outgoing.on('error', reject).end(body)
    })
    expect(status).toBe(200)
    const { items } = await gate!.log.search({ type: 'login.succeeded' }, { limit: 1 })
    return `${items[0]!.ip} ${items[0]!.ipSource}`
  }

  test.each(WAYS)('two hops, told by $name: the client is recorded, whatever it claims', async ({ options }) => {
    await serve(options)
    try {
      expect(await logIn(through.two)).toBe(`${CLIENT} x-forwarded-for`)
      expect(await logIn(through.two, SPOOFED)).toBe(`${CLIENT} x-forwarded-for`)
      expect(await logIn(through.two, { Forwarded: 'for=192.0.2.1' })).not.toContain('192.0.2.1')
    } finally {
      await stop()
    }
  })

  test.each([{ trustedProxies: [INNER] }, { trustedProxies: 1 }])('one hop of one, %j', async (options) => {
    await serve(options)
    try {
      expect(await logIn(through.one)).toBe(`${CLIENT} x-forwarded-for`)
      expect(await logIn(through.one, SPOOFED)).toBe(`${CLIENT} x-forwarded-for`)
      // Through both, with one of them trusted, the other one is the client.
      expect(await logIn(through.two, SPOOFED)).toBe(`${OUTER} x-forwarded-for`)
    } finally {
      await stop()
    }
  })

  test('no hop that is trusted: the proxy is recorded, and that there was a header', async () => {
    await serve({})
    try {
      expect(await logIn(port)).toBe(`${CLIENT} socket`)
      expect(await logIn(port, SPOOFED)).toBe(`${CLIENT} header-ignored`)
      expect(await logIn(through.two, SPOOFED)).toBe(`${INNER} header-ignored`)
    } finally {
      await stop()
    }
  })
})

function configure(folder: string, behind: number, { one, two }: { one: number; two: number }): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  )
  const hop = (listen: number, to: number, from: string) => `
    server {
      listen 127.0.0.1:${listen};
      location / {
        proxy_pass http://127.0.0.1:${to};
        proxy_bind ${from};
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      }
    }`
  return `
  daemon off;
  worker_processes 1;
  pid ${join(folder, 'nginx.pid')};
  events { worker_connections 64; }
  http {
    access_log off;
    ${temporary.join('\n    ')}
    ${hop(one, behind, INNER)}
    ${hop(two, one, OUTER)}
  }
`
}
