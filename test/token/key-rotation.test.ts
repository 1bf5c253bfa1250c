import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { toNodeHandler } from '../../src/adapters/node.ts'
import type { Gatebook, SigningKey } from '../../src/api.ts'
import { createVerifier, type Verifier } from '../../src/verify/index.ts'
import { call } from '../http/caller.ts'
import { availableEngines, findEngine } from '../support/engines.ts'
import { codeOf, ISSUER, openOwnGate, PASSWORD, SECRET, type TestGate, until } from '../support/gate.ts'

/** Longer than a process takes to look after its keys. */
const LOOKED_AFTER = 2500
const SECOND = 1000

async function statesOf(gate: Gatebook): Promise<string[]> {
  return (await gate.keys.list()).map(({ state }) => state).toReversed()
}

/** Another machine, which keeps the JWKS for ten minutes, as it is told. */
async function openVerifier(on: TestGate): Promise<Verifier> {
  const server = createServer(toNodeHandler(on.gate)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/.well-known/jwks.json`
  return createVerifier({ issuer: ISSUER, jwksUrl, now: on.clock.now, verifiedTokens: 0 })
}

describe.each(availableEngines)('signing keys on $name', (engine) => {
  test('change twice, and nobody who keeps the JWKS refuses anything', { timeout: 120_000 }, async () => {
    const on = await openOwnGate(engine)
    const gates = [on.gate, await on.another()]
    // Keys of one millisecond have no order.
    on.clock.advance(SECOND)
    const verifier = await openVerifier(on)
    let tokens: { token: string; until: number }[] = []
    const wrong: string[] = []
    const kids = new Set<string>()
    const step = async (seconds: number) => {
      for (const [at, gate] of gates.entries()) {
        const { accessToken } = await gate.sessions.start(`user-${at}`)
        tokens.push({ token: accessToken, until: on.clock.now() + 600 * SECOND })
        kids.add(JSON.parse(Buffer.from(accessToken.split('.')[0]!, 'base64url').toString()).kid)
      }
      for (const { token } of tokens) {
        for (const who of [verifier, gates[0]!.tokens, gates[1]!.tokens]) {
          const code = await codeOf(who.verify(token))
          if (code !== 'no error') wrong.push(`${code} after ${on.clock.now()}`)
        }
      }
      on.clock.advance(seconds * SECOND)
      tokens = tokens.filter(({ until }) => until > on.clock.now())
    }
    for (let rotation = 1; rotation <= 2; rotation++) {
      const [{ id, activatesAt }, ...others] = (await Promise.all(
        [0, 1, 1, 0].map((at) => gates[at]!.keys.rotate()),
      )) as [SigningKey, ...SigningKey[]]
      for (const other of others) expect(other.id).toBe(id)
      await sleep(LOOKED_AFTER)
      while (on.clock.now() < activatesAt) await step(90)
      await until('the new key', async () => (await statesOf(on.gate)).at(-1) === 'active')
      // Also while one of the two does not know yet.
      await step(1)
      await sleep(LOOKED_AFTER)
      for (let count = 0; count < 8; count++) await step(90)
      await until('the end of the old one', async () => (await statesOf(on.gate)).at(-2) === 'retired')
      await step(1)
    }
    expect(wrong).toEqual([])
    expect(kids.size).toBe(3)
    expect(await statesOf(on.gate)).toEqual(['retired', 'retired', 'active'])
    expect(on.gate.tokens.jwks().keys).toHaveLength(1)
    const events = (await on.events()).map(({ type }) => type).filter((type) => type.startsWith('key.'))
    const once = ['key.created', 'key.activated', 'key.retired']
    expect(events).toEqual(['key.created', 'key.activated', ...once, ...once])
    // What can sign no more is not kept.
    const rows = await on.direct.kysely
      .selectFrom('gatebook_signing_key')
      .selectAll()
      .where('state', '=', 'retired')
      .execute()
    expect(rows.map((row) => row.sealed_private_key.length)).toEqual([0, 0])
  })

  test('that are revoked verify nothing, in every process, and the sessions go on', async () => {
    const on = await openOwnGate(engine)
    const other = await on.another()
    const anna = on.person()
    const { accessToken, refreshToken, userId } = await on.gate.register(anna, anna.context)
    await other.tokens.verify(accessToken)
    const { id } = (await on.gate.keys.list())[0]!
    const context = { ip: '203.0.113.9', actor: { kind: 'admin', id: userId } } as const
    expect(await on.gate.keys.revoke(id, context)).toBe(true)
    expect(await on.gate.keys.revoke(id, context)).toBe(false)
    expect(await codeOf(on.gate.tokens.verify(accessToken))).toBe('ERR_TOKEN_INVALID')
    await until(
      'the other process',
      async () => (await codeOf(other.tokens.verify(accessToken))) === 'ERR_TOKEN_INVALID',
    )
    const fresh = await other.refresh(refreshToken, anna.context)
    await on.gate.tokens.verify(fresh.accessToken)
    await other.tokens.verify(fresh.accessToken)
    expect(await codeOf(on.gate.keys.revoke('key_01k00000000000000000000000'))).toBe('ERR_KEY_NOT_FOUND')
    const events = (await on.events()).filter(({ type }) => type.startsWith('key.')).slice(2)
    expect(events.map(({ type, actor }) => [type, actor.kind])).toEqual([
      ['key.revoked', 'admin'],
      ['key.created', 'admin'],
      ['key.activated', 'admin'],
    ])
  })

  test('are made anew when it is time, by one of the processes', { timeout: 60_000 }, async () => {
    const on = await openOwnGate(engine, { keyRotationSeconds: 86_400 })
    await Promise.all([on.another(), on.another()])
    on.clock.advance(86_400 * SECOND)
    await until('a pending key', async () => (await statesOf(on.gate)).includes('pending'))
    await sleep(LOOKED_AFTER)
    expect((await statesOf(on.gate)).filter((state) => state === 'pending')).toHaveLength(1)
    on.clock.advance(700 * SECOND)
    await until('the new key', async () => (await statesOf(on.gate)).at(-1) === 'active')
    await sleep(LOOKED_AFTER)
    const events = (await on.events()).filter(({ type }) => type.startsWith('key.')).slice(2)
    expect(events.map(({ type, actor }) => [type, actor.id])).toEqual([
      ['key.created', 'gatebook'],
      ['key.activated', 'gatebook'],
    ])
  })

  test('of another algorithm sign when everybody knows them', async () => {
    const on = await openOwnGate(engine)
    on.clock.advance(SECOND)
    const changed = await on.another({ signingAlgorithm: 'EdDSA' })
    const algorithmOf = async (gate: Gatebook) =>
      JSON.parse(Buffer.from((await gate.sessions.start(7)).accessToken.split('.')[0]!, 'base64url').toString()).alg
    expect(await algorithmOf(changed)).toBe('ES256')
    on.clock.advance(700 * SECOND)
    await until('the change', async () => (await algorithmOf(changed)) === 'EdDSA')
    // A process that has not been told goes along: there is one key that signs.
    await until('the other process', async () => (await algorithmOf(on.gate)) === 'EdDSA')
    expect(await statesOf(on.gate)).toEqual(['retiring', 'active'])
  })

  test('are sealed anew under a new version of the master secret, which the old one may then leave', async () => {
    const on = await openOwnGate(engine)
    const { accessToken } = await on.gate.sessions.start(7)
    const changed = await on.another({ secret: `2:${SECRET}-of-the-next-year,1:${SECRET}` })
    await until('the sealing', async () => {
      const rows = await on.direct.kysely.selectFrom('gatebook_signing_key').select('secret_version').execute()
      return rows.every((row) => row.secret_version === 2)
    })
    await changed.tokens.verify(accessToken)
    await changed.tokens.verify((await changed.sessions.start(7)).accessToken)
  })
})

test('there is nothing to rotate where the secret is shared', async () => {
  const on = await openOwnGate(findEngine('sqlite')!, { signingAlgorithm: 'HS256', hs256Secret: SECRET })
  expect(await codeOf(on.gate.keys.rotate())).toBe('ERR_KEY_SHARED')
  expect(await on.gate.keys.list()).toEqual([])
})

test('admins look at keys, rotate and revoke them over HTTP', async () => {
  const on = await openOwnGate(findEngine('sqlite')!, { adminPath: '/admin' })
  await on.gate.users.create({ identifier: 'root@app.example', password: PASSWORD, roles: ['admin'] })
  const admin = { identifier: 'root@app.example', password: PASSWORD }
  const { accessToken: token } = await on.gate.login(admin)
  const { json } = await call(on.gate, 'GET /admin/api/keys', { token })
  expect(json.items).toMatchObject([{ state: 'active', algorithm: 'ES256', ended_at: null }])
  const rotated = await call(on.gate, 'POST /admin/api/keys/rotate', { token })
  expect([rotated.status, rotated.json.state]).toEqual([201, 'pending'])
  const { id } = json.items[0]
  expect((await call(on.gate, `POST /admin/api/keys/${id}/revoke`, { token })).status).toBe(204)
  // It was the one that had signed this very token.
  expect((await call(on.gate, 'GET /admin/api/keys', { token })).json.code).toBe('ERR_TOKEN_INVALID')
  const { accessToken: fresh } = await on.gate.login(admin)
  for (const unknown of ['key_x', '%00', '..']) {
    const { status } = await call(on.gate, `POST /admin/api/keys/${unknown}/revoke`, { token: fresh })
    expect(status).toBe(404)
  }
})
