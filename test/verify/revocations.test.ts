import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { toNodeHandler } from '../../src/adapters/node.ts'
import { createVerifier, type RevocationOptions, type Verifier } from '../../src/verify/index.ts'
import { type Listening, listen } from '../adapters/listener.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openOwnGate, type TestGate, until } from '../support/gate.ts'

interface Elsewhere {
  readonly on: TestGate
  readonly server: Listening
  readonly credentials: Pick<RevocationOptions, 'clientId' | 'clientSecret'>
  open(more?: Partial<RevocationOptions>): Verifier
}

/** A Gatebook behind a socket, and verifiers that know only its address and their secret. */
async function openElsewhere(engine: (typeof availableEngines)[number], port = 0): Promise<Elsewhere> {
  const on = await openOwnGate(engine)
  const server = await listen(toNodeHandler(on.gate), port)
  onTestFinished(() => server.close())
  const { id, secret } = await on.gate.clients.create({ name: 'reports' })
  const credentials = { clientId: id, clientSecret: secret }
  const open = (more: Partial<RevocationOptions> = {}) => {
    const verifier = createVerifier({
      issuer: on.gate.issuer,
      jwksUrl: `${server.url}/.well-known/jwks.json`,
      revocations: { url: `${server.url}/auth/revocations`, ...credentials, ...more },
      now: () => on.clock.now(),
    })
    onTestFinished(() => verifier.close())
    return verifier
  }
  return { on, server, credentials, open }
}

describe.each(availableEngines)('a verifier elsewhere on $name', (engine) => {
  test('refuses the tokens of a session that has ended, and says why; other sessions are not touched', async () => {
    const { on, open } = await openElsewhere(engine)
    const verifier = open()
    const anna = on.person()
    const [first, second] = [await on.gate.register(anna, anna.context), await on.gate.login(anna, anna.context)]
    expect(await verifier.verify(first.accessToken)).toMatchObject({ sessionId: first.sessionId })
    await on.gate.logout({ accessToken: first.accessToken })
    await until('the feed', async () => (await codeOf(verifier.verify(first.accessToken))) === 'ERR_TOKEN_REVOKED')
    await expect(verifier.verify(first.accessToken)).rejects.toMatchObject({ members: { end_reason: 'logout' } })
    expect(await verifier.verify(second.accessToken)).toMatchObject({ sessionId: second.sessionId })
  })

  test('refuses tokens of before a change of roles, and takes those of after it', async () => {
    const { on, open } = await openElsewhere(engine)
    const verifier = open()
    const anna = on.person()
    const { accessToken, refreshToken, userId } = await on.gate.register(anna, anna.context)
    await verifier.verify(accessToken)
    await on.gate.users.grantRole(userId, 'editor')
    await until('the feed', async () => (await codeOf(verifier.verify(accessToken))) === 'ERR_TOKEN_STALE')
    const fresh = await on.gate.refresh(refreshToken)
    expect(await verifier.verify(fresh.accessToken)).toMatchObject({ roles: ['editor'] })
  })

  test('knows after its start what had ended before', async () => {
    const { on, open } = await openElsewhere(engine)
    const anna = on.person()
    const { accessToken } = await on.gate.register(anna, anna.context)
    await on.gate.logout({ accessToken })
    expect(await codeOf(open().verify(accessToken))).toBe('ERR_TOKEN_REVOKED')
  })
})

