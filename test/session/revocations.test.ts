import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openOwnGate, until } from '../support/gate.ts'

const HOUR = 3_600_000

describe.each(availableEngines)('what a process remembers of ended sessions on $name', (engine) => {
  test('lasts as long as the longest access token of the session, whoever ends it', async () => {
    const on = await openOwnGate(engine, { accessTokenSeconds: 3600 })
    // A program beside the application, with the default life of ten minutes.
    const tool = await on.another({ accessTokenSeconds: 600, attach: true })
    const anna = on.person()
    const { accessToken, sessionId } = await on.gate.register(anna, anna.context)
    expect(await tool.sessions.end(sessionId, 'ended-by-admin')).toBe(true)
    await until('the poll', async () => (await codeOf(on.gate.tokens.verify(accessToken))) === 'ERR_TOKEN_REVOKED')
    on.clock.advance(HOUR - 1000)
    await sleep(200)
    expect(await codeOf(on.gate.tokens.verify(accessToken))).toBe('ERR_TOKEN_REVOKED')
    on.clock.advance(1000)
    expect(await codeOf(on.gate.tokens.verify(accessToken))).toBe('ERR_TOKEN_EXPIRED')
  })

  test('lasts as long as an access token that outlives its successor', async () => {
    const on = await openOwnGate(engine, { accessTokenSeconds: 3600 })
    const short = await on.another({ accessTokenSeconds: 60 })
    const anna = on.person()
    const first = await on.gate.register(anna, anna.context)
    const second = await short.refresh(first.refreshToken, anna.context)
    expect([first.expiresIn, second.expiresIn]).toEqual([3600, 60])
    expect(await short.sessions.end(first.sessionId, 'ended-by-admin')).toBe(true)
    const revocation = await on.direct.kysely.selectFrom('gatebook_revocation').selectAll().executeTakeFirstOrThrow()
    expect(Number(revocation.forget_at)).toBe(on.clock.now() + HOUR + 60_000)
    // What is said of the session when it is nearly over, by a process that has learned of its end by then.
    on.clock.advance(HOUR - 1000)
    const other = await on.another()
    expect(await codeOf(other.tokens.verify(first.accessToken))).toBe('ERR_TOKEN_REVOKED')
  })

  test('is nothing where every access token had expired before', async () => {
    const on = await openOwnGate(engine)
    const anna = on.person()
    const { sessionId } = await on.gate.register(anna, anna.context)
    on.clock.advance(HOUR)
    expect(await on.gate.sessions.end(sessionId, 'ended-by-admin')).toBe(true)
    expect(await on.direct.kysely.selectFrom('gatebook_revocation').selectAll().execute()).toEqual([])
  })

  test('includes the access token of an answer that was given once more', async () => {
    const on = await openOwnGate(engine)
    const anna = on.person()
    const { refreshToken } = await on.gate.register(anna, anna.context)
    await on.gate.refresh(refreshToken)
    on.clock.advance(15_000)
    const { accessToken, sessionId } = await on.gate.refresh(refreshToken)
    const other = await on.another()
    expect(await other.sessions.end(sessionId, 'ended-by-admin')).toBe(true)
    on.clock.advance(599_000)
    await until('the poll', async () => (await codeOf(on.gate.tokens.verify(accessToken))) === 'ERR_TOKEN_REVOKED')
  })
})

test('a program that attaches makes no key and touches no view, whatever its settings', async () => {
  for (const engine of availableEngines) {
    const on = await openOwnGate(engine, { signingAlgorithm: 'EdDSA', userLogsUserId: 'integer' })
    const before = await on.direct.kysely.selectFrom('gatebook_meta').selectAll().orderBy('name').execute()
    const events = (await on.events()).length
    const tool = await on.another({ signingAlgorithm: 'ES256', userLogsUserId: 'text', attach: true })
    await tool.log.read({}, {}, { actor: { kind: 'system', id: 'cli' } })
    expect(await on.direct.kysely.selectFrom('gatebook_meta').selectAll().orderBy('name').execute()).toEqual(before)
    expect(await on.direct.kysely.selectFrom('gatebook_signing_key').select('algorithm').execute()).toHaveLength(1)
    expect((await on.events()).length, engine.name).toBe(events + 1)
  }
})
