import { spawnSync } from 'node:child_process'
import express from 'express'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { gatebook, requireUser } from '../../src/adapters/express.ts'
import type { Gatebook } from '../../src/api.ts'
import { createFakeClock, createTestGatebook, TEST_PASSWORD, type TestGatebook } from '../../src/testing/index.ts'
import { listen } from '../adapters/listener.ts'
import { ROOT } from '../support/consumer.ts'
import { codeOf } from '../support/gate.ts'

let kit: TestGatebook
beforeEach(async () => {
  kit = await createTestGatebook()
})
afterEach(() => kit.close())

describe('signIn', () => {
  test('makes a user, a new one each time, and leaves what a log-in leaves', async () => {
    const [one, two] = [await kit.signIn(), await kit.signIn()]
    expect(one.userId).not.toBe(two.userId)
    expect(await kit.gate.tokens.verify(one.accessToken)).toMatchObject({
      userId: one.userId,
      sessionId: one.sessionId,
      roles: [],
      claims: {},
    })
    expect(one.headers).toEqual({ Authorization: `Bearer ${one.accessToken}` })
    expect(await kit.gate.refresh(one.refreshToken)).toMatchObject({ sessionId: one.sessionId })
    await kit.expectEvents([
      { type: 'user.registered', subject: one.userId },
      { type: 'login.succeeded', subject: one.userId },
      { type: 'user.registered', subject: two.userId },
      { type: 'login.succeeded', subject: two.userId },
      'session.refreshed success',
    ])
  })

  test('does not take a user who was made by hand for a new one', async () => {
    await kit.gate.register({ identifier: 'user-1@app.test', password: TEST_PASSWORD })
    const { userId } = await kit.signIn()
    expect((await kit.gate.users.find(userId))?.identifier).toBe('user-2@app.test')
  })

  test('finds a user again, and grants roles that are new', async () => {
    const first = await kit.signIn({ identifier: 'anna@app.test', roles: ['staff'] })
    await kit.expectEvents(['user.registered', 'role.granted', 'login.succeeded'])
    const second = await kit.signIn({ identifier: 'Anna@app.test', roles: ['staff', 'admin'] })
    expect(second.userId).toBe(first.userId)
    expect((await kit.gate.tokens.verify(second.accessToken)).roles).toEqual(['admin', 'staff'])
    await kit.expectEvents([
      { type: 'role.granted', subject: first.userId, data: { role: 'admin' } },
      'login.succeeded',
    ])
  })

  test('puts claims of one user beside those of the option, also at a refresh', async () => {
    await using own = await createTestGatebook({
      claims: ({ roles }) => ({ plan: 'free', staff: roles.includes('staff') }),
    })
    const anna = await own.signIn({ roles: ['staff'], claims: { plan: 'gold' } })
    const claimsOf = async (token: string) => (await own.gate.tokens.verify(token)).claims
    expect(await claimsOf(anna.accessToken)).toEqual({ plan: 'gold', staff: true })
    const again = await own.gate.refresh(anna.refreshToken)
    expect(await claimsOf(again.accessToken)).toEqual({ plan: 'gold', staff: true })
    expect(await claimsOf((await own.signIn()).accessToken)).toEqual({ plan: 'free', staff: false })
  })

  test('is refused for a disabled user and for another password', async () => {
    const anna = await kit.signIn({ identifier: 'anna@app.test' })
    expect(await codeOf(kit.signIn({ identifier: 'anna@app.test', password: `${TEST_PASSWORD} 2` }))).toBe(
      'ERR_LOGIN_REFUSED',
    )
    await kit.gate.users.disable(anna.userId)
    expect(await codeOf(kit.signIn({ identifier: 'anna@app.test' }))).toBe('ERR_LOGIN_REFUSED')
  })
})

test("signInAs starts a session for the application's own user", async () => {
  const seven = await kit.signInAs(7, { roles: ['staff'], claims: { plan: 'gold' } })
  expect(await kit.gate.tokens.verify(seven.accessToken)).toMatchObject({
    userId: '7',
    roles: ['staff'],
    claims: { plan: 'gold' },
  })
  await kit.expectEvents([{ type: 'login.succeeded', subject: 7 }])
  expect(await codeOf(kit.signInAs('usr_1'))).toBe('ERR_USER_ID_INVALID')
})

test('events are oldest first, from the opening on, and can be filtered', async () => {
  const { userId } = await kit.signIn()
  const types = (await kit.events()).map(({ type }) => type)
  expect(types.slice(-2)).toEqual(['user.registered', 'login.succeeded'])
  expect(types.length).toBeGreaterThan(2)
  expect(await kit.events({ user: userId, type: 'login.*' })).toHaveLength(1)
})