describe('a verifier elsewhere', () => {
  const engine = availableEngines.find(({ name }) => name === 'sqlite')!

  test('that cannot show who it is refuses everything, or nothing, as it was told; and says so', async () => {
    const { on, open } = await openElsewhere(engine)
    const anna = on.person()
    const { accessToken } = await on.gate.register(anna, anna.context)
    const errors: unknown[] = []
    const wrong = { clientSecret: `gbk_${'A'.repeat(43)}`, onError: (error: unknown) => void errors.push(error) }
    const closed = open(wrong)
    expect(await codeOf(closed.verify(accessToken))).toBe('ERR_REVOCATIONS_UNAVAILABLE')
    expect(errors[0]).toMatchObject({ code: 'ERR_REVOCATIONS_UNAVAILABLE', detail: 'the issuer answered 401' })
    expect(await codeOf(open({ ...wrong, failMode: 'open' }).verify(accessToken))).toBe('no error')
    const refused = (await on.events()).filter(({ type }) => type === 'client.refused')
    expect(refused.length).toBeGreaterThanOrEqual(2)
    for (const { reason, outcome } of refused) expect([outcome, reason]).toEqual(['denied', 'wrong-secret'])
  })

  test('that loses the issuer goes on with what it knows, and catches up when it is back', async () => {
    const { on, server, open } = await openElsewhere(engine)
    const verifier = open({ waitSeconds: 1 })
    const anna = on.person()
    const { accessToken } = await on.gate.register(anna, anna.context)
    await verifier.ready()
    await verifier.verify(accessToken)
    await server.close()
    await on.gate.logout({ accessToken })
    expect(await codeOf(verifier.verify(accessToken))).toBe('no error')
    const again = await listen(toNodeHandler(on.gate), Number(new URL(server.url).port))
    onTestFinished(() => again.close())
    await until('the feed', async () => (await codeOf(verifier.verify(accessToken))) === 'ERR_TOKEN_REVOKED', 20_000)
  })

  test('that has not heard of the issuer for too long closes, or stays open', { timeout: 60_000 }, async () => {
    const { on, server, open } = await openElsewhere(engine)
    const [closed, still] = [
      open({ waitSeconds: 0, maxStaleSeconds: 15 }),
      open({ waitSeconds: 0, maxStaleSeconds: 15, failMode: 'open' }),
    ]
    const anna = on.person()
    const { accessToken } = await on.gate.register(anna, anna.context)
    await Promise.all([closed.ready(), still.ready()])
    await Promise.all([closed.verify(accessToken), still.verify(accessToken)])
    await server.close()
    const refusal = async () => (await codeOf(closed.verify(accessToken))) === 'ERR_REVOCATIONS_UNAVAILABLE'
    await until('the end of its patience', refusal, 30_000)
    expect(closed.revocationState()!.staleSeconds).toBeGreaterThanOrEqual(15)
    expect(await codeOf(still.verify(accessToken))).toBe('no error')
    const again = await listen(toNodeHandler(on.gate), Number(new URL(server.url).port))
    onTestFinished(() => again.close())
    await until('the feed', async () => !(await refusal()), 20_000)
  })

  test.each([
    ['no JSON', 'x'],
    ['no feed', '{"keys":[]}'],
    ['an entry without a session', '{"entries":[{"kind":"ended","gen":0,"forget_at":1}],"next":"1","more":false}'],
    ['more than a megabyte', `{"entries":[],"next":"${'1'.repeat(1_100_000)}","more":false}`],
    ['a member twice', '{"entries":[],"next":"1","next":"2","more":false}'],
  ])('takes %s for no answer', async (_, body) => {
    const { on, server } = await openElsewhere(engine)
    const broken = await listen(
      (_request, response) => void response.setHeader('Content-Type', 'application/json').end(body),
    )
    onTestFinished(() => broken.close())
    const errors: unknown[] = []
    const verifier = createVerifier({
      issuer: on.gate.issuer,
      jwksUrl: `${server.url}/.well-known/jwks.json`,
      revocations: {
        url: `${broken.url}/auth/revocations`,
        clientId: 'x',
        clientSecret: 'y',
        onError: (error) => void errors.push(error),
      },
      now: () => on.clock.now(),
    })
    onTestFinished(() => verifier.close())
    const { accessToken } = await on.gate.register(on.person())
    expect(await codeOf(verifier.verify(accessToken))).toBe('ERR_REVOCATIONS_UNAVAILABLE')
    expect(errors.length).toBeGreaterThanOrEqual(1)
  })

  test("starts again when its place is nobody's any more, and forgets nothing meanwhile", async () => {
    const { on, open } = await openElsewhere(engine)
    const verifier = open({ waitSeconds: 0 })
    const [first, second] = [await on.gate.register(on.person()), await on.gate.register(on.person())]
    await on.gate.logout({ accessToken: first.accessToken })
    await until('the feed', async () => (await codeOf(verifier.verify(first.accessToken))) === 'ERR_TOKEN_REVOKED')
    // Its numbers begin again, as after a backup that was brought back.
    await on.direct.kysely.deleteFrom('gatebook_revocation').execute()
    await on.another()
    await on.gate.logout({ accessToken: second.accessToken })
    await until('the feed', async () => (await codeOf(verifier.verify(second.accessToken))) === 'ERR_TOKEN_REVOKED')
    expect(await codeOf(verifier.verify(first.accessToken))).toBe('ERR_TOKEN_REVOKED')
  })

  test('never carries its secret to where a redirect leads', async () => {
    const { on, server } = await openElsewhere(engine)
    const headers: (string | undefined)[] = []
    const other = await listen((request, response) => {
      headers.push(request.headers.authorization)
      response.end('{}')
    })
    const redirecting = await listen(
      (_request, response) => void response.writeHead(307, { Location: other.url }).end(),
    )
    onTestFinished(async () => {
      await other.close()
      await redirecting.close()
    })
    const verifier = createVerifier({
      issuer: on.gate.issuer,
      jwksUrl: `${server.url}/.well-known/jwks.json`,
      revocations: { url: redirecting.url, clientId: 'x', clientSecret: 'y' },
    })
    onTestFinished(() => verifier.close())
    expect(await codeOf(verifier.ready())).toBe('ERR_REVOCATIONS_UNAVAILABLE')
    expect(headers).toEqual([])
  }, 20_000)

  test('asks no more when it is closed', async () => {
    const { on } = await openElsewhere(engine)
    let asked = 0
    const counting = await listen((_request, response) => {
      asked += 1
      response.end('{"entries":[],"next":"1","more":false}')
    })
    onTestFinished(() => counting.close())
    const verifier = createVerifier({
      issuer: on.gate.issuer,
      revocations: { url: counting.url, clientId: 'x', clientSecret: 'y', waitSeconds: 0 },
    })
    await until('two questions', async () => asked >= 2)
    verifier.close()
    await sleep(300)
    const before = asked
    await sleep(500)
    expect(asked).toBe(before)
  })

  test.each([
    ['clientId', { clientId: '' }],
    ['clientSecret', { clientSecret: 7 }],
    ['url', { url: 'http://app.example/auth/revocations' }],
    ['url', { url: 'no url' }],
    ['failMode', { failMode: 'perhaps' }],
    ['waitSeconds', { waitSeconds: 31 }],
    ['maxStaleSeconds', { maxStaleSeconds: 5 }],
    ['maxStaleSeconds', { waitSeconds: 30, maxStaleSeconds: 60 }],
  ])('is not made with a bad %s', (name, bad) => {
    const revocations = { clientId: 'x', clientSecret: 'y', ...bad } as RevocationOptions
    const detail = expect.stringContaining(`revocations.${name}`)
    expect(() => createVerifier({ issuer: 'https://app.example', revocations })).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION_INVALID', detail }),
    )
  })
})
