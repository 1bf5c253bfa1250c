import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectAgreement } from '../contract/agreement.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openGate, type TestGate } from '../support/gate.ts'

/** The trap of every rotation: reading the counter and writing it are two statements. */
describe.each(availableEngines)('parallel refreshes on $name', (engine) => {
  let on: TestGate
  beforeAll(async () => {
    on = await openGate(engine)
  })
  afterAll(() => on.close())

  async function countEvents(session: string): Promise<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const { type, reason } of await on
      .events()
      .then((all) => all.filter(({ sessionId }) => sessionId === session))) {
      const name = reason === null ? type : `${type} ${reason}`
      counts[name] = (counts[name] ?? 0) + 1
    }
    return counts
  }

  test('fifty with one token: one successor, one step, and the session lives', async () => {
    const anna = on.person()
    const { refreshToken, sessionId } = await on.gate.register(anna, anna.context)
    const results = await Promise.all(Array.from({ length: 50 }, () => on.gate.refresh(refreshToken, anna.context)))
    expect(new Set(results.map((tokens) => tokens.refreshToken)).size).toBe(1)
    expect(new Set(results.map((tokens) => tokens.accessToken)).size).toBe(50)
    expect(await countEvents(sessionId)).toEqual({
      'login.succeeded': 1,
      'session.refreshed': 1,
      'session.refreshed grace': 49,
    })
    for (const { accessToken } of results) expect((await on.gate.tokens.verify(accessToken)).sessionId).toBe(sessionId)
    expect((await on.gate.refresh(results[0]!.refreshToken, anna.context)).sessionId).toBe(sessionId)
    await expectAgreement(on)
  })

  test('from two processes are one too', async () => {
    const other = await on.another()
    const anna = on.person()
    const { refreshToken, sessionId } = await on.gate.register(anna, anna.context)
    const results = await Promise.all(
      Array.from({ length: 40 }, (_value, place) => (place % 2 === 0 ? on.gate : other).refresh(refreshToken)),
    )
    expect(new Set(results.map((tokens) => tokens.refreshToken)).size).toBe(1)
    expect(await countEvents(sessionId)).toMatchObject({ 'session.refreshed': 1, 'session.refreshed grace': 39 })
  })

  test('with a token that is a minute old end the session once', async () => {
    const anna = on.person()
    const { refreshToken, sessionId } = await on.gate.register(anna, anna.context)
    await on.gate.refresh(refreshToken)
    on.clock.advance(60_000)
    const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(on.gate.refresh(refreshToken))))
    expect(codes.sort()).toEqual([...Array.from({ length: 19 }, () => 'ERR_REFRESH_ENDED'), 'ERR_REFRESH_REUSED'])
    expect(await countEvents(sessionId)).toEqual({
      'login.succeeded': 1,
      'session.refreshed': 1,
      'session.refresh-refused reused': 1,
      'session.refresh-refused ended': 19,
      'session.ended refresh-reused': 1,
    })
    await expectAgreement(on)
  })
})
