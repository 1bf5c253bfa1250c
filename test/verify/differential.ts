import { jwtVerify } from 'jose'
import { createVerifier } from '../../src/verify/index.ts'
import { Lot } from '../hostile/values.ts'
import { ALGORITHM_NAMES, type AlgorithmName, claimsAt, createIssuer, ISSUER, type Issuer } from './issuer.ts'

export interface DifferentialReport {
  readonly tokens: number
  readonly accepted: number
  /** Both refused. */
  readonly refused: number
  /** Accepted here and refused by jose: must not be. */
  readonly looser: readonly string[]
  /** Refused here and accepted by jose, by our reason. */
  readonly stricter: ReadonlyMap<string, number>
}

/**
 * What `jose` accepts and we do not, with why. The reasons are those in the `detail` of the refusal; any other is a
 * difference that nobody has thought about.
 */
export const STRICTER: Readonly<Record<string, string>> = {
  form: 'other characters than those of the compact form, or longer than 8,192',
  'header encoding': 'bits behind the last byte, so that one token would have several spellings',
  'signature encoding': 'bits behind the last byte, so that one token would have several spellings',
  'payload encoding': 'bits behind the last byte, so that one token would have several spellings',
  'header JSON': 'a member twice',
  'header member': 'members that jose ignores (jku, jwk, x5c, zip, b64 …)',
  kid: 'no kid, no text, or other characters: it is looked at before any look-up',
  'unknown kid': 'jose was given one key, whatever its name',
  'payload JSON': 'a member twice, or JSON in another form than JSON.stringify writes',
  sub: 'RFC 9068 §2.2: needed, and a text',
  sid: 'needed, and an id of a session',
  jti: 'RFC 9068 §2.2: needed, and a text',
  client_id: 'RFC 9068 §2.2: needed',
  'iat, exp, auth_time or gen': 'whole numbers that are safe to count with, and none missing',
  lifetime: 'no time, or more than the longest life',
  'iat in the future': 'beyond the skew',
  nbf: 'a whole number',
  cnf: 'bound to a key that nobody asks for',
  roles: 'a list of texts',
  aud: 'one audience, as a text',
  iss: 'exactly the issuer',
}

type Members = Record<string, unknown>

/** A token that was right once, with one or two changes; now and then with none. */
function drawToken(lot: Lot, issuer: Issuer, other: Issuer, now: number): string {
  const header: Members = { alg: issuer.algorithm, typ: 'at+jwt', kid: issuer.kid }
  const payload = claimsAt(now)
  const rawHeader: string[] = []
  const rawPayload: string[] = []
  let by = issuer
  const changes = lot.below(3)
  for (let done = 0; done < changes; done++) {
    const target = lot.once(3) ? header : payload
    const raw = target === header ? rawHeader : rawPayload
    const names = lot.once(4) ? NEW_MEMBERS : Object.keys(target)
    const name = lot.pick(names)
    switch (lot.below(5)) {
      case 0:
        delete target[name]
        break
      case 1:
        raw.push(`${JSON.stringify(name)}:${lot.pick(RAW)}`)
        break
      case 2:
        by = lot.once(4) ? other : issuer
        break
      default:
        target[name] = lot.pick(VALUES)
    }
  }
  const token = by.sign(withRaw(header, rawHeader), withRaw(payload, rawPayload))
  return lot.once(3) ? respell(token, lot) : token
}

function withRaw(members: Members, raw: readonly string[]): string {
  const text = JSON.stringify(members)
  return raw.length === 0 ? text : `{${raw.join(',')}${text === '{}' ? '' : ','}${text.slice(1)}`
}

const NEW_MEMBERS = ['nbf', 'crit', 'b64', 'zip', 'jku', 'jwk', 'x5c', 'cty', 'enc', 'cnf', '__proto__', 'scope']
const RAW = ['1e400', '-0', '"a\\u0062c"', ' 1', 'null', '1.0', '{"a":1,"a":2}', '"\\ud800"', '[ ]']
const NOW = Math.floor(Date.now() / 1000)
const VALUES: readonly unknown[] = [
  ...['', 'x', 'none', 'ES256', 'HS256', 'at+jwt', 'AT+JWT', 'application/at+jwt', 'JWT', ISSUER, `${ISSUER}/`],
  ...[0, -1, 1.5, NOW, NOW - 1, NOW + 30, NOW + 90, NOW + 1000, NOW + 5000, 2 ** 53, String(NOW + 600)],
  ...[null, true, {}, [], [ISSUER], [[ISSUER]], ['exp'], ['b64'], ['reader', 1], { kty: 'EC' }],
]

/** Changes of the text: what one decoder ignores and another does not. */
function respell(token: string, lot: Lot): string {
  const at = lot.below(token.length)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  switch (lot.below(9)) {
    case 0:
      return `${token}=`
    case 1:
      return `${token}\n`
    case 2:
      return ` ${token}`
    case 3:
      return token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1)!) ^ (1 + lot.below(3))]
    case 4:
      return `${token.slice(0, at)}${lot.pick(['A', '+', '/', '=', '\0', ' ', '.', 'é'])}${token.slice(at + 1)}`
    case 5:
      return token.slice(0, at)
    case 6:
      return `${token}.${token}`
    case 7: {
      const [head, payload] = token.split('.')
      return `${head}.${payload}.`
    }
    default:
      return `${token.slice(0, at)}${token.slice(at + 1 + lot.below(3))}`
  }
}

/** Both look at the same tokens with the same key, issuer, audience, type and clock. */
export async function compareWithJose(tokens: number, seed: number): Promise<DifferentialReport> {
  const lot = new Lot(seed)
  const now = Date.now()
  const pairs = new Map<AlgorithmName, readonly [Issuer, Issuer]>(
    ALGORITHM_NAMES.map((name) => [name, [createIssuer(name), createIssuer(name)]]),
  )
  const looser: string[] = []
  const stricter = new Map<string, number>()
  let accepted = 0
  let refused = 0
  for (let made = 0; made < tokens; made++) {
    // RSA is slow to sign.
    const algorithm = lot.once(20) ? 'RS256' : lot.pick(['ES256', 'EdDSA', 'HS256'] as const)
    const [issuer, other] = pairs.get(algorithm)!
    const token = drawToken(lot, issuer, other, now)
    const verifier = createVerifier({ issuer: ISSUER, keys: [issuer.key], algorithms: [algorithm], now: () => now })
    const ours = await verifier.verify(token).then(
      () => null,
      (error: { detail?: string; code: string }) => error.detail?.replace('access token refused: ', '') ?? error.code,
    )
    const theirs = await jwtVerify(token, issuer.key.key, {
      ...{ issuer: ISSUER, audience: ISSUER, typ: 'at+jwt', algorithms: [algorithm] },
      ...{ currentDate: new Date(now), clockTolerance: 10 },
    }).then(
      () => null,
      (error: Error) => error.message,
    )
    if (ours === null && theirs === null) accepted += 1
    else if (ours !== null && theirs !== null) refused += 1
    else if (ours === null) looser.push(`token ${made} of seed ${seed}: jose says ${theirs}: ${token}`)
    else stricter.set(ours, (stricter.get(ours) ?? 0) + 1)
  }
  return { tokens, accepted, refused, looser, stricter }
}
