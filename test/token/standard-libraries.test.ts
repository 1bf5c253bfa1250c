import { execFile, spawnSync } from 'node:child_process'
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SessionTokens } from '../../src/api.ts'
import type { AlgorithmName } from '../../src/token/algorithms.ts'
import { findEngine } from '../support/engines.ts'
import { createFakeClock, ISSUER, openGate, type TestGate } from '../support/gate.ts'

const SHARED_SECRET = 'a secret of more than thirty-two bytes for HS256'
const PYTHON = '/usr/bin/python3'

const hasPyJwt = spawnSync(PYTHON, ['-c', 'import jwt, cryptography']).status === 0
// In CI a verifier that is not there is a failure and not a reason to skip.
const skipPython = !hasPyJwt && process.env.CI !== 'true'

/** Verifies like a service in Python does: through the JWKS, or with the shared secret. */
const PYTHON_VERIFIER = `
import json, sys, jwt
given = json.load(sys.stdin)
options = {"require": ["exp", "iat", "iss", "aud", "sub"]}
if given["secret"]:
    key = given["secret"]
else:
    key = jwt.PyJWKClient(given["jwks"]).get_signing_key_from_jwt(given["token"]).key
claims = jwt.decode(given["token"], key, algorithms=[given["algorithm"]], audience=given["issuer"], issuer=given["issuer"], options=options)
print(json.dumps(claims))
`

describe.each<AlgorithmName>(['ES256', 'EdDSA', 'RS256', 'HS256'])('an access token signed with %s', (algorithm) => {
  let on: TestGate
  let tokens: SessionTokens
  let jwksUrl: string
  const server = createServer((_request, response) => {
    response.setHeader('Content-Type', 'application/jwk-set+json').end(JSON.stringify(on.gate.tokens.jwks()))
  })

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/.well-known/jwks.json`
    on = await openGate(findEngine('sqlite')!, {
      signingAlgorithm: algorithm,
      clock: createFakeClock(Date.now()),
      ...(algorithm === 'HS256' && { hs256Secret: SHARED_SECRET }),
    })
    tokens = await on.gate.sessions.start(42, { roles: ['editor'], claims: { plan: 'gold' } })
  })
  afterAll(async () => {
    await on.close()
    await new Promise((resolve) => server.close(resolve))
  })

  const told = () => ({
    iss: ISSUER,
    aud: ISSUER,
    sub: '42',
    sid: tokens.sessionId,
    client_id: 'gatebook',
    roles: ['editor'],
    plan: 'gold',
  })

  test('says which key and what kind of token it is', () => {
    const { kid, ...header } = decodeProtectedHeader(tokens.accessToken)
    expect(header).toEqual({ alg: algorithm, typ: 'at+jwt' })
    expect(kid).toMatch(algorithm === 'HS256' ? /^hs256-/ : /^key_/)
  })

  test('is accepted by jose', async () => {
    const options = { issuer: ISSUER, audience: ISSUER, typ: 'at+jwt', algorithms: [algorithm] }
    const { payload } =
      algorithm === 'HS256'
        ? await jwtVerify(tokens.accessToken, new TextEncoder().encode(SHARED_SECRET), options)
        : await jwtVerify(tokens.accessToken, createRemoteJWKSet(new URL(jwksUrl)), options)
    expect(payload).toMatchObject(told())
    expect(payload.exp! - payload.iat!).toBe(600)
  })

  // jsonwebtoken knows no EdDSA.
  test.skipIf(algorithm === 'EdDSA')('is accepted by jsonwebtoken', async () => {
    const key =
      algorithm === 'HS256'
        ? SHARED_SECRET
        : createPublicKey({ key: on.gate.tokens.jwks().keys[0] as JsonWebKey, format: 'jwk' })
    const options = { issuer: ISSUER, audience: ISSUER, algorithms: [algorithm as 'ES256'] }
    expect(jsonwebtoken.verify(tokens.accessToken, key, options)).toMatchObject(told())
  })

  test.skipIf(algorithm === 'HS256')('passes the check of RFC 9068 in oauth4webapi', async () => {
    const server: oauth.AuthorizationServer = { issuer: ISSUER, jwks_uri: jwksUrl }
    const request = new Request('https://api.example/', { headers: { Authorization: `Bearer ${tokens.accessToken}` } })
    const claims = await oauth.validateJwtAccessToken(server, request, ISSUER, {
      [oauth.allowInsecureRequests]: true,
      signingAlgorithms: [algorithm],
    } as never)
    expect(claims).toMatchObject(told())
  })

  test.skipIf(skipPython)(
    `is accepted by PyJWT${hasPyJwt ? '' : ` (needs ${PYTHON} with PyJWT and cryptography)`}`,
    async () => {
      const run = promisify(execFile)(PYTHON, ['-c', PYTHON_VERIFIER])
      run.child.stdin!.end(
        JSON.stringify({
          token: tokens.accessToken,
          jwks: jwksUrl,
          issuer: ISSUER,
          algorithm,
          secret: algorithm === 'HS256' ? SHARED_SECRET : null,
        }),
      )
      expect(JSON.parse((await run).stdout)).toMatchObject(told())
    },
  )

  test('is accepted by ourselves, and its key is published without the private part', async () => {
    expect(await on.gate.tokens.verify(tokens.accessToken)).toMatchObject({ userId: '42', claims: { plan: 'gold' } })
    const { keys } = on.gate.tokens.jwks()
    if (algorithm === 'HS256') return expect(keys).toEqual([])
    expect(keys).toHaveLength(1)
    expect(keys[0]).toMatchObject({ alg: algorithm, use: 'sig', kid: decodeProtectedHeader(tokens.accessToken).kid })
    for (const part of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) expect(keys[0]).not.toHaveProperty(part)
    if (algorithm === 'RS256') expect(Buffer.from(String(keys[0]!.n), 'base64url')).toHaveLength(384)
  })
})

test('a change of the algorithm keeps tokens of the old one valid, and both keys published', async () => {
  const on = await openGate(findEngine('sqlite')!, { signingAlgorithm: 'ES256' })
  try {
    const { accessToken } = await on.gate.sessions.start(1)
    const other = await on.another({ signingAlgorithm: 'EdDSA' })
    expect((await other.tokens.verify(accessToken)).userId).toBe('1')
    expect(other.tokens.jwks().keys.map(({ alg }) => alg)).toEqual(expect.arrayContaining(['ES256', 'EdDSA']))
    const { accessToken: next } = await other.sessions.start(2)
    on.clock.advance(2000)
    // The process that was there before looks the new key up.
    expect((await on.gate.tokens.verify(next)).userId).toBe('2')
  } finally {
    await on.close()
  }
})
