import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SessionTokens } from '../../src/api.ts'
import { call } from '../http/caller.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, type ExpectedEvent, openGate, type Person, scenario, type TestGate } from '../support/gate.ts'

const ended = ({ userId, sessionId }: SessionTokens, from: string): ExpectedEvent => ({
  event: 'session.ended success disowned',
  actor: 'self',
  subject: userId,
  session: sessionId,
  from,
})

const disowned = (tokens: SessionTokens, from: string, eventId: string, wasLive = true): ExpectedEvent => ({
  ...ended(tokens, from),
  event: 'session.disowned success',
  data: { event: eventId, was_live: wasLive, device_forgotten: true },
})

describe.each(availableEngines)('"this was not me", on $name', (engine) => {
  let on: TestGate
  beforeAll(async () => {
    on = await openGate(engine)
  })
  afterAll(() => on.close())

  async function loggedInTwice(): Promise<{ anna: Person; own: SessionTokens; other: SessionTokens; eventId: string }> {
    const anna = on.person()
    const own = await on.gate.register(anna, anna.context)
    const other = await on.gate.login(anna, { ...anna.context, userAgent: 'another browser' })
    const { items } = await on.gate.log.search({ session: other.sessionId, type: 'login.succeeded' })
    return { anna, own, other, eventId: items[0]!.id }
  }

  test('ends the session behind the event, and leaves the others', async () => {
    const { anna, own, other, eventId } = await loggedInTwice()
    const { expectEvents } = await scenario(on)
    const { userId } = own
    expect(await on.gate.sessions.disown({ userId, eventId }, anna.context)).toEqual({
      sessionId: other.sessionId,
      wasLive: true,
    })
    await expectEvents([ended(other, anna.from), disowned(other, anna.from, eventId)])
    expect(await codeOf(on.gate.tokens.verify(other.accessToken))).toBe('ERR_TOKEN_REVOKED')
    expect((await on.gate.sessions.list(userId)).map(({ id }) => id)).toEqual([own.sessionId])
  })

  test('leaves nothing the second time, nor when fifty ask at once', async () => {
    const { anna, own, other, eventId } = await loggedInTwice()
    const { expectEvents } = await scenario(on)
    const input = { userId: own.userId, eventId }
    const done = await Promise.all(Array.from({ length: 50 }, () => on.gate.sessions.disown(input, anna.context)))
    expect(done.filter(({ wasLive }) => wasLive)).toHaveLength(1)
    expect(await on.gate.sessions.disown(input, anna.context)).toEqual({ sessionId: other.sessionId, wasLive: false })
    await expectEvents([ended(other, anna.from), disowned(other, anna.from, eventId)])
  })

  test('is recorded of a session that is over, once', async () => {
    const { anna, own, other, eventId } = await loggedInTwice()
    await on.gate.logout({ refreshToken: other.refreshToken }, anna.context)
    const { expectEvents } = await scenario(on)
    for (const _ of [1, 2]) {
      expect(await on.gate.sessions.disown({ userId: own.userId, eventId }, anna.context)).toMatchObject({
        wasLive: false,
      })
    }
    await expectEvents([disowned(other, anna.from, eventId, false)])
  })

  test('makes the device one that is not known', async () => {
    const { anna, own, other, eventId } = await loggedInTwice()
    await on.gate.sessions.disown({ userId: own.userId, eventId }, anna.context)
    const again = await on.gate.login(anna, { ...anna.context, deviceToken: other.deviceToken })
    const { items } = await on.gate.log.search({ session: again.sessionId, type: 'login.succeeded' })
    expect(items[0]!.data).toMatchObject({ known_device: false })
  })

  test('is refused for what is not the own, and where there is no session', async () => {
    const { eventId } = await loggedInTwice()
    const bert = on.person()
    const { userId } = await on.gate.register(bert, bert.context)
    await codeOf(on.gate.login({ ...bert, password: 'not the right one' }, bert.context))
    const { items } = await on.gate.log.search({ user: userId, type: 'login.failed' })
    const { expectEvents } = await scenario(on)
    const disown = (id: string) => codeOf(on.gate.sessions.disown({ userId, eventId: id }, bert.context))
    expect(await disown(eventId)).toBe('ERR_EVENT_NOT_FOUND')
    expect(await disown('evt_no')).toBe('ERR_EVENT_NOT_FOUND')
    expect(await disown(items[0]!.id)).toBe('ERR_EVENT_NOT_DISOWNABLE')
    await expectEvents([])
  })

  test('over HTTP, by the user alone', async () => {
    const { own, other, eventId } = await loggedInTwice()
    const { expectEvents } = await scenario(on)
    const line = `POST /auth/activity/${eventId}/disown`
    expect((await call(on.gate, line)).status).toBe(401)
    expect((await call(on.gate, line, { token: own.accessToken })).status).toBe(204)
    expect((await call(on.gate, line, { token: other.accessToken })).json).toMatchObject({ code: 'ERR_TOKEN_REVOKED' })
    const from = '203.0.113.9 socket'
    const refused = { actor: 'anonymous', from, data: { count: 1, counted_from: expect.any(Number) } }
    await expectEvents([
      ended(other, from),
      disowned(other, from, eventId),
      { event: 'token.refused denied missing', ...refused },
      { event: 'token.refused denied revoked', ...refused },
    ])
  })
})
