import { createHmac, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseMasterSecret } from '../../src/secret/master-secret.ts'
import { unseal } from '../../src/token/seal.ts'
import { findEngine } from '../support/engines.ts'
import { codeOf, ISSUER, openGate, SECRET, type TestGate } from '../support/gate.ts'

/** Tokens with the right signature and one thing that is wrong, made with the installation's own private key. */
describe('a token is refused', () => {
  let on: TestGate
  let key: KeyObject
  let kid: string
  let good: string
  let payload: Record<string, unknown>
  beforeAll(async () => {
    on = await openGate(findEngine('sqlite')!)
    const row = await on.direct.kysely.selectFrom('gatebook_signing_key').selectAll().executeTakeFirstOrThrow()
    kid = row.kid
    const sealingKey = parseMasterSecret(SECRET, 'secret').deriveCurrentKey('signing-key')
    key = createPrivateKey({ key: unseal(row.sealed_private_key, sealingKey, kid)!, format: 'der', type: 'pkcs8' })
    good = (await on.gate.sessions.start(42)).accessToken
    payload = JSON.parse(Buffer.from(good.split('.')[1]!, 'base64url').toString())
  })
  afterAll(() => on.close())

  const encode = (value: unknown) =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
  const signWith = (input: string, by: KeyObject) =>
    sign('sha256', Buffer.from(input), { key: by, dsaEncoding: 'ieee-p1363' }).toString('base64url')

  function make(header: unknown, claims: unknown, by = key): string {
    const input = `${encode(header)}.${encode(claims)}`
    return `${input}.${signWith(input, by)}`
  }

  const header = (change: Record<string, unknown> = {}) => ({ alg: 'ES256', typ: 'at+jwt', kid, ...change })
  const claims = (change: Record<string, unknown> = {}) => ({ ...payload, ...change })
  const without = (name: string) => {
    const { [name]: _gone, ...rest } = payload
    return rest
  }

  test('never, when nothing is wrong with it', async () => {
    expect(await codeOf(on.gate.tokens.verify(make(header(), payload)))).toBe('no error')
    expect(await codeOf(on.gate.tokens.verify(make(header({ typ: 'application/AT+JWT' }), payload)))).toBe('no error')
  })

  const cases: readonly (readonly [string, () => string])[] = [
    ['with the algorithm none', () => `${encode(header({ alg: 'none' }))}.${encode(payload)}.`],
    ['with the algorithm none and a signature', () => make(header({ alg: 'none' }), payload)],
    [
      'with HS256 under the public key',
      () => {
        const { keys } = on.gate.tokens.jwks()
        const input = `${encode(header({ alg: 'HS256' }))}.${encode(payload)}`
        return `${input}.${createHmac('sha256', JSON.stringify(keys[0])).update(input).digest('base64url')}`
      },
    ],
    ['with another algorithm of the same family', () => make(header({ alg: 'ES384' }), payload)],
    [
      'with a key of somebody else',
      () => make(header(), payload, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
    ],
    ['with the id of a key that there is not', () => make(header({ kid: 'key_01k00000000000000000000000' }), payload)],
    ['without the id of a key', () => make({ alg: 'ES256', typ: 'at+jwt' }, payload)],
    ['with a path for the id of a key', () => make(header({ kid: '../../etc/passwd' }), payload)],
    ['with SQL for the id of a key', () => make(header({ kid: "' OR '1'='1" }), payload)],
    ['with a number for the id of a key', () => make(header({ kid: 1 }), payload)],
    ['with an id of a key that is too long', () => make(header({ kid: 'k'.repeat(65) }), payload)],
    ['with a key of its own', () => make(header({ jwk: on.gate.tokens.jwks().keys[0] }), payload)],
    ['with the address of a key', () => make(header({ jku: 'https://evil.example/jwks.json' }), payload)],
    ['with critical extensions', () => make(header({ crit: ['b64'], b64: false }), payload)],
    ['that is compressed', () => make(header({ zip: 'DEF' }), payload)],
    ['of another type', () => make(header({ typ: 'JWT' }), payload)],
    ['of no type', () => make({ alg: 'ES256', kid }, payload)],
    [
      'with a DER signature',
      () => {
        const input = `${encode(header())}.${encode(payload)}`
        return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`
      },
    ],
    ['with an empty signature', () => `${good.slice(0, good.lastIndexOf('.') + 1)}`],
    [
      'with a signature of zeros',
      () => `${good.slice(0, good.lastIndexOf('.') + 1)}${Buffer.alloc(64).toString('base64url')}`,
    ],
    ['of another issuer', () => make(header(), claims({ iss: `${ISSUER}/` }))],
    ['for another audience', () => make(header(), claims({ aud: 'https://other.example' }))],
    ['for several audiences', () => make(header(), claims({ aud: [ISSUER] }))],
    ['with an expiry that is text', () => make(header(), claims({ exp: String(payload.exp) }))],
    ['with an expiry that is no whole number', () => make(header(), claims({ exp: Number(payload.exp) + 0.5 }))],
    ['with an expiry before its issue', () => make(header(), claims({ exp: Number(payload.iat) - 1 }))],
    ['with a lifetime that was extended', () => make(header(), claims({ exp: Number(payload.iat) + 100_000 }))],
    [
      'that was issued in the future',
      () => make(header(), claims({ iat: Number(payload.iat) + 120, exp: Number(payload.exp) + 120 })),
    ],
    ['with a subject that is no text', () => make(header(), claims({ sub: 42 }))],
    ['with an empty subject', () => make(header(), claims({ sub: '' }))],
    ['with a session that is none', () => make(header(), claims({ sid: 'ses_1' }))],
    ['with roles that are text', () => make(header(), claims({ roles: 'admin' }))],
    ['with roles that are numbers', () => make(header(), claims({ roles: [1] }))],
    ['with a negative generation', () => make(header(), claims({ gen: -1 }))],
    ['with a member twice', () => make(header(), `{"sub":"1",${JSON.stringify(payload).slice(1)}`)],
    ['with a member of the header twice', () => make(`{"alg":"none",${JSON.stringify(header()).slice(1)}`, payload)],
    ['with white space in its JSON', () => make(header(), JSON.stringify(payload, null, 1))],
    [
      'with an escaped spelling of a member',
      () => make(header(), JSON.stringify(payload).replace('"sub"', '"\\u0073ub"')),
    ],
    ['with an array for a payload', () => make(header(), [payload])],
    ['with null for a payload', () => make(header(), 'null')],
    [
      'with a payload that is not UTF-8',
      () => {
        const input = `${encode(header())}.${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}`
        return `${input}.${signWith(input, key)}`
      },
    ],
    ['with padding', () => `${good}=`],
    [
      'with the other alphabet of base64',
      () => good.replace(/[-_]/g, (found) => (found === '-' ? '+' : '/')).replace(/$/, '+'),
    ],
    ['with another spelling of the last byte of its signature', () => good.slice(0, -1) + respell(good.at(-1)!)],
    ['with four parts', () => `${good}.x`],
    ['with two parts', () => good.split('.').slice(0, 2).join('.')],
    ['with white space around it', () => ` ${good}`],
    ['with a line break behind it', () => `${good}\n`],
    ['that is empty', () => ''],
    ['of five megabytes', () => `${good}${'A'.repeat(5_000_000)}`],
    ['of five megabytes of dots', () => '.'.repeat(5_000_000)],
    ...['iss', 'aud', 'sub', 'sid', 'gen', 'exp', 'iat', 'auth_time', 'jti', 'client_id', 'roles'].map(
      (name) => [`without ${name}`, () => make(header(), without(name))] as const,
    ),
  ]

  /** The same bits in front, others in those that are not used. */
  function respell(character: string): string {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    return alphabet[alphabet.indexOf(character) ^ 1]!
  }

  test.each(cases)('%s', async (_name, build) => {
    const token = build()
    const error = await on.gate.tokens.verify(token).catch((thrown) => thrown)
    expect(error.code).toBe('ERR_TOKEN_INVALID')
    // What is wrong is told to the operator, without a piece of the token.
    expect(error.detail).toMatch(/^access token refused: [a-z_, A-Z]+$/)
  })

  test.each(['iss', 'aud', 'exp', 'sid'])('for logging out just the same, without %s', async (name) => {
    expect(await codeOf(on.gate.logout({ accessToken: make(header(), without(name)) }))).toBe('ERR_TOKEN_INVALID')
  })

  test('when it has expired, to the second', async () => {
    const { accessToken } = await on.gate.sessions.start(7)
    on.clock.advance(599_999)
    expect(await codeOf(on.gate.tokens.verify(accessToken))).toBe('no error')
    on.clock.advance(1)
    expect(await codeOf(on.gate.tokens.verify(accessToken))).toBe('ERR_TOKEN_EXPIRED')
  })
})
