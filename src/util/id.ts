import { randomFillSync } from 'node:crypto'

/** Crockford's base 32 in lower case: no i, l, o, u. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const BODY_LENGTH = 26
const BODY = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/

/** The prefix tells what an id names. */
export const ID_PREFIXES = {
  user: 'usr_',
  session: 'ses_',
  event: 'evt_',
  device: 'dev_',
  token: 'tok_',
  request: 'req_',
  key: 'key_',
  invitation: 'inv_',
  client: 'cli_',
  oneTimeToken: 'ott_',
} as const

export type IdKind = keyof typeof ID_PREFIXES
export type Id<K extends IdKind> = string & { readonly __id: K }
export type SessionId = Id<'session'>
export type DeviceId = Id<'device'>

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

/** True for exactly what {@link generateId} makes for this kind. */
export function isId<K extends IdKind>(kind: K, text: string): text is Id<K> {
  const prefix = ID_PREFIXES[kind]
  return text.length === prefix.length + BODY_LENGTH && text.startsWith(prefix) && BODY.test(text.slice(prefix.length))
}

/** 16 bytes as 26 characters. */
export function encodeIdBytes(bytes: Uint8Array): string {
  let text = ''
  let word = 0
  let bits = 2
  // Two zero bits in front make 130 = 26 × 5.
  for (const byte of bytes) {
    word = (word << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += ALPHABET[(word >> bits) & 31]!
      word &= (1 << bits) - 1
    }
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