describe('the clock', () => {
  test('lets an access token expire', async () => {
    const { accessToken } = await kit.signIn()
    const { issuedAt, expiresAt } = await kit.gate.tokens.verify(accessToken)
    expect(issuedAt).toBe(kit.clock.now())
    kit.clock.advance(expiresAt - issuedAt - 1000)
    expect(await codeOf(kit.gate.tokens.verify(accessToken))).toBe('no error')
    kit.clock.advance(61_000)
    expect(await codeOf(kit.gate.tokens.verify(accessToken))).toBe('ERR_TOKEN_EXPIRED')
  })

  test.each([Number.NaN, 0.5, Number.POSITIVE_INFINITY])('is not moved by %s', (milliseconds) => {
    expect(() => kit.clock.advance(milliseconds)).toThrow(RangeError)
  })

  test('can be given, also to two gates', async () => {
    const clock = createFakeClock(1_700_000_000_000)
    await using one = await createTestGatebook({ clock })
    await using two = await createTestGatebook({ clock })
    one.clock.advance(1000)
    expect(two.clock.now()).toBe(1_700_000_001_000)
  })
})

describe('a gate', () => {
  test('knows nothing of another one in the same process', async () => {
    await using other = await createTestGatebook()
    const anna = await kit.signIn({ identifier: 'anna@app.test' })
    expect(await other.gate.users.findByIdentifier('anna@app.test')).toBeNull()
    expect(await codeOf(other.gate.tokens.verify(anna.accessToken))).toBe('ERR_TOKEN_INVALID')
    await other.expectEvents([])
  })

  test('takes the options of createGatebook, and refuses what is none', async () => {
    expect(kit.gate.issuer).toBe('https://app.test')
    await using own = await createTestGatebook({ issuer: 'https://shop.test', accessTokenSeconds: 60 })
    const { issuedAt, expiresAt } = await own.gate.tokens.verify((await own.signIn()).accessToken)
    expect([own.gate.issuer, expiresAt - issuedAt]).toEqual(['https://shop.test', 60_000])
    expect(await codeOf(createTestGatebook({ isuer: '' } as object))).toBe('ERR_OPTION_UNKNOWN')
  })

  test('closes twice', async () => {
    await kit.close()
    await kit.close()
    expect(await kit.gate.ready()).toMatchObject({ ready: false })
  })
})

test('close leaves nothing that keeps the process', () => {
  const program = `
    import { createTestGatebook } from './src/testing/index.ts'
    const kit = await createTestGatebook()
    await kit.signIn()
    await kit.expectEvents(['user.registered', 'login.succeeded'])
    await kit.close()
    const left = () => [...new Set(process.getActiveResourcesInfo())].filter((name) => name !== 'PipeWrap')
    // A file that the loader of modules is about to read is over by itself; a handle that was left never is.
    for (let turn = 0; turn < 40 && left().length > 0; turn++) await new Promise((resolve) => setTimeout(resolve, 50))
    process.stdout.write(left().join())`
  const { status, stdout, signal } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--import', 'tsx', '--input-type=module', '-e', program],
    { cwd: ROOT, encoding: 'utf8', timeout: 30_000 },
  )
  expect({ status, signal, stdout }).toEqual({ status: 0, signal: null, stdout: '' })
})

describe('a protected route of an Express application', () => {
  function createApp(gate: Gatebook) {
    const app = express()
    app.use(gatebook(gate))
    app.get('/orders', requireUser(gate, { role: 'staff' }), (request, response) => {
      response.json({ of: request.user?.userId })
    })
    return app
  }

  let url: string
  let close: () => Promise<void>
  beforeEach(async () => {
    const server = await listen(createApp(kit.gate))
    url = server.url
    close = () => server.close()
  })
  afterEach(() => close())

  test('answers staff', async () => {
    const { headers, userId } = await kit.signIn({ roles: ['staff'] })
    const response = await fetch(`${url}/orders`, { headers })
    expect(await response.json()).toEqual({ of: userId })
  })

  test('answers staff of its own', async () => {
    const { headers } = await kit.signInAs(7, { roles: ['staff'] })
    const response = await fetch(`${url}/orders`, { headers })
    expect(await response.json()).toEqual({ of: '7' })
  })

  test('refuses others', async () => {
    const { headers } = await kit.signIn()
    const response = await fetch(`${url}/orders`, { headers })
    expect(response.status).toBe(403)
  })

  test('refuses staff whose token has expired', async () => {
    const { headers } = await kit.signIn({ roles: ['staff'] })
    kit.clock.advance(24 * 3_600_000)
    expect((await fetch(`${url}/orders`, { headers })).status).toBe(401)
  })

  test('leaves the refused log-in in the log', async () => {
    const body = JSON.stringify({ identifier: 'anna@app.test', password: TEST_PASSWORD })
    await fetch(`${url}/auth/login`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })
    await kit.expectEvents(['login.failed unknown-user'])
  })
})
