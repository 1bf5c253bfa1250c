import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openGate, type TestGate } from '../support/gate.ts'
import { HIDDEN_REQUIREMENTS, UNLISTED_ROLE } from '../support/hidden-requirements.ts'
import { call } from './caller.ts'

describe.each(availableEngines)('authenticating a request on $name', (engine) => {
  let on: TestGate
  beforeAll(async () => {
    on = await openGate(engine)
  })
  afterAll(() => on.close())

  const bearer = (token: string) => ({ headers: new Headers({ authorization: `Bearer ${token}` }), method: 'GET' })

  test('wants a log-in that is recent enough where that is asked, and says so as RFC 9470 §3 does', async () => {
    const { accessToken } = await on.gate.register(on.person())
    const request = bearer(accessToken)
    expect(await codeOf(on.gate.authenticate(request, { maxAgeSeconds: 60 }))).toBe('no error')
    on.clock.advance(61_000)
    expect(await codeOf(on.gate.authenticate(request, { maxAgeSeconds: 60 }))).toBe('ERR_FRESH_REQUIRED')
    expect(await codeOf(on.gate.authenticate(request, { maxAgeSeconds: 120 }))).toBe('no error')
    expect(await codeOf(on.gate.authenticate(request, { role: 'editor', maxAgeSeconds: 60 }))).toBe('ERR_FORBIDDEN')
  })

  test('takes no requirement for another, or for none', async () => {
    const { accessToken } = await on.gate.register(on.person())
    for (const wrong of [{ roles: ['admin'] }, { maxAgeSeconds: Number.NaN }, { maxAgeSeconds: -1 }]) {
      expect(await codeOf(on.gate.authenticate(bearer(accessToken), wrong as object))).toBe('ERR_ARGUMENT_INVALID')
    }
  })

  test.each(HIDDEN_REQUIREMENTS)('takes no requirements that are %s', async (_, wrong) => {
    const { accessToken } = await on.gate.register(on.person())
    expect(await codeOf(on.gate.authenticate(bearer(accessToken), wrong as object))).toBe('ERR_ARGUMENT_INVALID')
  })

  test('asks for a role that is not listed among the members', async () => {
    const { accessToken } = await on.gate.register(on.person())
    expect(await codeOf(on.gate.authenticate(bearer(accessToken), UNLISTED_ROLE))).toBe('ERR_FORBIDDEN')
  })

  test('is not made recent by a refresh', async () => {
    const { refreshToken } = await on.gate.register(on.person())
    on.clock.advance(61_000)
    const { accessToken } = await on.gate.refresh(refreshToken)
    expect(await codeOf(on.gate.authenticate(bearer(accessToken), { maxAgeSeconds: 60 }))).toBe('ERR_FRESH_REQUIRED')
  })

  test('asks for nothing but a valid token by itself', async () => {
    const { accessToken, userId } = await on.gate.register(on.person())
    expect(await on.gate.authenticate(bearer(accessToken))).toMatchObject({ userId })
    expect(await codeOf(on.gate.authenticate({ headers: new Headers(), method: 'GET' }))).toBe('ERR_TOKEN_MISSING')
    expect((await call(on.gate, 'GET /auth/me', {})).status).toBe(401)
  })
})
