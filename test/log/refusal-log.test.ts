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
    const summaries = await until('the summaries of 55', async () => {
      const { items } = await on.gate.log.search({ type: 'login.failed', reason: 'flood' })
      return items.reduce((sum, { data }) => sum + Number(data.count), 0) >= 55 && items
    })
    const all = (await on.gate.log.search({ type: 'login.failed', ip: context.ip! }, { limit: 500 })).items
    const exact = all.filter(({ reason }) => reason !== 'flood')
    const counted = summaries.reduce((sum, { data }) => sum + Number(data.count), 0)
    expect(exact.filter(({ reason }) => reason === 'throttled')).toHaveLength(EXACT_REFUSALS)
    expect(exact.filter(({ reason }) => reason === 'unknown-user')).toHaveLength(5)
    expect(counted).toBe(60 - 5)
    expect(summaries[0]).toMatchObject({ subject: null, identifierHmac: null, outcome: 'denied', ip: context.ip })
  })

  test('with the refresh token of a session that has ended is counted too', async () => {
    const on = await openOwnGate(engine)
    const anna = on.person()
    const { refreshToken } = await on.gate.register(anna, anna.context)
    await on.gate.logout({ refreshToken }, anna.context)
    for (let attempt = 0; attempt < EXACT_REFUSALS + 20; attempt++) {
      expect(await codeOf(on.gate.refresh(refreshToken, anna.context))).toBe('ERR_REFRESH_ENDED')
    }
    await until('the summary', async () => {
      const { items } = await on.gate.log.search({ type: 'session.refresh-refused', reason: 'flood' })
      return items.reduce((sum, { data }) => sum + Number(data.count), 0) === 20
    })
    const { items } = await on.gate.log.search({ type: 'session.refresh-refused', reason: 'ended' }, { limit: 500 })
    expect(items).toHaveLength(EXACT_REFUSALS)
  })
})
