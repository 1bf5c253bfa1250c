import { createHash } from 'node:crypto'
import type { HashReader } from '../hash-reader.ts'
import { encodeCrypt, isSame, repeatInSlices } from './encodings.ts'

const ROUNDS_DEFAULT = 5000
const ROUNDS_MIN = 1000
/** Some seconds of one core; passlib writes 656,000. */
const ROUNDS_MAX = 1_000_000

type Algorithm = 'sha256' | 'sha512'

type Group = readonly [high: number, middle: number, low: number]

/** Which bytes of the digest stand together in the text: one of each third, and each group makes the next one. */
const ORDER: Readonly<Record<Algorithm, readonly (readonly number[])[]>> = {
  sha256: [...groups(10, [0, 10, 20], ([high, middle, low]) => [low + 1, high + 1, middle + 1]), [30, 31]],
  sha512: [...groups(21, [0, 21, 42], ([high, middle, low]) => [middle + 1, low + 1, high + 1]), [63]],
}

function groups(count: number, first: Group, next: (group: Group) => Group): number[][] {
  const listed: number[][] = []
  for (let group = first; listed.length < count; group = next(group)) listed.push([...group].reverse())
  return listed
}

/** SHA-crypt of Ulrich Drepper: `$5$` with SHA-256, `$6$` with SHA-512, of shadow files and of passlib. */
export const shaCrypt: HashReader = {
  format: 'sha-crypt',
  read(stored) {
    const match = /^\$([56])\$(?:rounds=(\d{1,9})\$)?([^$:\n]{0,16})\$([./A-Za-z0-9]+)$/.exec(stored)
    if (match === null) return null
    const algorithm = match[1] === '5' ? 'sha256' : 'sha512'
    const rounds = match[2] === undefined ? ROUNDS_DEFAULT : Number(match[2])
    const expected = match[4]!
    if (rounds < ROUNDS_MIN || rounds > ROUNDS_MAX) return null
    if (expected.length !== (algorithm === 'sha256' ? 43 : 86)) return null
    const salt = Buffer.from(match[3]!, 'utf8')
    return {
      weak: rounds < 100_000,
      async verify(password) {
        const digest = await compute(algorithm, Buffer.from(password, 'utf8'), salt, rounds)
        return isSame(Buffer.from(encodeCrypt(digest, ORDER[algorithm])), Buffer.from(expected))
      },
    }
  },
}

/** Steps 1 to 21 of the specification (akkadia.org/drepper/SHA-crypt.txt). */
async function compute(algorithm: Algorithm, password: Buffer, salt: Buffer, rounds: number): Promise<Buffer> {
  const hash = (...parts: readonly Uint8Array[]): Buffer => {
    const digest = createHash(algorithm)
    for (const part of parts) digest.update(part)
    return digest.digest()
  }
  const b = hash(password, salt, password)
  const mixed: Uint8Array[] = [password, salt, stretch(b, password.length)]
  for (let bits = password.length; bits > 0; bits >>= 1) mixed.push(bits & 1 ? b : password)
  const a = hash(...mixed)
  const p = stretch(hash(...Array<Buffer>(password.length).fill(password)), password.length)
  const s = stretch(hash(...Array<Buffer>(16 + a[0]!).fill(salt)), salt.length)
  let c = a
  await repeatInSlices(rounds, (round) => {
    const parts: Uint8Array[] = [round & 1 ? p : c]
    if (round % 3 !== 0) parts.push(s)
    if (round % 7 !== 0) parts.push(p)
    parts.push(round & 1 ? c : p)
    c = hash(...parts)
  })
  return c
}

/** So many bytes of the digest over and over. */
function stretch(digest: Buffer, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at += digest.length) digest.copy(bytes, at)
  return bytes
}
