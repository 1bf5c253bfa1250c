import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createVerifier, type VerifierOptions } from '../../src/verify/index.ts'
import { createIssuer, ISSUER } from './issuer.ts'

type Respond = (response: ServerResponse, request: IncomingMessage) => void

/** A real server for the key set, that can be told what to say and counts how often it was asked. */
async function serve(respond: Respond) {
  const state = { respond, asked: 0, at: Date.now() }
  const server = createServer((request, response) => {
    state.asked += 1
    state.respond(response, request)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`
  const open = (more: Partial<VerifierOptions> = {}) =>
    createVerifier({ issuer: ISSUER, jwksUrl, now: () => state.at, maxLifetimeSeconds: 86_400, ...more })
  return { state, open }
}

const keySet =
  (keys: readonly object[], headers: Record<string, string> = {}): Respond =>
  (response) =>
    response.writeHead(200, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify({ keys }))

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'no error',
    (error: { code?: string }) => error.code ?? String(error),
  )
const LONG = { exp: Math.floor(Date.now() / 1000) + 86_000 }

test('keys are fetched once, however many ask at once, and then kept for as long as the issuer says', async () => {
  const issuer = createIssuer('ES256')
  const { state, open } = await serve(keySet([issuer.jwk], { 'Cache-Control': 'public, max-age=300' }))
  const verifier = open({ verifiedTokens: 0 })
  const tokens = Array.from({ length: 20 }, (_, at) => issuer.token({ ...LONG, sub: `user-${at}` }))
  await Promise.all(tokens.map((token) => verifier.verify(token)))
  expect(state.asked).toBe(1)
  state.at += 299_000
  await verifier.verify(tokens[0]!)
  expect(state.asked).toBe(1)
  // Old keys go on while new ones are fetched.
  state.at += 2000
  await verifier.verify(tokens[0]!)
  await expect.poll(() => state.asked).toBe(2)
})

test('a key that nobody knows is asked for once in ten seconds, whoever makes up names', async () => {
  const [first, second] = [createIssuer('ES256'), createIssuer('EdDSA')]
  const { state, open } = await serve(keySet([first.jwk]))
  const verifier = open()
  await verifier.verify(first.token())
  state.at += 11_000
  const made = Array.from({ length: 100 }, () => createIssuer('ES256', `made-up-${Math.random()}`).token())
  for (const token of made) expect(await codeOf(verifier.verify(token))).toBe('ERR_TOKEN_INVALID')
  expect(state.asked).toBe(2)
  // The issuer has a new one.
  state.respond = keySet([first.jwk, second.jwk])
  expect(await codeOf(verifier.verify(second.token()))).toBe('ERR_TOKEN_INVALID')
  state.at += 10_000
  expect(await codeOf(verifier.verify(second.token()))).toBe('no error')
  expect(state.asked).toBe(3)
})

test('a key that is gone verifies nothing, also not what it has verified', async () => {
  const [first, second] = [createIssuer('ES256'), createIssuer('ES256')]
  const { state, open } = await serve(keySet([first.jwk, second.jwk]))
  const verifier = open()
  const token = first.token(LONG)
  await verifier.verify(token)
  state.respond = keySet([second.jwk])
  state.at += 601_000
  await verifier.verify(second.token(LONG))
  await expect.poll(() => codeOf(verifier.verify(token))).toBe('ERR_TOKEN_INVALID')
  // Nor does another key of the same name.
  state.respond = keySet([createIssuer('ES256', second.kid).jwk])
  state.at += 601_000
  await expect.poll(() => codeOf(verifier.verify(second.token(LONG)))).toBe('ERR_TOKEN_INVALID')
})

test('an issuer that does not answer is bridged for a day, and told where it is needed', async () => {
  const issuer = createIssuer('ES256')
  const { state, open } = await serve(keySet([issuer.jwk]))
  const verifier = open({ verifiedTokens: 0 })
  const token = issuer.token(LONG)
  await verifier.verify(token)
  state.respond = (response) => response.writeHead(500).end()
  state.at += 3 * 3_600_000
  await verifier.verify(token)
  await expect.poll(() => state.asked).toBe(2)
  state.at += 22 * 3_600_000
  expect(await codeOf(verifier.verify(token))).toBe('ERR_KEYS_UNAVAILABLE')
  const asked = state.asked
  expect(await codeOf(verifier.verify(token))).toBe('ERR_KEYS_UNAVAILABLE')
  expect(state.asked).toBe(asked)
})

test.each<readonly [string, Respond]>([
  ['an error', (response) => response.writeHead(503).end()],
  ['another place', (response) => response.writeHead(302, { Location: '/other' }).end()],
  ['no JSON', (response) => response.writeHead(200).end('<html>')],
  ['no key set', (response) => response.writeHead(200).end('[]')],
  ['null', (response) => response.writeHead(200).end('null')],
  ['two key sets', (response) => response.writeHead(200).end('{"keys":[],"keys":[]}')],
  ['more than can be meant', (response) => response.writeHead(200).end(`{"keys":["${'x'.repeat(70_000)}"]}`)],
  ['nothing, and hangs up', (response) => response.destroy()],
])('a JWKS URL that answers with %s is told as unavailable keys', async (_name, respond) => {
  const { open } = await serve(respond)
  expect(await codeOf(open().verify(createIssuer('ES256').token()))).toBe('ERR_KEYS_UNAVAILABLE')
})

test('what stands in a key set and cannot be used is left out', async () => {
  const issuer = createIssuer('ES256')
  const shared = createIssuer('HS256')
  const twin = createIssuer('ES256', 'twin')
  const { open } = await serve(
    keySet([
      null as never,
      {},
      { kty: 'RSA' },
      shared.jwk,
      { ...createIssuer('ES256').jwk, d: 'x' },
      twin.jwk,
      createIssuer('ES256', 'twin').jwk,
      issuer.jwk,
    ]),
  )
  const verifier = open({ algorithms: ['ES256', 'HS256'] })
  expect(await codeOf(verifier.verify(issuer.token()))).toBe('no error')
  // A secret that anybody can fetch, and a name for two keys.
  expect(await codeOf(verifier.verify(shared.token()))).toBe('ERR_TOKEN_INVALID')
  expect(await codeOf(verifier.verify(twin.token()))).toBe('ERR_TOKEN_INVALID')
})
