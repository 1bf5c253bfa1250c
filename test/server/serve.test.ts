import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { parseLines, post, type Running, run, start, startServer, stopServer } from '../cli/transcript.ts'
import { readEventStream } from '../http/read-event-stream.ts'

// Each command is a process of its own, and the machine may have other things to do.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const PASSWORD = 'correct horse battery staple'

let folder: string
const servers: Running[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatebook-serve-'))
})
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.child.kill('SIGKILL')
    await server.ended
  }
  rmSync(folder, { recursive: true })
})

async function serve(args: string[] = [], env: Record<string, string> = {}): Promise<Running & { url: string }> {
  const server = await startServer(args, { folder, env })
  servers.push(server)
  return server
}

/** A request of which only the first part has been sent. */
async function beginRequest(url: string, body: string): Promise<{ socket: Socket; finish(): Promise<string> }> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' })
  let answer = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    answer += text
  })
  await new Promise((resolve) => socket.once('connect', resolve))
  const head = `POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
  socket.write(head + body.slice(0, 5))
  // So that the server has the head before anything else happens.
  await new Promise((resolve) => setTimeout(resolve, 200))
  return {
    socket,
    finish: () =>
      new Promise((resolve) => {
        socket.once('close', () => resolve(answer))
        socket.write(body.slice(5))
      }),
  }
}

describe('the start', () => {
  test('tells where everything is and how to make the first admin', async () => {
    const server = await serve()
    const said = server.stdout()
    expect(said).toMatch(/^Gatebook \d+\.\d+\.\d+ listens on http:\/\/127\.0\.0\.1:\d+\n/)
    expect(said).toContain(`database      sqlite:${join(folder, 'gatebook.db')}\n`)
    expect(said).toContain(`secret        ${join(folder, 'gatebook.secret')} (just made;`)
    expect(said).toMatch(/issuer {8}http:\/\/localhost:\d+ \(where this server listens/)
    expect(said).toContain('registration  open')
    expect(statSync(join(folder, 'gatebook.secret')).mode & 0o777).toBe(0o600)
    expect(await (await fetch(`${server.url}/readyz`)).json()).toEqual({ ready: true })
    expect((await fetch(`${server.url}/admin/api/events`)).status).toBe(401)

    // The command that it prints is one that works, word for word.
    await server.saw('stdout', /There is no admin yet/)
    const [, command] = await server.saw('stdout', /\n {4}node (\S+ user add --admin) you@example\.org\n/)
    const [, ...words] = String(command).split(' ')
    expect(await run([...words, 'you@example.org', '--password-stdin'], { folder, input: PASSWORD })).toMatchObject({
      status: 0,
    })
    const login = await post(`${server.url}/auth/login`, { identifier: 'you@example.org', password: PASSWORD })
    const { access_token } = (await login.json()) as { access_token: string }
    const events = await fetch(`${server.url}/admin/api/events`, {
      headers: { authorization: `Bearer ${access_token}` },
    })
    expect(events.status).toBe(200)

    await stopServer(server)
    const again = await serve()
    expect(again.stdout()).not.toMatch(/no admin|just made/)
  })

  test('never makes a default password or prints a secret', async () => {
    const server = await serve()
    expect(server.stdout() + server.stderr()).not.toContain(
      readFileSync(join(folder, 'gatebook.secret'), 'utf8').trim(),
    )
    expect((await run(['user', 'list', '--json'], { folder })).stdout).toBe('')
  })

  test('--json is one document', async () => {
    const server = start(['serve', '--port', '0', '--json', '--registration', 'closed'], { folder })
    servers.push(server)
    await server.saw('stdout', /\n/)
    expect(parseLines(server.stdout())).toEqual([
      expect.objectContaining({ registration: 'closed', secret_made: true, issuer_is_fallback: true }),
    ])
  })

  test('the command for the first admin finds what was given by flag', async () => {
    const server = await serve(['--database', 'sqlite:other one.db', '--secret-file', 'other.secret'])
    await server.saw('stdout', /you@example\.org --database 'sqlite:other one\.db' --secret-file other\.secret\n/)
  })

  // The settings one by one are in config.test.ts; these come from other places.
  test.each<[string[], Record<string, string>, string]>([
    [['--port', 'http'], {}, '--port is "http": it must be a whole number from 0 to 65535.'],
    [[], { NODE_ENV: 'production' }, 'GATEBOOK_ISSUER is not set'],
    [['--host', '203.0.113.1'], {}, '--host: 203.0.113.1 is not an address of this machine'],
    [['--refresh-absolute-seconds', '60'], {}, 'GATEBOOK_REFRESH_IDLE_SECONDS: it must not be longer'],
  ])('%j %j is refused by name, before anything is made', async (args, env, message) => {
    const { status, stdout, stderr } = await run(['serve', '--port', '0', ...args], { folder, env })
    expect([status, stdout, stderr]).toEqual([3, '', expect.stringContaining(message)])
    expect(readdirSync(folder)).toEqual([])
  })

  test('production without a secret is refused', async () => {
    const env = { NODE_ENV: 'production', GATEBOOK_ISSUER: 'https://auth.example.org' }
    const { status, stderr } = await run(['serve', '--port', '0'], { folder, env })
    expect([status, stderr]).toEqual([3, expect.stringContaining('There is no master secret.')])
  })

  test('a port that is in use is found before anything is made', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as { port: number }
    const { status, stderr } = await run(['serve'], { folder, env: { GATEBOOK_PORT: String(port) } })
    other.close()
    expect([status, stderr]).toEqual([3, expect.stringContaining(`GATEBOOK_PORT: port ${port} on 127.0.0.1 is in use`)])
    expect(readdirSync(folder)).toEqual([])
  })

  test.runIf(process.platform === 'linux')('passwords are hashed in a larger thread pool', async () => {
    const server = await serve()
    const threads = readdirSync(`/proc/${server.child.pid}/task`).length
    await stopServer(server)
    const small = await serve([], { UV_THREADPOOL_SIZE: '1' })
    const expected = Math.max(4, availableParallelism() + 3) - 1
    expect(threads - readdirSync(`/proc/${small.child.pid}/task`).length).toBe(expected)
  })
})

describe('the end', () => {
  test('a request that is under way is answered, a new one is not taken', async () => {
    const server = await serve()
    const request = await beginRequest(server.url, JSON.stringify({ identifier: 'nobody', password: PASSWORD }))
    server.child.kill('SIGTERM')
    await server.saw('stderr', /shutting down/)
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow()
    const answer = await request.finish()
    expect(answer).toMatch(/^HTTP\/1\.1 401 /)
    expect(answer.toLowerCase()).toContain('connection: close')
    expect(answer).toContain('ERR_LOGIN_REFUSED')
    expect((await server.ended).status).toBe(0)
    const events = parseLines((await run(['log', 'tail', '--json', '--type', 'login.*'], { folder })).stdout)
    expect(events).toMatchObject([{ type: 'login.failed', reason: 'unknown-user' }])
  })

  test('whoever watches the log is told, and does not hold it up', async () => {
    const server = await serve()
    const account = { folder, input: PASSWORD }
    expect((await run(['user', 'add', 'root@app.example', '--admin', '--password-stdin'], account)).status).toBe(0)
    const login = await post(`${server.url}/auth/login`, { identifier: 'root@app.example', password: PASSWORD })
    const { access_token: token } = (await login.json()) as { access_token: string }
    const headers = { Authorization: `Bearer ${token}` }
    const stream = readEventStream(await fetch(`${server.url}/admin/api/events/stream`, { headers }))
    expect(await stream.next()).toMatchObject({ event: 'ready' })
    const begun = Date.now()
    server.child.kill('SIGTERM')
    expect((await stream.rest()).at(-1)).toEqual({ id: null, event: 'end', data: { code: 'ERR_CLOSED' } })
    expect((await server.ended).status).toBe(0)
    expect(Date.now() - begun).toBeLessThan(5_000)
  })

  test('idle connections do not hold it up', async () => {
    const server = await serve()
    const socket = connect({ port: Number(new URL(server.url).port), host: '127.0.0.1' })
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
    await new Promise((resolve) => socket.once('data', resolve))
    const begun = Date.now()
    server.child.kill('SIGINT')
    expect((await server.ended).status).toBe(0)
    expect(Date.now() - begun).toBeLessThan(3_000)
  })

  test('a request that does not end is broken off after the time for that', async () => {
    const server = await serve(['--drain-seconds', '1'])
    const request = await beginRequest(server.url, '{"identifier":')
    const closed = new Promise((resolve) => request.socket.once('close', resolve))
    server.child.kill('SIGTERM')
    await closed
    const { status, stderr } = await server.ended
    expect([status, stderr]).toEqual([0, expect.stringContaining('broken off after 1 s')])
  })

  test('the second signal ends it at once', async () => {
    const server = await serve(['--drain-seconds', '300'])
    const { socket } = await beginRequest(server.url, '{"identifier":')
    socket.on('error', () => {})
    server.child.kill('SIGTERM')
    await server.saw('stderr', /shutting down/)
    server.child.kill('SIGTERM')
    expect((await server.ended).status).toBe(128 + 15)
  })
})

describe('diagnostics', () => {
  test('have one line for a request, without its query, and only when asked for', async () => {
    const server = await serve(['--diagnostics-level', 'debug'])
    await fetch(`${server.url}/auth/me?token=geheim`, { headers: { authorization: 'Bearer geheim' } })
    await server.saw('stderr', /"\/auth\/me"/)
    const line = parseLines(server.stderr()).find(({ path }) => path === '/auth/me')
    expect(line).toMatchObject({
      level: 'debug',
      method: 'GET',
      status: 401,
      request_id: expect.stringMatching(/^req_/),
    })
    expect(server.stderr()).not.toContain('geheim')

    const quiet = await serve()
    await fetch(`${quiet.url}/auth/me`)
    expect(quiet.stderr()).not.toContain('/auth/me')
  })
})
