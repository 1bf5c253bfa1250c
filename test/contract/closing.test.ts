import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { createGatebook } from '../../src/gatebook.ts'
import { availableEngines } from '../support/engines.ts'
import { CHEAP_HASHES, codeOf, dialectOf, openOwnGate, PASSWORD, SECRET, WRONG_PASSWORD } from '../support/gate.ts'

const CHILD = fileURLToPath(new URL('closing-child.ts', import.meta.url))

/** How a process ends that nobody ends. */
function runChild(...args: string[]): Promise<{ said: string; status: number | null }> {
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
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
    expect(await closing.ready()).toEqual({ ready: false, reason: 'closing' })
    const response = await closing.fetch(
      new Request('https://app.example/auth/me', { headers: { Authorization: `Bearer ${accessToken}` } }),
    )
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ code: 'ERR_CLOSED' })
    // The other one in this process has lost nothing.
    expect(await gate.tokens.verify(accessToken)).toMatchObject({ userId })
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
