import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { createGatebook } from '../../src/gatebook.ts'
import { availableEngines } from '../support/engines.ts'
import { CHEAP_HASHES, codeOf, dialectOf, openOwnGate, PASSWORD, SECRET, WRONG_PASSWORD } from '../support/gate.ts'
import { signingOf } from '../support/log-signing.ts'

const CHILD = fileURLToPath(new URL('closing-child.ts', import.meta.url))

/** How a process ends that nobody ends. */
function runChild(...args: string[]): Promise<{ said: string; status: number | null }> {
  // Node 22 says of its SQLite that it is experimental.
  const flags = ['--disable-warning=ExperimentalWarning', '--import', 'tsx']
  const child = spawn(process.execPath, [...flags, CHILD, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (said += part))
  const giveUp = setTimeout(() => child.kill('SIGKILL'), 30_000)
  return new Promise((resolve) =>
    child.once('close', (status) => {
      clearTimeout(giveUp)
      resolve({ said, status })
    }),
  )
}

describe.each(availableEngines)('on $name', (engine) => {
  const ways = ['used', 'opened in vain', ...(engine.name === 'sqlite' ? [] : ['with a pool of the application'])]

  test.each(ways)('a process ends by itself after close: %s', { timeout: 60_000 }, async (how) => {
    const database = await engine.createDatabase()
    try {
      expect(await runChild(how, database.url)).toEqual({ said: 'closed\n', status: 0 })
    } finally {
      await database.drop()
    }
  })

  test('what is under way at close ends as if nothing were, and nothing begins afterwards', async () => {
    const { gate, person, another } = await openOwnGate(engine)
    const anna = person()
    const closing = await another()
    const attempt = await closing.attempts.begin(anna, anna.context)
    const tail = closing.log.tail()[Symbol.asyncIterator]()
    const waiting = tail.next()
    const late = closing.log.tail()[Symbol.asyncIterator]()
    const registered = closing.register(anna, anna.context)
    const closed = closing.close()
    expect(closing.close()).toBe(closed)

    const { userId, accessToken } = await registered
    await closed
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(await gate.users.find(userId)).toMatchObject({ identifier: anna.identifier })

    expect(await codeOf(closing.login(anna))).toBe('ERR_CLOSED')
    expect(await codeOf(closing.tokens.verify(accessToken))).toBe('ERR_CLOSED')
    expect(await codeOf(closing.log.append({ type: 'app.test' }))).toBe('ERR_CLOSED')
    expect(await codeOf(attempt.fail('wrong-password'))).toBe('ERR_CLOSED')
    expect(() => closing.log.tail()).toThrowError('shutting down')
    expect(await late.next()).toEqual({ done: true, value: undefined })
    expect(await closing.ready()).toEqual({ ready: false, reason: 'closing' })
    const response = await closing.fetch(
      new Request('https://app.example/auth/me', { headers: { Authorization: `Bearer ${accessToken}` } }),
    )
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ code: 'ERR_CLOSED' })
    // The other one in this process has lost nothing.
    expect(await gate.tokens.verify(accessToken)).toMatchObject({ userId })
  })

  test('lets a call that is under way ask what it needs', async () => {
    const asked: string[] = []
    const mailed: (object | null)[] = []
    const { another, person, gate } = await openOwnGate(engine)
    const anna = person()
    await gate.register(anna, anna.context)
    let begin: () => void = () => undefined
    const inside = new Promise<void>((resolve) => {
      begin = resolve
    })
    const closing = await another({
      claims: async ({ userId }) => {
        begin()
        await new Promise((resolve) => setTimeout(resolve, 50))
        asked.push((await closing.users.find(userId))!.id)
        return {}
      },
      sendReset: async ({ userId }) => void mailed.push(await closing.users.find(userId!)),
    })
    let body!: ReadableStreamDefaultController
    const request = new Request('https://app.example/auth/login', {
      ...{ method: 'POST', headers: { 'Content-Type': 'application/json' }, duplex: 'half' },
      body: new ReadableStream({
        start(controller) {
          body = controller
        },
      }),
    } as RequestInit)
    const fetched = closing.fetch(request)
    await closing.passwordResets.request({ identifier: anna.identifier })
    const loggedIn = closing.login(anna, anna.context)
    await inside
    const closed = closing.close()
    body.enqueue(Buffer.from(JSON.stringify({ identifier: anna.identifier, password: anna.password })))
    body.close()
    expect((await fetched).status).toBe(200)
    await loggedIn
    await closed
    expect(asked).toHaveLength(2)
    expect(mailed).toMatchObject([{ identifier: anna.identifier }])
    // Everything, also what needs no database.
    for (const path of ['/auth/me', '/nowhere', '/.well-known/jwks.json']) {
      expect((await closing.fetch(new Request(`https://app.example${path}`))).status).toBe(503)
    }
  })

  test('close does not wait for the one who closes', async () => {
    const { another } = await openOwnGate(engine)
    const closing = await another()
    async function* rows() {
      yield { identifier: 'x', passwordHash: 'x' }
      await closing.close()
    }
    await closing.users.import(rows(), { dryRun: true })
  })

  test('several in one process, on two databases, do not know of each other', async () => {
    const first = await openOwnGate(engine)
    const second = await openOwnGate(engine, { issuer: 'https://other.example', secret: `${SECRET} of the other` })
    const anna = first.person()
    const tokens = await first.gate.register(anna, anna.context)
    expect(await codeOf(second.gate.tokens.verify(tokens.accessToken))).toBe('ERR_TOKEN_INVALID')
    expect(await codeOf(second.gate.refresh(tokens.refreshToken))).toBe('ERR_REFRESH_INVALID')
    expect(await codeOf(second.gate.login(anna))).toBe('ERR_LOGIN_REFUSED')
    const theirs = await second.gate.register(anna, anna.context)
    expect((await second.gate.log.search({ user: tokens.userId })).items).toEqual([])

    await first.gate.close()
    expect(await second.gate.tokens.verify(theirs.accessToken)).toMatchObject({ userId: theirs.userId })
    await second.gate.logout({ accessToken: theirs.accessToken })
    expect(await codeOf(second.gate.tokens.verify(theirs.accessToken))).toBe('ERR_TOKEN_REVOKED')
  })

  test('several in one process, on one database, are one to their users', async () => {
    const { gate, another, person, database, events } = await openOwnGate(engine)
    const other = await another()
    const anna = person()
    const { accessToken, refreshToken, sessionId } = await gate.register(anna, anna.context)
    expect(await other.tokens.verify(accessToken)).toMatchObject({ sessionId })
    await other.refresh(refreshToken)
    expect(await codeOf(other.login({ ...anna, password: WRONG_PASSWORD }, anna.context))).toBe('ERR_LOGIN_REFUSED')
    await other.logout({ accessToken })
    await expect.poll(() => codeOf(gate.tokens.verify(accessToken))).toBe('ERR_TOKEN_REVOKED')

    const stranger = {
      issuer: 'https://app.example',
      database: dialectOf(database.url),
      secret: `${SECRET} of another`,
      ...signingOf(database.url),
    }
    expect(await codeOf(createGatebook({ ...stranger, ...CHEAP_HASHES }))).toBe('ERR_SECRET_MISMATCH')
    await other.close()
    await gate.login({ ...anna, password: PASSWORD }, anna.context)
    expect((await events()).map(({ type }) => type)).toEqual([
      'key.created',
      'key.activated',
      'user.registered',
      'login.succeeded',
      'session.refreshed',
      'login.failed',
      'session.ended',
      'login.succeeded',
    ])
  })
})
