import { describe, expect, test } from 'vitest'
import { sessionRecordPageSchema } from '../../src/http/schema.ts'
import { availableEngines } from '../support/engines.ts'
import { openOwnGate, scenario } from '../support/gate.ts'
import { call } from './caller.ts'

describe.each(availableEngines)('GET /admin/api/sessions on $name', (engine) => {
  test('shows how sessions went, in pages, and leaves nothing', async () => {
    const on = await openOwnGate(engine, { adminPath: '/admin' })
    const begun = on.clock.now()
    const [anna, bert, chief] = [on.person(), on.person(), on.person('chief')]
    const first = await on.gate.register(anna, anna.context)
    on.clock.advance(60_000)
    const second = await on.gate.login(anna, anna.context)
    const third = await on.gate.sessions.start('Ärger 7', {}, bert.context)
    on.clock.advance(60_000)
    const refreshed = await on.gate.refresh(first.refreshToken, anna.context)
    await on.gate.refresh(refreshed.refreshToken, anna.context)
    on.clock.advance(60_000)
    await on.gate.logout({ accessToken: first.accessToken }, anna.context)
    await on.gate.users.create({ identifier: chief.identifier, password: chief.password, roles: ['admin'] })
    const { accessToken: token, sessionId: own } = await on.gate.login(chief, chief.context)
    await scenario(on)
    const ask = async (query: string) => {
      const { json } = await call(on.gate, `GET /admin/api/sessions${query}`, { token })
      if (json.items !== undefined) expect(sessionRecordPageSchema.parse(json)).toEqual(json)
      return json
    }
    const ids = async (query: string) => (await ask(query)).items.map(({ id }: { id: string }) => id)
    const { items } = await ask(`?user=${first.userId}&state=all`)
    expect(items).toEqual([
      {
        id: second.sessionId,
        user_id: first.userId,
        method: 'password',
        started_at: begun + 60_000,
        last_refreshed_at: null,
        refresh_count: 0,
        expires_at: expect.any(Number),
        ended_at: null,
        end_reason: null,
        ip: anna.context.ip,
        user_agent: 'test/1',
        device: expect.stringMatching(/^dev_/),
        client_id: null,
        parent_id: null,
      },
      expect.objectContaining({
        id: first.sessionId,
        started_at: begun,
        last_refreshed_at: begun + 120_000,
        refresh_count: 2,
        ended_at: begun + 180_000,
        end_reason: 'logout',
      }),
    ])
    expect(await ids(`?user=${first.userId}&state=live`)).toEqual([second.sessionId])
    expect(await ids(`?user=${first.userId}&state=ended`)).toEqual([first.sessionId])
    expect(await ids(`?user=${encodeURIComponent('Ärger 7')}`)).toEqual([third.sessionId])
    expect(await ids('?user=nobody')).toEqual([])
    const pages: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: { items: { id: string }[]; next: string | null } = await ask(
        `?limit=1${cursor && `&cursor=${cursor}`}`,
      )
      pages.push(...page.items.map(({ id }) => id))
      cursor = page.next
    }
    expect(pages[0]).toBe(own)
    expect([...pages].sort()).toEqual([own, first.sessionId, second.sessionId, third.sessionId].sort())
    expect(pages.at(-1)).toBe(first.sessionId)
    expect((await ask('?state=live')).code).toBe('ERR_QUERY_INVALID')
    expect((await ask('?cursor=x')).code).toBe('ERR_CURSOR_INVALID')
    expect((await ask('?user=a%00')).code).toBe('ERR_QUERY_INVALID')
  })
})
