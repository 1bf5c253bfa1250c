import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { RowKind } from '../../../src/log/reconcile/discrepancies.ts'
import { FLOW_OPTIONS, FLOWS } from '../../contract/flows.ts'
import { availableEngines } from '../../support/engines.ts'
import { codeOf, openOwnGate, type TestGate } from '../../support/gate.ts'
import { codesOf, countChecked, queueIsEmpty } from './run-reconcile.ts'

const NEW_PASSWORD = 'yet another pass phrase'

/** Flows that are not among those of promise 1, since they change nothing that an event tells of twice. */
async function runOtherFlows(on: TestGate): Promise<void> {
  const { gate } = on
  const client = await gate.clients.create({ name: 'billing' })
  const revoked = await gate.clients.create({ name: 'gone' })
  await gate.clients.revoke(revoked.id)
  await gate.clients.authenticate(client)
  await gate.keys.rotate()
  const { keys } = await gate.tokens.jwks()
  await gate.keys.revoke(String(keys[0]!.kid))
  const anna = on.person()
  const { id: userId } = await gate.users.create({ ...anna, roles: ['editor'] })
  await gate.users.revokeRole(userId, 'editor')
  await gate.users.grantRole(userId, 'editor')
  await gate.users.disable(userId)
  await gate.users.enable(userId)
  const grant = { roles: ['reader'], claims: { plan: 'é 😀', seats: 1.5, Nested: { none: null } } }
  const started = await gate.sessions.start('strange user — 字', grant, anna.context)
  for (let step = 0, { refreshToken } = started; step < 5; step++) {
    refreshToken = (await gate.refresh(refreshToken)).refreshToken
    on.clock.advance(1000)
  }
}

describe.each(availableEngines)('a history on $name', (engine) => {
  test('of every flow agrees with its events, while they wait and when they have their places', async () => {
    const on = await openOwnGate(engine, { ...FLOW_OPTIONS, sequencerMilliseconds: 5000 })
    for (const flow of FLOWS) await codeOf((await flow.prepare(on))(on.gate))
    await runOtherFlows(on)
    expect(await codesOf(on)).toEqual([])
    const sequencing = await on.another({ sequencerMilliseconds: 20 })
    await sequencing.log.append({ type: 'app.x' })
    await queueIsEmpty(on)
    expect(await codesOf(on)).toEqual([])
    const checked = await countChecked(on)
    const { kysely } = on.direct
    const tables = {
      session: 'gatebook_session',
      credential: 'gatebook_credential',
      user: 'gatebook_user',
      subject: 'gatebook_subject',
      role: 'gatebook_role',
      client: 'gatebook_client',
      key: 'gatebook_signing_key',
    } as const
    for (const [kind, table] of Object.entries(tables)) {
      const { rows } = await kysely
        .selectFrom(table)
        .select((eb) => eb.fn.countAll().as('rows'))
        .executeTakeFirstOrThrow()
      expect([kind, checked.get(kind as RowKind)]).toEqual([kind, Number(rows)])
    }
  }, 60_000)

  test('of more rows and events than are read at a time agrees with them', async () => {
    const on = await openOwnGate(engine)
    const { gate } = on
    const imported = Array.from({ length: 300 }, (_value, place) => ({
      identifier: `user-${place}@example.org`,
      passwordHash:
        'pbkdf2:sha256:1000$XTifDwGfdiKzBBmB$9173cbf34fd1886aa3970a6da2c9c562435af0b1da2397b109d65011714972ec',
      roles: ['editor', ...(place % 2 === 0 ? ['author'] : [])],
      disabled: place % 10 === 0,
    }))
    await gate.users.import(imported)
    const userId = (await gate.users.findByIdentifier('user-1@example.org'))!.id
    // Of one subject and of one fact more events than a page has.
    for (let step = 0; step < 257; step++) {
      await gate.users.grantRole(userId, 'toggled')
      await gate.users.revokeRole(userId, 'toggled')
    }
    await gate.users.grantRole(userId, 'toggled')
    for (let place = 0; place < 150; place++) await gate.sessions.start(`app-${place % 7}`)
    expect(await codesOf(on)).toEqual([])
    // And what is found there is found behind the first page too.
    await on.direct.kysely.deleteFrom('gatebook_role').where('role', '=', 'toggled').execute()
    expect(await codesOf(on)).toEqual([`role-missing ${userId}`])
  }, 60_000)

  test('that goes on meanwhile is not taken for a forgery', async () => {
    const on = await openOwnGate(engine)
    const { gate } = on
    const anna = on.person()
    const { userId } = await gate.register(anna, anna.context)
    const rounds: number[] = []
    let goesOn = true
    const repeat = async (work: () => Promise<unknown>): Promise<void> => {
      const place = rounds.push(0) - 1
      while (goesOn) {
        await work()
        rounds[place]! += 1
        await sleep(15)
      }
    }
    let { refreshToken } = await gate.sessions.start('refreshing')
    const writers = [
      repeat(async () => {
        refreshToken = (await gate.refresh(refreshToken)).refreshToken
        on.clock.advance(20)
      }),
      repeat(async () => gate.logout({ accessToken: (await gate.sessions.start('coming and going')).accessToken })),
      repeat(async () => {
        await gate.users.grantRole(userId, 'editor')
        await gate.users.revokeRole(userId, 'editor')
      }),
      repeat(async () => {
        await gate.users.disable('app-user')
        await gate.users.enable('app-user')
      }),
      repeat(() => gate.users.setPassword(userId, NEW_PASSWORD)),
      repeat(async () => gate.clients.revoke((await gate.clients.create({ name: 'x' })).id)),
    ]
    const found: string[] = []
    const giveUpAt = Date.now() + 40_000
    for (let runs = 0; (runs < 8 || Math.min(...rounds) < 8) && Date.now() < giveUpAt; runs++) {
      found.push(...(await codesOf(on)))
    }
    goesOn = false
    await Promise.all(writers)
    expect(Math.min(...rounds)).toBeGreaterThanOrEqual(8)
    expect(found).toEqual([])
    expect(await codesOf(on)).toEqual([])
  }, 60_000)
})
