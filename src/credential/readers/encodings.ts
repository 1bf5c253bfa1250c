import { timingSafeEqual } from 'node:crypto'

/** Base64 with or without its padding, also with `.` for `+` as passlib writes it; null for anything else. */
export function decodeBase64(text: string | undefined): Buffer | null {
  if (text === undefined || !/^[A-Za-z0-9+/.]*={0,2}$/.test(text)) return null
  const plain = text.replaceAll('.', '+').replace(/=+$/, '')
  return plain.length % 4 === 1 || plain === '' ? null : Buffer.from(plain, 'base64')
}

export function decodeHex(text: string | undefined): Buffer | null {
  return text !== undefined && text.length > 0 && text.length % 2 === 0 && /^[0-9a-f]+$/i.test(text)
    ? Buffer.from(text, 'hex')
    : null
}

export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}

export const CRYPT_ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** The base 64 of crypt(3): the lowest six bits first, in groups of three bytes of which `order` says where they stand. */
export function encodeCrypt(bytes: Uint8Array, order: readonly (readonly number[])[]): string {
  let text = ''
  for (const places of order) {
    let word = 0
    places.forEach((place, at) => {
      word |= bytes[place]! << (8 * at)
    })
    for (let count = places.length + 1; count > 0; count--) {
      text += CRYPT_ALPHABET[word & 63]
      word >>= 6
    }
  }
  return text
}

/** Long work in JavaScript gives way to others after so long. */
const SLICE_MILLISECONDS = 3

/** Calls `step` so many times, and lets others have their turn between slices. */
export async function repeatInSlices(times: number, step: (round: number) => void): Promise<void> {
  let until = performance.now() + SLICE_MILLISECONDS
  for (let round = 0; round < times; round++) {
    step(round)
    if (round % 32 === 0 && performance.now() > until) {
      await new Promise((resolve) => setImmediate(resolve))
      until = performance.now() + SLICE_MILLISECONDS
    }
  }
}
