import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openGate, scenario, type TestGate } from '../support/gate.ts'

const ADMIN = { actor: { kind: 'admin', id: 'usr_01k00000000000000000000000' } } as const
const CALLER = { ip: '203.0.113.7', ipSource: 'socket' } as const
const FROM = '203.0.113.7 socket'
const NO_SECRET = `gbk_${'A'.repeat(43)}`

describe.each(availableEngines)('clients on $name', (engine) => {
  let on: TestGate
  beforeAll(async () => {
    on = await openGate(engine)
  })
  afterAll(() => on.close())

  test('show who they are until their secret is revoked', async () => {
    const { expectEvents } = await scenario(on)
    const { id, secret, ...rest } = await on.gate.clients.create({ name: '  reports – 보고서 ' }, ADMIN)
    expect(id).toMatch(/^cli_/)
    expect(secret).toMatch(/^gbk_[\w-]{43}$/)
    expect(rest).toEqual({
      name: 'reports – 보고서',
      public: false,
      redirectUris: [],
      createdBy: ADMIN.actor.id,
      createdAt: on.clock.now(),
      revokedAt: null,
    })
    expect(await on.gate.clients.authenticate({ id, secret }, CALLER)).toEqual({ id, ...rest })
    const admin = `admin ${ADMIN.actor.id}`
    await expectEvents([{ event: 'client.created success', actor: admin, data: { client: id } }])

    expect(await on.gate.clients.revoke(id, ADMIN)).toBe(true)
    expect(await on.gate.clients.revoke(id, ADMIN)).toBe(false)
    expect(await codeOf(on.gate.clients.authenticate({ id, secret }, CALLER))).toBe('ERR_CLIENT_INVALID')
    await expectEvents([
      { event: 'client.revoked success', actor: admin, data: { client: id } },
      { event: 'client.refused denied revoked', actor: 'anonymous', from: FROM, data: { client: id } },
    ])
    expect((await on.gate.clients.list({ limit: 1 })).items).toEqual([{ id, ...rest, revokedAt: on.clock.now() }])
  })

  test('that are none are refused alike, and the log tells why', async () => {
    const { expectEvents } = await scenario(on)
    const { id, secret } = await on.gate.clients.create({ name: 'x' })
    await expectEvents([{ event: 'client.created success', actor: 'application', data: { client: id } }])
    const tries: readonly [string, string][] = [
      [id, NO_SECRET],
      [id, ''],
      [id, `${secret} `],
      ['cli_01k00000000000000000000000', secret],
      ['', ''],
      ["' OR 1=1 --", secret],
    ]
    for (const [tried, shown] of tries) {
      const answer = on.gate.clients.authenticate({ id: tried, secret: shown }, CALLER)
      await expect(answer).rejects.toMatchObject({ code: 'ERR_CLIENT_INVALID', members: {} })
    }
    const refused = { actor: 'anonymous', from: FROM }
    const wrong = { ...refused, event: 'client.refused denied wrong-secret', data: { client: id } }
    const unknown = { ...refused, event: 'client.refused denied unknown-client' }
    await expectEvents([wrong, wrong, wrong, unknown, unknown, unknown])
  })

  test('have names that can be read, and are listed newest first in pages', async () => {
    for (const name of ['', ' ', 'a\nb', 'a\u202eb', 'x'.repeat(101)]) {
      expect(await codeOf(on.gate.clients.create({ name }))).toBe('ERR_CLIENT_NAME_INVALID')
    }
    const ids: string[] = []
    for (let at = 0; at < 3; at++) {
      on.clock.advance(1)
      ids.unshift((await on.gate.clients.create({ name: `client ${at}` })).id)
    }
    const first = await on.gate.clients.list({ limit: 2 })
    const second = await on.gate.clients.list({ limit: 1, cursor: first.next! })
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids)
    expect(await codeOf(on.gate.clients.list({ cursor: 'x' }))).toBe('ERR_CURSOR_INVALID')
    expect(await codeOf(on.gate.clients.revoke('cli_01k00000000000000000000000'))).toBe('ERR_CLIENT_NOT_FOUND')
    expect(await codeOf(on.gate.clients.revoke('x'))).toBe('ERR_CLIENT_NOT_FOUND')
  })

  test('leave no secret in the database', async () => {
    const { secret } = await on.gate.clients.create({ name: 'x' })
    const rows = await on.direct.kysely.selectFrom('gatebook_client').selectAll().execute()
    expect(JSON.stringify(rows)).not.toContain(secret.slice(4))
  })
})
