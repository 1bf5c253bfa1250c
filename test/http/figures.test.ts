import { describe, expect, test } from 'vitest'
import { addressReportSchema, overviewSchema } from '../../src/http/figures.ts'
import { availableEngines } from '../support/engines.ts'
import { type ExpectedEvent, openOwnGate, scenario, type TestGate, WRONG_PASSWORD } from '../support/gate.ts'
import { call, type Reply } from './caller.ts'

interface World {
  readonly on: TestGate
  readonly adminId: string
  ask(path: string): Promise<Reply>
}

async function openWorld(engine: (typeof availableEngines)[number]): Promise<World> {
  const on = await openOwnGate(engine, { adminPath: '/admin' })
  const chief = on.person('chief')
  const { id } = await on.gate.users.create({
    identifier: chief.identifier,
    password: chief.password,
    roles: ['admin'],
  })
  const { accessToken: token } = await on.gate.login(chief, chief.context)
  return { on, adminId: id, ask: (path) => call(on.gate, `GET /admin/api/${path}`, { token }) }
}

describe.each(availableEngines)('the figures of the log on $name', (engine) => {
  test('GET /admin/api/overview counts what has happened, and leaves nothing', async () => {
    const { on, ask } = await openWorld(engine)
    const anna = on.person()
    const { refreshToken, accessToken } = await on.gate.register(anna, anna.context)
    await on.gate.refresh(refreshToken, anna.context)
    await on.gate.login({ ...anna, password: WRONG_PASSWORD }, anna.context).catch(() => undefined)
    await on.gate.login({ ...anna, password: WRONG_PASSWORD }, anna.context).catch(() => undefined)
    await on.gate.logout({ accessToken }, anna.context)
    // One event that stands for four.
    for (let time = 0; time < 4; time++) {
      await on.gate.authenticate({ headers: new Headers(), method: 'GET' }, {}, anna.context).catch(() => undefined)
    }
    await on.gate.log.flush()
    on.clock.advance(60_000)
    await scenario(on)
    const reply = await ask('overview')
    expect(reply.status).toBe(200)
    expect(overviewSchema.parse(reply.json)).toEqual(reply.json)
    const { series, ...rest } = reply.json
    const total = (name: string) =>
      series.reduce((sum: number, bucket: Record<string, number>) => sum + bucket[name]!, 0)
    expect(['logins', 'failures', 'refreshes', 'ended'].map(total)).toEqual([2, 2, 1, 1])
    expect([96, 97]).toContain(series.length)
    expect(series[0].at % 900_000).toBe(0)
    expect(rest).toMatchObject({
      bucket_milliseconds: 900_000,
      as_of: on.clock.now(),
      complete: true,
      refusals: [
        { reason: 'missing', count: 4 },
        { reason: 'wrong-password', count: 2 },
      ],
      active_sessions: 1,
    })
    expect(rest.addresses.busiest[0]).toEqual({ ip_prefix: anna.context.ip, count: 10, failures: 6 })
    expect(rest.addresses.newest.map((each: { ip_prefix: string }) => each.ip_prefix)).toContain(anna.context.ip)
    expect((await ask('overview?buckets=4')).json.series.length).toBeLessThanOrEqual(6)
    expect((await ask('overview?buckets=201')).json.code).toBe('ERR_QUERY_INVALID')
    expect((await ask('overview?from=2025-01-02&to=2025-01-01')).json.code).toBe('ERR_QUERY_INVALID')
  })

  test('GET /admin/api/addresses/{address} says who came from there, and the log says that it was asked', async () => {
    const { on, ask, adminId } = await openWorld(engine)
    const [anna, bert] = [on.person(), on.person()]
    const { userId } = await on.gate.register(anna, anna.context)
    await on.gate.login({ ...anna, password: WRONG_PASSWORD }, bert.context).catch(() => undefined)
    on.clock.advance(1000)
    await on.gate
      .login({ identifier: 'nobody@example.org', password: WRONG_PASSWORD }, bert.context)
      .catch(() => undefined)
    await on.gate.login(anna, bert.context)
    const { expectEvents } = await scenario(on)
    const read = (returned: number, filters = ['ip']): ExpectedEvent => ({
      event: 'log.read success',
      actor: `admin ${adminId}`,
      from: '203.0.113.9 socket',
      data: { filters, returned },
    })
    const reply = await ask(`addresses/${bert.context.ip}`)
    expect(addressReportSchema.parse(reply.json)).toEqual(reply.json)
    const now = on.clock.now()
    expect(reply.json).toEqual({
      ip: bert.context.ip,
      first_seen: now - 1000,
      last_seen: now,
      counts: { succeeded: 1, failed: 2, denied: 0, refreshed: 0 },
      users: expect.arrayContaining([
        { user_id: userId, identifier_mask: null, succeeded: 1, failed: 1, last_seen: now },
        {
          user_id: null,
          identifier_mask: expect.stringMatching(/\.org$/),
          succeeded: 0,
          failed: 1,
          last_seen: now,
        },
      ]),
      complete: true,
    })
    await expectEvents([read(3)])
    const network = `${bert.context.ip!.replace(/\d+$/, '0')}/24`
    const range = await ask(`addresses/${encodeURIComponent(network)}?from=${now}`)
    expect(range.json).toMatchObject({ ip: network, first_seen: now, counts: { succeeded: 1, failed: 1 } })
    expect((await ask('addresses/2001:DB8::0')).json).toEqual({
      ip: '2001:db8::',
      first_seen: null,
      last_seen: null,
      counts: { succeeded: 0, failed: 0, denied: 0, refreshed: 0 },
      users: [],
      complete: true,
    })
    await expectEvents([read(2, ['from', 'ip']), read(0)])
    for (const wrong of ['300.1.1.1', '10.0.0.0%2F33', 'x', '%00']) {
      expect((await ask(`addresses/${wrong}`)).json).toMatchObject({ code: 'ERR_QUERY_INVALID', members: ['ip'] })
    }
  })
})
