import { describe, expect, test } from 'vitest'
import { createVerifier, importSharedKey, importVerificationKey } from '../../src/verify/index.ts'
import { ALGORITHM_NAMES, claimsAt, createIssuer, ISSUER, type Issuer } from './issuer.ts'

const algorithms = ALGORITHM_NAMES
const verifierOf = (issuer: Issuer, more = {}) =>
  createVerifier({ issuer: ISSUER, keys: [issuer.key], algorithms, ...more })

describe.each(algorithms)('an access token with %s', (algorithm) => {
  const issuer = createIssuer(algorithm)

  test('is read', async () => {
    const claims = claimsAt(Date.now())
    expect(await verifierOf(issuer).verify(issuer.token())).toMatchObject({
      userId: claims.sub,
      sessionId: claims.sid,
      roles: ['reader'],
      claims: { plan: 'gold' },
      tokenId: claims.jti,
      clientId: 'gatebook',
      expiresAt: Number(claims.exp) * 1000,
    })
  })

  test('is refused with a name of a key that is another algorithm’s', async () => {
    for (const other of algorithms.filter((name) => name !== algorithm)) {
      const verifier = createVerifier({ issuer: ISSUER, keys: [createIssuer(other, issuer.kid).key], algorithms })
      await expect(verifier.verify(issuer.token())).rejects.toMatchObject({ code: 'ERR_TOKEN_INVALID' })
      await expect(verifier.verify(issuer.token({}, { alg: other }))).rejects.toMatchObject({
        code: 'ERR_TOKEN_INVALID',
      })
    }
  })
})

/** The rows of the attack table, with what this verifier says. The signature is right in all of them. */
describe('a signed token', () => {
  const issuer = createIssuer('ES256')
  const now = Math.floor(Date.now() / 1000)
  const raw = (change: (text: string) => string, header: unknown = undefined) =>
    issuer.sign(
      header ?? { alg: 'ES256', typ: 'at+jwt', kid: issuer.kid },
      change(JSON.stringify(claimsAt(Date.now()))),
    )
  const flip = (token: string) => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    return token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1)!) ^ 1]
  }

  test.each<readonly [string, () => string]>([
    ...[String(now + 60), null, [now], {}, true, now + 0.5, 2 ** 53, 1e300].map(
      (exp) => [`with exp ${JSON.stringify(exp)}`, () => issuer.token({ exp })] as const,
    ),
    ['with exp 1e400', () => raw((text) => text.replace(/"exp":\d+/, '"exp":1e400'))],
    ['without exp', () => issuer.token({ exp: undefined })],
    ['with a life that is too long', () => issuer.token({ exp: now + 100_000 })],
    ['with exp twice', () => raw((text) => text.replace('{', `{"exp":${now + 60},`))],
    ['with sub twice', () => raw((text) => text.replace('{', '{"sub":"usr_x",'))],
    ['with alg twice', () => raw((text) => text, `{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"${issuer.kid}"}`)],
    ['issued in the future', () => issuer.token({ iat: now + 120, exp: now + 600 })],
    ['with iat as text', () => issuer.token({ iat: String(now) })],
    ['not valid yet', () => issuer.token({ nbf: now + 120 })],
    ['with nbf as text', () => issuer.token({ nbf: 'now' })],
    ['with sub as a number', () => issuer.token({ sub: 42 })],
    ['with jti as an object', () => issuer.token({ jti: {} })],
    ['without aud', () => issuer.token({ aud: undefined })],
    ['with aud in an array', () => issuer.token({ aud: [[ISSUER]] })],
    ['with iss in an array', () => issuer.token({ iss: [ISSUER] })],
    ['of another issuer', () => issuer.token({ iss: `${ISSUER}/` })],
    ['for another audience', () => issuer.token({ aud: 'https://other.example' })],
    ['without typ', () => issuer.token({}, { typ: undefined })],
    ['with typ JWT', () => issuer.token({}, { typ: 'JWT' })],
    ['with crit', () => issuer.token({}, { crit: ['exp'] })],
    ['with an empty crit', () => issuer.token({}, { crit: [] })],
    ['with crit b64', () => issuer.token({}, { crit: ['b64'], b64: true })],
    ['with b64', () => issuer.token({}, { b64: false })],
    ['with alg none', () => issuer.token({}, { alg: 'none' })],
    ['with alg in small letters', () => issuer.token({}, { alg: 'es256' })],
    ['with kid as an object', () => issuer.token({}, { kid: {} })],
    ['with SQL for kid', () => issuer.token({}, { kid: "' OR 1=1" })],
    ['with a path for kid', () => issuer.token({}, { kid: '../../../dev/null' })],
    ['with a long kid', () => issuer.token({}, { kid: 'k'.repeat(129) })],
    ['without kid', () => issuer.token({}, { kid: undefined })],
    ...['jku', 'x5u', 'jwk', 'x5c', 'x5t', 'zip', 'enc', '__proto__'].map(
      (name) =>
        [
          `with ${name}`,
          () => raw((text) => text, `{"${name}":"x","alg":"ES256","typ":"at+jwt","kid":"${issuer.kid}"}`),
        ] as const,
    ),
    ...['[]', '"text"', 'null', '1', 'not JSON', ''].map(
      (payload) => [`with the payload ${payload}`, () => raw(() => payload)] as const,
    ),
    ['with a BOM', () => raw((text) => `\ufeff${text}`)],
    [
      'that is not UTF-8',
      () => issuer.sign({ alg: 'ES256', typ: 'at+jwt', kid: issuer.kid }, Buffer.from('{"a":"\xff"}', 'latin1')),
    ],
    ['bound to a key of the client', () => issuer.token({ cnf: { jkt: 'x' } })],
    ['of five megabytes', () => issuer.token({ much: 'x'.repeat(5_000_000) })],
    ['with =', () => `${issuer.token()}=`],
    ['with a line break', () => `${issuer.token()}\n`],
    ['with a space in front', () => ` ${issuer.token()}`],
    ['with other bits behind its signature', () => flip(issuer.token())],
    ['in four parts', () => `${issuer.token()}.x`],
    ['in the other alphabet', () => `${issuer.token()}+/`],
    ['that is empty', () => ''],
    ['that is no text', () => 42 as never],
  ])('%s is refused', async (_name, build) => {
    const token = build()
    const error = await verifierOf(issuer)
      .verify(token)
      .catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'ERR_TOKEN_INVALID', status: 401 })
    if (typeof token === 'string' && token !== '') {
      for (const part of token.split('.').filter((part) => part.length > 8)) {
        expect(error.message + error.detail + error.stack).not.toContain(part.slice(0, 200))
      }
    }
  })

  test('is accepted with typ in capitals and as a whole media type', async () => {
    for (const typ of ['AT+JWT', 'application/at+jwt']) {
      expect(await verifierOf(issuer).verify(issuer.token({}, { typ }))).toMatchObject({ clientId: 'gatebook' })
    }
  })

  test('has claims without a prototype, which nobody can change', async () => {
    const token = raw((text) => text.replace('{', '{"__proto__":{"admin":true},"deep":{"list":[1]},'))
    const { claims, roles } = await verifierOf(issuer).verify(token)
    expect(Object.getPrototypeOf(claims)).toBeNull()
    expect((claims as { admin?: unknown }).admin).toBeUndefined()
    expect(Object.isFrozen(claims.deep) && Object.isFrozen((claims.deep as { list: unknown }).list)).toBe(true)
    expect(Object.isFrozen(roles)).toBe(true)
  })

  test('expires, with as much patience as was asked for, also when it has been verified before', async () => {
    let at = Date.now()
    const verifier = verifierOf(issuer, { clockSkewSeconds: 5, now: () => at })
    const token = issuer.token()
    await verifier.verify(token)
    at += 604_000
    await verifier.verify(token)
    at += 2000
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'ERR_TOKEN_EXPIRED' })
    await expect(verifier.verify(issuer.token({ jti: 'tok_2' }))).rejects.toMatchObject({ code: 'ERR_TOKEN_EXPIRED' })
  })
})

