import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gatebook } from '../../src/api.ts'
import { availableEngines } from '../support/engines.ts'
import { openGate, openOwnGate, scenario, type TestGate } from '../support/gate.ts'
import { codesOf, runAudit, signed } from './audit/signed-log.ts'

const DAY = 86_400_000
/** The beginning of a day. */
const MONDAY = Date.UTC(2026, 0, 5)

/** Where a day begins, so that boundaries are numbers that one can read. */
function goTo(on: TestGate, at: number): void {
  on.clock.advance(at - on.clock.now())
}

const nets = (on: TestGate) =>
  on.direct.kysely
    .selectFrom('gatebook_event')
    .select(['type', 'ip', 'ip_key', 'ip_source', 'user_agent', 'device_id', 'salt_net', 'salt_id', 'subject_id'])
    .orderBy('number')
    .execute()

const countSessions = async ({ direct: { kysely } }: TestGate): Promise<number> =>
  (await kysely.selectFrom('gatebook_session').select('id').execute()).length

const ANYWHERE = { ip: '198.51.100.9', userAgent: 'test/2' }

describe.each(availableEngines)('what is older than it is kept, on $name', (engine) => {
  test('does not lose the log-in that has replaced a hash, with which the hash is compared', async () => {
    const on = await openOwnGate(engine, { highVolumeDays: 100 })
    goTo(on, MONDAY)
    const anna = on.person()
    await on.gate.register(anna, anna.context)
    const stronger = await on.another({ argon2Iterations: 2 })
    await stronger.login(anna, anna.context)
    const { userId } = await stronger.login(anna, anna.context)
    await stronger.sessions.endAll(userId, 'ended-by-admin')
    goTo(on, MONDAY + 200 * DAY)
    await on.gate.log.expire()
    const kept = await on.direct.kysely
      .selectFrom('gatebook_event')
      .select('data')
      .where('type', '=', 'login.succeeded')
      .execute()
    expect(kept.map(({ data }) => JSON.parse(data!))).toEqual([{ known_device: false, rehashed: true }])
    await signed(on)
    expect(codesOf(await runAudit(on, { reconcile: true }))).toEqual([])
  })

  test('loses its network data first, and what admins did later than what users did', async () => {
    const on = await openOwnGate(engine, { networkDays: 10, adminNetworkDays: 30 })
    goTo(on, MONDAY)
    const anna = on.person()
    await on.gate.register(anna, anna.context)
    const admin = { ...ANYWHERE, actor: { kind: 'admin', id: 'usr_admin' } } as const
    const { id } = (await on.gate.users.findByIdentifier(anna.identifier))!
    await on.gate.users.grantRole(id, 'editor', admin)
    const told = await scenario(on)

    goTo(on, MONDAY + 10 * DAY)
    expect(await on.gate.log.expire()).toEqual({ dryRun: false, items: [] })
    goTo(on, MONDAY + 11 * DAY)
    const item = { class: 'net', actors: 'users', volume: null, before: MONDAY + DAY, count: 2 }
    expect(await on.gate.log.expire({ dryRun: true })).toEqual({ dryRun: true, items: [item] })
    await told.expectEvents([])
    expect(await on.gate.log.expire({}, { actor: { kind: 'system', id: 'cli' } })).toEqual({
      dryRun: false,
      items: [item],
    })
    const { volume: _volume, ...data } = item
    await told.expectEvents([{ event: 'log.expired success', actor: 'system cli', data }])
    expect((await on.gate.log.expire()).items).toEqual([])
    const rows = await nets(on)
    for (const row of rows.slice(0, rows.length - 1).filter(({ type }) => type !== 'role.granted')) {
      if (row.type.startsWith('key.')) continue
      expect(row).toMatchObject({ ip: null, ip_key: null, ip_source: null, user_agent: null, device_id: null })
      expect(row.salt_net).toBeNull()
      // The other class stays what it was.
      expect(row.salt_id).not.toBeNull()
      expect(row.subject_id).toBe(id)
    }
    expect(rows.find(({ type }) => type === 'role.granted')).toMatchObject({ ip: ANYWHERE.ip, user_agent: 'test/2' })

    goTo(on, MONDAY + 31 * DAY)
    expect((await on.gate.log.expire()).items).toContainEqual(
      expect.objectContaining({ class: 'net', actors: 'admins', before: MONDAY + DAY }),
    )
    expect((await nets(on)).find(({ type }) => type === 'role.granted')).toMatchObject({ ip: null, salt_net: null })
    await told.expectEvents(
      (await on.events()).slice(-1).map(({ data }) => ({ event: 'log.expired success', actor: 'application', data })),
    )
  })

  test('goes as a whole by its volume, but for what rows that live on are compared with', async () => {
    const on = await openOwnGate(engine, {
      refreshAbsoluteSeconds: 86_400,
      refreshIdleSeconds: 86_400,
      networkDays: 0,
      adminNetworkDays: 0,
      highVolumeDays: 2,
      mediumVolumeDays: 4,
      lowVolumeDays: 6,
      adminEventDays: 365,
    })
    goTo(on, MONDAY)
    const anna = on.person()
    const { userId, sessionId, refreshToken } = await on.gate.register(anna, anna.context)
    await on.gate.refresh(refreshToken)
    await on.gate.log.append({ type: 'app.medium', userId })
    await on.gate.sessions.end(sessionId, 'ended-by-admin', { actor: { kind: 'admin', id: 'usr_admin' } })
    await on.gate.log.read({}, {}, { actor: { kind: 'admin', id: 'usr_admin' } })
    const types = async () => (await on.events()).map(({ type }) => type).filter((type) => !type.startsWith('key.'))
    expect(await types()).toEqual([
      'user.registered',
      'login.succeeded',
      'session.refreshed',
      'app.medium',
      'session.ended',
      'log.read',
    ])
    goTo(on, MONDAY + 3 * DAY)
    expect((await on.gate.log.expire()).items).toEqual([
      { class: 'event', actors: 'users', volume: 'high', before: MONDAY + DAY, count: 2 },
    ])
    expect(await types()).toEqual(['user.registered', 'app.medium', 'session.ended', 'log.read', 'log.expired'])
    goTo(on, MONDAY + 5 * DAY)
    expect((await on.gate.log.expire()).items).toEqual([
      { class: 'event', actors: 'users', volume: 'medium', before: MONDAY + DAY, count: 1 },
    ])
    goTo(on, MONDAY + 366 * DAY)
    const last = (await on.gate.log.expire()).items
    expect(last).toContainEqual({ class: 'event', actors: 'admins', volume: 'high', before: MONDAY + DAY, count: 1 })
    expect(last).toContainEqual({ class: 'event', actors: 'admins', volume: 'low', before: MONDAY + DAY, count: 1 })
    expect(new Set(await types())).toEqual(new Set(['user.registered', 'log.expired']))
    // The evidence of all of them is still there.
    const { entries } = await on.direct.kysely
      .selectFrom('gatebook_entry')
      .select((eb) => eb.fn.countAll<number>().as('entries'))
      .executeTakeFirstOrThrow()
    expect(Number(entries)).toBeGreaterThan(6)
  })

  test('is no forgery to whoever compares the sessions that are still there', async () => {
    const on = await openOwnGate(engine, { highVolumeDays: 30, networkDays: 180 })
    goTo(on, MONDAY)
    const anna = on.person()
    const { accessToken } = await on.gate.register(anna, anna.context)
    await on.gate.logout({ accessToken })
    goTo(on, MONDAY + 40 * DAY)
    await on.gate.log.expire()
    expect(await countSessions(on)).toBe(1)
    await signed(on)
    const audited = await runAudit(on, { reconcile: true })
    expect(audited.summary).toMatchObject({ findings: 0, counts: { 'event-expired': 2 } })
    // A session of yesterday cannot have lost its events to that.
    const forged = { ended_at: on.clock.now() - DAY, created_at: on.clock.now() - 2 * DAY }
    await on.direct.kysely.updateTable('gatebook_session').set(forged).execute()
    expect(codesOf(await runAudit(on, { reconcile: true }))).toEqual([
      'session-ended-without-event',
      'session-without-event',
    ])
  })
})

