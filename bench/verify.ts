/** `gate.tokens.verify` against the bare signature check of node:crypto, and against two JWT libraries. See README.md. */
import {
  createHmac,
  createPublicKey,
  type JsonWebKey,
  randomBytes,
  timingSafeEqual,
  verify as verifySignature,
} from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import { createGatebook } from '../src/gatebook.ts'
import { sqlite } from '../src/store/dialects/sqlite.ts'
import { median } from './statistics.ts'

type Algorithm = 'ES256' | 'EdDSA' | 'RS256' | 'HS256'
const ALGORITHMS: readonly Algorithm[] = ['ES256', 'EdDSA', 'RS256', 'HS256']
const ISSUER = 'http://localhost'
const SHARED = randomBytes(32).toString('base64')
const ROUNDS = 9
const ROUND_MILLISECONDS = 150

type Check = () => unknown

interface Contestants {
  readonly gatebook: Check
  readonly bare: Check
  readonly jose: Check
  /** Null: the library does not know the algorithm. */
  readonly jsonwebtoken: Check | null
}

async function prepare(algorithm: Algorithm): Promise<{ contestants: Contestants; close(): Promise<void> }> {
  const gate = await createGatebook({
    issuer: ISSUER,
    secret: randomBytes(32).toString('base64'),
    database: sqlite(':memory:'),
    signingAlgorithm: algorithm,
    ...(algorithm === 'HS256' && { hs256Secret: SHARED }),
    argon2MemoryKib: 7168,
    argon2Iterations: 1,
  })
  const { accessToken } = await gate.register({ identifier: 'ada', password: 'a passphrase of the benchmark' })
  const jwks = gate.tokens.jwks() as unknown as JSONWebKeySet
  const [header = '', payload = '', signature = ''] = accessToken.split('.')
  const input = Buffer.from(`${header}.${payload}`)
  const bytes = Buffer.from(signature, 'base64url')
  const shared = Buffer.from(SHARED)
  const key = algorithm === 'HS256' ? null : createPublicKey({ key: jwks.keys[0] as JsonWebKey, format: 'jwk' })
  const joseKey = algorithm === 'HS256' ? null : createLocalJWKSet(jwks)
  const claims = { issuer: ISSUER, audience: ISSUER }

  const bare: Record<Algorithm, Check> = {
    ES256: () => verifySignature('sha256', input, { key: key!, dsaEncoding: 'ieee-p1363' }, bytes),
    EdDSA: () => verifySignature(null, input, key!, bytes),
    RS256: () => verifySignature('sha256', input, key!, bytes),
    HS256: () => timingSafeEqual(createHmac('sha256', shared).update(input).digest(), bytes),
  }
  if (bare[algorithm]() !== true) throw new Error(`the bare ${algorithm} check refuses a good token`)
  return {
    contestants: {
      gatebook: () => gate.tokens.verify(accessToken),
      bare: bare[algorithm],
      jose: () => (joseKey === null ? jwtVerify(accessToken, shared, claims) : jwtVerify(accessToken, joseKey, claims)),
      jsonwebtoken:
        algorithm === 'EdDSA'
          ? null
          : () => jsonwebtoken.verify(accessToken, key ?? SHARED, { ...claims, algorithms: [algorithm] }),
    },
    close: () => gate.close(),
  }
}

/** Checks a second, one after the other. */
async function rate(check: Check, milliseconds: number): Promise<number> {
  const begun = performance.now()
  let done = 0
  while (performance.now() - begun < milliseconds) {
    for (let turn = 0; turn < 20; turn++) await check()
    done += 20
  }
  return (done * 1000) / (performance.now() - begun)
}

async function main(): Promise<void> {
  console.log('| algorithm | gate.tokens.verify, 1/s | node:crypto, 1/s | ratio | jose, ratio | jsonwebtoken, ratio |')
  console.log('| --- | --- | --- | --- | --- | --- |')
  for (const algorithm of ALGORITHMS) {
    const { contestants, close } = await prepare(algorithm)
    const entries = Object.entries(contestants).filter((entry): entry is [string, Check] => entry[1] !== null)
    const rates: Record<string, number[]> = Object.fromEntries(entries.map(([name]) => [name, []]))
    for (let round = -1; round < ROUNDS; round++) {
      for (const [name, check] of entries) {
        const measured = await rate(check, ROUND_MILLISECONDS)
        // The first round warms up.
        if (round >= 0) rates[name]!.push(measured)
      }
    }
    await close()
    const ratio = (name: string): string =>
      rates[name] === undefined
        ? '–'
        : median(rates[name].map((value, round) => value / rates.bare![round]!)).toFixed(2)
    const [own, bare] = [median(rates.gatebook!), median(rates.bare!)].map((value) => Math.round(value))
    console.log(
      `| ${algorithm} | ${own} | ${bare} | **${ratio('gatebook')}** | ${ratio('jose')} | ${ratio('jsonwebtoken')} |`,
    )
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
