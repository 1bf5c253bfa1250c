import { randomFillSync } from 'node:crypto'
import { ID_PREFIXES, type Id, type IdKind } from './id-kind.ts'

export { type DeviceId, ID_PREFIXES, type Id, type IdKind, isId, type SessionId } from './id-kind.ts'

/** Crockford's base 32 in lower case: no i, l, o, u. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

const entropy = new Uint8Array(4096)
let entropyAt = entropy.length

/**
 * 48 bits of epoch milliseconds, then 80 random bits, as 26 characters behind a prefix: sorts by time of creation, so
 * that indexes grow at one end. An id is a name, never a secret.
 */
export function generateId<K extends IdKind>(kind: K, at: number): Id<K> {
  return (ID_PREFIXES[kind] + encodeIdBytes(generateIdBytes(at))) as Id<K>
}

function generateIdBytes(at: number): Uint8Array {
  const bytes = new Uint8Array(16)
  let time = at
  for (let place = 5; place >= 0; place--) {
    bytes[place] = time % 256
    time = Math.floor(time / 256)
  }
  if (entropyAt + 10 > entropy.length) {
    randomFillSync(entropy)
    entropyAt = 0
  }
  bytes.set(entropy.subarray(entropyAt, entropyAt + 10), 6)
  entropyAt += 10
  return bytes
}

/** Two characters at a time: every request has an id. */
const PAIRS: readonly string[] = Array.from({ length: 1024 }, (_, at) => ALPHABET[at >> 5]! + ALPHABET[at & 31]!)

/** 16 bytes as 26 characters. */
export function encodeIdBytes(bytes: Uint8Array): string {
  let text = ''
  let word = 0
  let bits = 2
  // Two zero bits in front make 130 = 13 × 10.
  for (const byte of bytes) {
    word = (word << 8) | byte
    bits += 8
    if (bits < 10) continue
    bits -= 10
    text += PAIRS[word >> bits]!
    word &= (1 << bits) - 1
  }
  return text
}

/** The inverse of {@link encodeIdBytes}; the text must be the body of a valid id. */
export function decodeIdBytes(body: string): Uint8Array {
  const bytes = new Uint8Array(16)
  let word = 0
  let bits = -2
  let out = 0
  for (const character of body) {
    word = (word << 5) | ALPHABET.indexOf(character)
    bits += 5
    if (bits >= 8) {
      bits -= 8
      bytes[out++] = (word >> bits) & 255
      word &= (1 << bits) - 1
    }
  }
  return bytes
}