/** Rows that nobody has to log in for. */
async function fill(on: TestGate, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 200) {
    await Promise.all(
      Array.from({ length: Math.min(200, left) }, (_, place) =>
        on.gate.log.append({ type: 'app.filled', userId: `person-${place}` }, ANYWHERE),
      ),
    )
  }
}

describe.each(availableEngines)('5,000 rows at once, on $name', (engine) => {
  let on: TestGate
  let other: Gatebook
  beforeAll(async () => {
    on = await openGate(engine, { networkDays: 10, adminNetworkDays: 10, mediumVolumeDays: 40 })
    other = await on.another()
    goTo(on, MONDAY)
    await fill(on, 5000)
  }, 120_000)
  afterAll(() => on.close())

  const left = async (column: 'salt_net' | 'id'): Promise<number> => {
    const { rows } = await on.direct.kysely
      .selectFrom('gatebook_event')
      .select((eb) => eb.fn.count<number>(column).as('rows'))
      .where('type', '=', 'app.filled')
      .executeTakeFirstOrThrow()
    return Number(rows)
  }

  test('two processes do it together and count each once, one announces it, and log-ins do not wait', async () => {
    goTo(on, MONDAY + 11 * DAY)
    const waits: number[] = []
    let going = true
    const people = (async () => {
      while (going) {
        const begun = performance.now()
        await on.gate.sessions.start('somebody')
        waits.push(performance.now() - begun)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    })()
    const begun = performance.now()
    const reports = await Promise.all([on.gate.log.expire(), other.log.expire()])
    const whole = performance.now() - begun
    going = false
    await people
    const counted = reports
      .flatMap(({ items }) => items)
      .filter((item) => item.class === 'net' && item.actors === 'users')
    expect(counted.reduce((sum, { count }) => sum + count, 0)).toBe(5000)
    expect(await left('salt_net')).toBe(0)
    const announced = (await on.events()).filter(({ type, data }) => type === 'log.expired' && data.actors === 'users')
    expect(announced.map(({ data }) => data)).toEqual([
      { class: 'net', actors: 'users', before: MONDAY + DAY, count: 5000 },
    ])
    // Whoever had to wait for it would have waited for most of it, however slow the machine is at the moment.
    expect(waits.length).toBeGreaterThan(10)
    expect(waits.sort((a, b) => a - b)[waits.length >> 1]! * 5).toBeLessThan(whole)
  }, 120_000)

  test('a run that was stopped is continued under the announcement that is there', async () => {
    goTo(on, MONDAY + 41 * DAY)
    const closing = await on.another()
    const run = closing.log.expire().catch(() => undefined)
    // Closed in the middle, as at a shutdown.
    for (;;) {
      const rows = await left('id')
      if (rows < 5000) break
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    await closing.close()
    await run
    const between = await left('id')
    expect(between).toBeLessThan(5000)
    expect(between).toBeGreaterThan(0)
    goTo(on, MONDAY + 41 * DAY + 1000)
    await on.gate.log.expire()
    expect(await left('id')).toBe(0)
    const announced = (await on.events()).filter(({ type, data }) => type === 'log.expired' && data.volume === 'medium')
    expect(announced.map(({ data }) => data)).toEqual([
      { class: 'event', actors: 'users', volume: 'medium', before: MONDAY + DAY, count: 5000 },
    ])
  }, 120_000)
})