test('a token is found again by all of itself, and by nothing less', async () => {
  const issuer = createIssuer('ES256')
  const verifier = verifierOf(issuer, { verifiedTokens: 2 })
  const tokens = Array.from({ length: 12 }, (_, at) => issuer.token({ sub: `user-${at}` }))
  for (let turn = 0; turn < 3; turn++) {
    for (const [at, token] of tokens.entries()) expect((await verifier.verify(token)).userId).toBe(`user-${at}`)
  }
  const [head, payload] = tokens[0]!.split('.')
  const [, , signature] = tokens[1]!.split('.')
  await expect(verifier.verify(`${head}.${payload}.${signature}`)).rejects.toMatchObject({ code: 'ERR_TOKEN_INVALID' })
})

test.each<readonly [string, object]>([
  ['private', { ...createIssuer('ES256').jwk, d: 'AAAA' }],
  ['of a kind that is not known', { kty: 'EC', crv: 'secp256k1', alg: 'ES256K', x: 'A', y: 'A' }],
  ['without an algorithm', { ...createIssuer('ES256').jwk, alg: undefined }],
  ['for encryption', { ...createIssuer('ES256').jwk, use: 'enc' }],
  ['for another curve', { ...createIssuer('ES256').jwk, alg: 'ES384' }],
  ['RSA for HS256', { ...createIssuer('RS256').jwk, alg: 'HS256' }],
  ['not on its curve', { ...createIssuer('ES256').jwk, x: Buffer.alloc(32, 1).toString('base64url') }],
  ['a short secret', { kty: 'oct', alg: 'HS256', k: 'c2hvcnQ' }],
  ['an empty secret', { kty: 'oct', alg: 'HS256', k: '' }],
])('a key that is %s is refused', (_name, jwk) => {
  expect(() => importVerificationKey(jwk)).toThrow(expect.objectContaining({ code: 'ERR_KEY_INVALID' }))
})

test.each<readonly [string, object]>([
  ['no issuer', { issuer: '' }],
  ['an http URL of another machine', { jwksUrl: 'http://app.example/jwks.json' }],
  ['something that is no URL', { jwksUrl: 'nowhere' }],
  ['keys and a URL', { keys: [], jwksUrl: 'https://app.example/jwks.json' }],
  ['too much patience', { clockSkewSeconds: 61 }],
  ['no life', { maxLifetimeSeconds: 0 }],
])('a verifier with %s is refused', (_name, options) => {
  expect(() => createVerifier({ issuer: ISSUER, ...options })).toThrow(
    expect.objectContaining({ code: 'ERR_OPTION_INVALID' }),
  )
})

test('HS256 is one trust domain: a shared key, 32 bytes at least', async () => {
  expect(() => importSharedKey('short')).toThrow(expect.objectContaining({ code: 'ERR_KEY_INVALID' }))
  const issuer = createIssuer('HS256')
  // Not unless it was asked for.
  await expect(createVerifier({ issuer: ISSUER, keys: [issuer.key] }).verify(issuer.token())).rejects.toMatchObject({
    code: 'ERR_TOKEN_INVALID',
  })
})
