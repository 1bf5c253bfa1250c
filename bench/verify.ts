/** `gatebook/verify` against the bare signature check of node:crypto, and against three JWT libraries. See README.md. */
import { createHmac, createPublicKey, type JsonWebKey, type KeyObject, timingSafeEqual, verify } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { createVerifier as createFastVerifier } from 'fast-jwt'
import { jwtVerify } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import { createVerifier } from '../src/verify/index.ts'
import { ALGORITHM_NAMES, type AlgorithmName, createIssuer, ISSUER, type Issuer } from '../test/verify/issuer.ts'
import { median } from './statistics.ts'

const ROUNDS = 9
const ROUND_MILLISECONDS = 150
const DISTINCT = 1000
const MEMORY_CHECKS = 10_000_000

type Check = (token: string) => unknown

/** What a library is asked for: the same claims of the same key. */
function contestantsOf(issuer: Issuer): Record<string, Check> {
  const { algorithm, jwk } = issuer
  const pem = pemOf(issuer)
  const options = { issuer: ISSUER, audience: ISSUER, algorithms: [algorithm as Exclude<AlgorithmName, 'EdDSA'>] }
  const ours = createVerifier({ ...options, keys: [issuer.key], verifiedTokens: 0 })
  const fast = createFastVerifier({
    key: pem,
    allowedIss: ISSUER,
    allowedAud: ISSUER,
    algorithms: [algorithm],
    cache: false,
  })
  return {
    gatebook: (token) => ours.verify(token),
    bare: bareCheck(algorithm, issuer.key.key),
    'fast-jwt': (token) => fast(token),
    jose: (token) => jwtVerify(token, issuer.key.key, { ...options, typ: 'at+jwt' }),
    ...(algorithm === 'EdDSA'
      ? {}
      : {
          jsonwebtoken: (token: string) =>
            jsonwebtoken.verify(token, jwk.k === undefined ? pem : Buffer.from(jwk.k, 'base64url'), options),
        }),
  }
}

function pemOf({ jwk }: Issuer): string | Buffer {
  if (jwk.k !== undefined) return Buffer.from(jwk.k, 'base64url')
  return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }).export({ format: 'pem', type: 'spki' })
}

/** The signature of a token that is split and decoded already. */
function bareCheck(algorithm: AlgorithmName, key: KeyObject): Check {
  const parts = new Map<string, readonly [input: Buffer, signature: Buffer]>()
  const split = (token: string) => {
    const at = token.lastIndexOf('.')
    const made = [Buffer.from(token.slice(0, at)), Buffer.from(token.slice(at + 1), 'base64url')] as const
    parts.set(token, made)
    return made
  }
  const checks: Record<AlgorithmName, (input: Buffer, signature: Buffer) => boolean> = {
    ES256: (input, signature) => verify('sha256', input, { key, dsaEncoding: 'ieee-p1363' }, signature),
    EdDSA: (input, signature) => verify(null, input, key, signature),
    RS256: (input, signature) => verify('sha256', input, key, signature),
    HS256: (input, signature) => timingSafeEqual(createHmac('sha256', key).update(input).digest(), signature),
  }
  return (token) => {
    const [input, signature] = parts.get(token) ?? split(token)
    if (!checks[algorithm](input, signature)) throw new Error('a good token was refused')
  }
}

/** Microseconds of one check, one after the other, `next` giving the token of each. */
async function time(check: Check, next: (at: number) => string): Promise<number> {
  const begun = performance.now()
  let done = 0
  while (performance.now() - begun < ROUND_MILLISECONDS) {
    for (let turn = 0; turn < 50; turn++) await check(next(done++))
  }
  return ((performance.now() - begun) * 1000) / done
}

/** Median over interleaved rounds, the first of which warms up; and the median of the ratios to `base` in the same round. */
async function compare(
  contestants: Record<string, Check>,
  next: (at: number) => string,
  base: string,
): Promise<Record<string, { readonly us: number; readonly ratio: number }>> {
  const names = Object.keys(contestants)
  const times: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = -1; round < ROUNDS; round++) {
    for (const name of names) {
      const us = await time(contestants[name]!, next)
      if (round >= 0) times[name]!.push(us)
    }
  }
  const ratios = (name: string) => times[name]!.map((us, round) => us / times[base]![round]!)
  return Object.fromEntries(names.map((name) => [name, { us: median(times[name]!), ratio: median(ratios(name)) }]))
}

function tokensOf(issuer: Issuer): string[] {
  return Array.from({ length: DISTINCT }, (_, at) => issuer.token({ sub: `usr_${String(at).padStart(26, '0')}` }))
}

async function uncached(): Promise<void> {
  console.log(
    '| algorithm | bare, µs | gatebook, µs | fast-jwt, µs | jsonwebtoken, µs | jose, µs | gatebook : fast-jwt |',
  )
  console.log('| --- | --- | --- | --- | --- | --- | --- |')
  for (const algorithm of ALGORITHM_NAMES) {
    const issuer = createIssuer(algorithm, undefined, 3072)
    const tokens = tokensOf(issuer)
    const found = await compare(contestantsOf(issuer), (at) => tokens[at % DISTINCT]!, 'fast-jwt')
    const us = (name: string) => found[name]?.us.toFixed(1) ?? '–'
    console.log(
      `| ${algorithm} | ${us('bare')} | ${us('gatebook')} | ${us('fast-jwt')} | ${us('jsonwebtoken')} | ${us('jose')} | **${found.gatebook!.ratio.toFixed(2)}** |`,
    )
  }
}

/** Each time another string with the same characters, as a server cuts it out of what it has received. */
async function cached(): Promise<void> {
  const issuer = createIssuer('ES256')
  const received = tokensOf(issuer).map((token) => Buffer.from(`Bearer ${token}`))
  const options = { issuer: ISSUER, audience: ISSUER, keys: [issuer.key] }
  const ours = createVerifier({ ...options, verifiedTokens: DISTINCT })
  const fast = createFastVerifier({ key: pemOf(issuer), allowedIss: ISSUER, allowedAud: ISSUER, cache: DISTINCT })
  const next = (at: number) => received[at % DISTINCT]!.toString('latin1', 7)
  const found = await compare(
    { string: (token) => token, gatebook: (token) => ours.verify(token), 'fast-jwt': (token) => fast(token) },
    next,
    'fast-jwt',
  )
  const net = (name: string) => (found[name]!.us - found.string!.us).toFixed(2)
  console.log(
    `\nVerified before, ${DISTINCT} distinct ES256 tokens, without the ${found.string!.us.toFixed(2)} µs that the string and the loop take:`,
  )
  console.log(`gatebook ${net('gatebook')} µs, fast-jwt ${net('fast-jwt')} µs.`)

  const memory = () => Math.round(process.memoryUsage().rss / 2 ** 20)
  const before = memory()
  for (let at = 0; at < MEMORY_CHECKS; at++) await ours.verify(next(at))
  console.log(
    `Memory over ${MEMORY_CHECKS.toLocaleString('en')} verifications: ${before} MiB before, ${memory()} MiB after.`,
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await uncached()
  await cached()
}
