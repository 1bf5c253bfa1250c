import { describe, expect, test } from 'vitest'
import { EXACT_REFUSALS } from '../../src/log/refusal-log.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openOwnGate, until, WRONG_PASSWORD } from '../support/gate.ts'

describe.each(availableEngines)('a flood of refusals on $name', (engine) => {
  test('is counted exactly, and hides no attempt at which a password was looked at', async () => {
    const on = await openOwnGate(engine)
    const victim = on.person()
    const { userId } = await on.gate.register(victim, victim.context)
    const { context } = on.person()
    const junk = { identifier: 'nobody', password: WRONG_PASSWORD }
    for (let attempt = 0; attempt < EXACT_REFUSALS + 60; attempt++) await codeOf(on.gate.login(junk, context))
    for (let guess = 0; guess < 5; guess++) {
      expect(await codeOf(on.gate.login({ ...victim, password: WRONG_PASSWORD }, context))).toBe('ERR_LOGIN_REFUSED')
    }
    const seen = (await on.gate.log.activity(userId)).items.filter(({ reason }) => reason === 'wrong-password')
    expect(seen).toHaveLength(5)

    // Five of the junk were looked at, the rest was turned away: a hundred exactly, the others in numbers.
    await on.gate.log.flush()
    const { items: summaries } = await on.gate.log.search({ type: 'login.failed', reason: 'flood' })
    const all = (await on.gate.log.search({ type: 'login.failed', ip: context.ip! }, { limit: 500 })).items
    const exact = all.filter(({ reason }) => reason !== 'flood')
    expect(exact.filter(({ reason }) => reason === 'throttled')).toHaveLength(EXACT_REFUSALS)
    expect(exact.filter(({ reason }) => reason === 'unknown-user')).toHaveLength(5)
    expect(summaries).toMatchObject([
      { subject: null, identifierHmac: null, outcome: 'denied', ip: context.ip, data: { count: 60 - 5 } },
    ])
  })

  test('with the refresh token of a session that has ended is counted too', async () => {
    const on = await openOwnGate(engine)
    const anna = on.person()
    const { refreshToken } = await on.gate.register(anna, anna.context)
    await on.gate.logout({ refreshToken }, anna.context)
    for (let attempt = 0; attempt < EXACT_REFUSALS + 20; attempt++) {
      expect(await codeOf(on.gate.refresh(refreshToken, anna.context))).toBe('ERR_REFRESH_ENDED')
    }
    // By itself, as soon as the clock has moved.
    on.clock.advance(1)
    const flood = await until('the summary', async () => {
      const { items } = await on.gate.log.search({ type: 'session.refresh-refused', reason: 'flood' })
      return items.length > 0 && items
    })
    expect(flood).toMatchObject([{ data: { count: 20, counts: ['ended:20'] } }])
    const { items } = await on.gate.log.search({ type: 'session.refresh-refused', reason: 'ended' }, { limit: 500 })
    expect(items).toHaveLength(EXACT_REFUSALS)
  })
})
