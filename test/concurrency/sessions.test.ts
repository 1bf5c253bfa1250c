import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gatebook, SessionTokens } from '../../src/api.ts'
import { expectAgreement } from '../contract/agreement.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openGate, PASSWORD, type TestGate, until } from '../support/gate.ts'

const ROUNDS = 4

/** Whatever ends the sessions of a user meets whatever starts or continues one: none may slip through. */
describe.each(availableEngines)('sessions at the same moment on $name', (engine) => {
  let on: TestGate
  let other: Gatebook
  beforeAll(async () => {
    on = await openGate(engine, { hashQueueLimit: 1000, hashConcurrency: 4 })
    other = await on.another()
  })
  afterAll(() => on.close())

  /** The tokens of those that come through. Listens at once, so that none fails unheard while something else is awaited. */
  async function tokensOf(calls: readonly Promise<SessionTokens>[]): Promise<SessionTokens[]> {
    const results = await Promise.allSettled(calls)
    return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  }

  async function liveSessions(userId: string): Promise<readonly string[]> {
    return (await on.gate.sessions.list(userId)).map(({ id }) => id)
  }

  test('disabling a user and logging in: no session survives', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const anna = on.person()
      const { userId } = await on.gate.register(anna, anna.context)
      const logins = tokensOf(
        Array.from({ length: 6 }, (_value, place) => (place % 2 ? on.gate : other).login(anna, anna.context)),
      )
      await (round % 2 ? on.gate : other).users.disable(userId)
      const tokens = await logins
      expect(await liveSessions(userId)).toEqual([])
      for (const { accessToken, refreshToken } of tokens) {
        expect(await codeOf(on.gate.refresh(refreshToken))).toBe('ERR_REFRESH_ENDED')
        await until(
          'the other process has heard',
          async () => (await codeOf(other.tokens.verify(accessToken))) !== 'no error',
        )
      }
    }
    await expectAgreement(on)
  })

  test('changing the password and logging in with the old one: no session survives but the one that changed it', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const anna = on.person()
      const { userId, sessionId, accessToken } = await on.gate.register(anna, anna.context)
      const claims = await on.gate.tokens.verify(accessToken)
      const logins = Array.from({ length: 4 }, (_value, place) =>
        (place % 2 ? on.gate : other).login(anna, anna.context),
      )
      const change = on.gate.changePassword({
        claims,
        currentPassword: PASSWORD,
        newPassword: `${PASSWORD} of round ${round}`,
      })
      await Promise.all([change, Promise.allSettled(logins)])
      expect(await liveSessions(userId)).toEqual([sessionId])
    }
    await expectAgreement(on)
  })

  test('two changes of one password: one of them wins', async () => {
    const anna = on.person()
    const { accessToken } = await on.gate.register(anna, anna.context)
    const claims = await on.gate.tokens.verify(accessToken)
    const passwords = Array.from({ length: 4 }, (_value, place) => `the pass phrase number ${place}`)
    const codes = await Promise.all(
      passwords.map((newPassword) =>
        codeOf(on.gate.changePassword({ claims, currentPassword: PASSWORD, newPassword })),
      ),
    )
    expect(codes.filter((code) => code === 'no error')).toHaveLength(1)
    expect(codes.filter((code) => code === 'ERR_PASSWORD_WRONG')).toHaveLength(3)
    const right = passwords[codes.indexOf('no error')]!
    expect(await codeOf(on.gate.login({ ...anna, password: right }))).toBe('no error')
  })

  test('logging out and refreshing: the session is over, whoever was first', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const anna = on.person()
      const { userId, refreshToken, accessToken } = await on.gate.register(anna, anna.context)
      const refreshes = tokensOf(
        Array.from({ length: 6 }, (_value, place) => (place % 2 ? on.gate : other).refresh(refreshToken, anna.context)),
      )
      await on.gate.logout({ accessToken }, anna.context)
      const tokens = await refreshes
      expect(await liveSessions(userId)).toEqual([])
      for (const next of tokens) {
        expect(await codeOf(on.gate.tokens.verify(next.accessToken))).toBe('ERR_TOKEN_REVOKED')
        expect(await codeOf(other.refresh(next.refreshToken))).toBe('ERR_REFRESH_ENDED')
      }
    }
    await expectAgreement(on)
  })

  test('changing roles and logging in: no token carries the roles of before', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const anna = on.person()
      const { userId } = await on.gate.register(anna, anna.context)
      const logins = tokensOf(Array.from({ length: 4 }, () => on.gate.login(anna, anna.context)))
      await on.gate.users.grantRole(userId, 'editor')
      for (const { accessToken } of await logins) {
        const claims = await on.gate.tokens.verify(accessToken).catch((error) => error)
        if (claims.code !== 'ERR_TOKEN_STALE') expect(claims.roles).toEqual(['editor'])
      }
    }
    await expectAgreement(on)
  })

  test('everything at once on one user: nobody waits for somebody who waits for them', async () => {
    const anna = on.person()
    const { userId, refreshToken, accessToken } = await on.gate.register(anna, anna.context)
    const calls = Array.from({ length: 8 }, (_value, place) => [
      () => (place % 2 ? on.gate : other).login(anna, anna.context),
      () => on.gate.refresh(refreshToken),
      () => other.sessions.endAll(userId, 'ended-by-application'),
      () => on.gate.logout({ accessToken, scope: 'all' as const }),
      () => other.users.grantRole(userId, `role-${place}`),
    ]).flat()
    const codes = await Promise.all(calls.map((call) => codeOf(call())))
    expect(
      codes.filter((code) => !/^(no error|ERR_REFRESH_ENDED|ERR_TOKEN_REVOKED|ERR_THROTTLED)$/.test(code)),
    ).toEqual([])
    await expectAgreement(on)
  })

  test('sixty log-ins leave at most fifty sessions', async () => {
    // The application's own users, because sixty hashes are not what this is about.
    const appUser = 'sixty'
    const starts = Array.from({ length: 60 }, (_value, place) => (place % 2 ? on.gate : other).sessions.start(appUser))
    const tokens = await tokensOf(starts)
    expect(tokens).toHaveLength(60)
    expect(await liveSessions(appUser)).toHaveLength(50)
    await expectAgreement(on)
  })

  test('a logout in one process is known to another one within two seconds', async () => {
    const anna = on.person()
    const { accessToken } = await on.gate.register(anna, anna.context)
    // With the interval that is the default.
    const slow = await on.another({ revocationPollMilliseconds: 500 })
    expect(await codeOf(slow.tokens.verify(accessToken))).toBe('no error')
    await on.gate.logout({ accessToken }, anna.context)
    expect(await codeOf(on.gate.tokens.verify(accessToken))).toBe('ERR_TOKEN_REVOKED')
    const since = Date.now()
    await until('it is refused', async () => (await codeOf(slow.tokens.verify(accessToken))) === 'ERR_TOKEN_REVOKED')
    expect(Date.now() - since).toBeLessThan(2000)
  })

  test('a process that starts later knows the logouts of before', async () => {
    const anna = on.person()
    const { accessToken } = await on.gate.register(anna, anna.context)
    await on.gate.logout({ accessToken }, anna.context)
    const later = await on.another()
    expect(await codeOf(later.tokens.verify(accessToken))).toBe('ERR_TOKEN_REVOKED')
  })

  test.skipIf(engine.name === 'sqlite')('an end that commits after later ones is not missed', async () => {
    const people = [on.person(), on.person(), on.person()]
    const [late, ...others] = await Promise.all(people.map((person) => on.gate.register(person, person.context)))
    const { sessionId, accessToken } = late!
    let commit!: () => void
    const held = new Promise<void>((resolve) => {
      commit = resolve
    })
    let taken!: () => void
    const numbered = new Promise<void>((resolve) => {
      taken = resolve
    })
    const now = on.clock.now()
    const transaction = on.direct.kysely.transaction().execute(async (db) => {
      await db
        .insertInto('gatebook_revocation')
        .values({ session_id: sessionId, kind: 'ended', generation: 0, at: now, forget_at: now + 660_000 })
        .execute()
      taken()
      await held
    })
    await numbered
    for (const tokens of others) {
      await on.gate.logout({ accessToken: tokens.accessToken })
      // Both processes read past the number that is still open.
      await until(
        'it is refused',
        async () => (await codeOf(other.tokens.verify(tokens.accessToken))) === 'ERR_TOKEN_REVOKED',
      )
    }
    expect(await codeOf(other.tokens.verify(accessToken))).toBe('no error')
    commit()
    await transaction
    for (const gate of [on.gate, other]) {
      await until(
        'it is refused',
        async () => (await codeOf(gate.tokens.verify(accessToken))) === 'ERR_TOKEN_REVOKED',
        2000,
      )
    }
  })
})
