import { describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openOwnGate, type TestGate } from '../support/gate.ts'

/** So many that all of them have the same life by accident once in 10^50 runs. */
const TOKENS = 20

async function lives(on: TestGate): Promise<number[]> {
  const anna = on.person()
  let { refreshToken, expiresIn } = await on.gate.register(anna, anna.context)
  const found = [expiresIn]
  while (found.length < TOKENS) {
    const next = await on.gate.refresh(refreshToken, anna.context)
    const { issuedAt, expiresAt } = await on.gate.tokens.verify(next.accessToken)
    expect(expiresAt - issuedAt).toBe(next.expiresIn * 1000)
    refreshToken = next.refreshToken
    found.push(next.expiresIn)
  }
  return found
}

describe.each(availableEngines)('the life of an access token on $name', (engine) => {
  test('is shorter by up to the share that is set, and expires_in tells the true one', async () => {
    const on = await openOwnGate(engine, { accessTokenSeconds: 3600, accessTokenJitterPercent: 20 })
    const found = await lives(on)
    for (const life of found) {
      expect(life).toBeGreaterThanOrEqual(2880)
      expect(life).toBeLessThanOrEqual(3600)
    }
    expect(new Set(found).size).toBeGreaterThan(1)
  })

  test('is remembered by the session as the longest of its tokens', async () => {
    const on = await openOwnGate(engine, { accessTokenSeconds: 3600, accessTokenJitterPercent: 20 })
    const longest = Math.max(...(await lives(on)))
    const { access_expires_at } = await on.direct.kysely
      .selectFrom('gatebook_session')
      .select('access_expires_at')
      .executeTakeFirstOrThrow()
    expect(Number(access_expires_at)).toBe(Math.floor(on.clock.now() / 1000) * 1000 + longest * 1000)
  })

  test('is the whole life with a share of 0', async () => {
    expect(new Set(await lives(await openOwnGate(engine, { accessTokenJitterPercent: 0 })))).toEqual(new Set([600]))
  })

  test.each([-1, 21, 2.5])('a share of %d is refused', async (accessTokenJitterPercent) => {
    const on = await openOwnGate(engine)
    expect(await codeOf(on.another({ accessTokenJitterPercent }))).toBe('ERR_OPTION_INVALID')
  })
})
