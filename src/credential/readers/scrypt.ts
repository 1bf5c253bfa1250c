import { createCipheriv, scrypt as scryptCallback } from 'node:crypto'
import { promisify } from 'node:util'
import type { HashReader, ReadHash } from '../hash-reader.ts'
import { decodeBase64, decodeHex, isSame } from './encodings.ts'

const derive = promisify(
  (
    password: string,
    salt: Buffer,
    length: number,
    options: { N: number; r: number; p: number; maxmem: number },
    done: (error: Error | null, key: Buffer) => void,
  ) => scryptCallback(password, salt, length, options, done),
)

interface Cost {
  /** Power of two. */
  readonly n: number
  readonly r: number
  readonly p: number
}

/** RFC 7914: 128·N·r bytes of memory. */
const MEMORY_MAX = 512 * 1024 * 1024
const WORK_MAX = 2 ** 24

function isAffordable({ n, r, p }: Cost): boolean {
  const whole = [n, r, p].every((value) => Number.isSafeInteger(value) && value >= 1)
  return whole && n >= 2 && Number.isInteger(Math.log2(n)) && 128 * n * r <= MEMORY_MAX && n * r * p <= WORK_MAX
}

function deriveKey(password: string, salt: Buffer, length: number, { n, r, p }: Cost): Promise<Buffer> {
  return derive(password, salt, length, { N: n, r, p, maxmem: 128 * n * r + 128 * r * p + 1024 * 1024 })
}

function reading(salt: Buffer, hash: Buffer, cost: Cost): ReadHash | null {
  if (!isAffordable(cost) || salt.length === 0 || hash.length < 16 || hash.length > 128) return null
  return {
    weak: cost.n * cost.r < 2 ** 16,
    verify: async (password) => isSame(await deriveKey(password, salt, hash.length, cost), hash),
  }
}

/** `$scrypt$ln=16,r=8,p=1$SALT$HASH`, as passlib writes it. */
export const scryptPhc: HashReader = {
  format: 'scrypt',
  read(stored) {
    const match = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,4}),p=(\d{1,4})\$([^$]+)\$([^$]+)$/.exec(stored)
    const [salt, hash] = [decodeBase64(match?.[4]), decodeBase64(match?.[5])]
    if (match === null || salt === null || hash === null) return null
    return reading(salt, hash, { n: 2 ** Number(match[1]), r: Number(match[2]), p: Number(match[3]) })
  },
}

/** `scrypt:32768:8:1$SALT$HEX` of Werkzeug; the salt is the text itself. */
export const scryptWerkzeug: HashReader = {
  format: 'scrypt-werkzeug',
  read(stored) {
    const match = /^scrypt:(\d{1,8}):(\d{1,4}):(\d{1,4})\$([^$]{1,128})\$([0-9a-f]+)$/.exec(stored)
    const hash = decodeHex(match?.[5])
    if (match === null || hash?.length !== 64) return null
    return reading(Buffer.from(match[4]!, 'utf8'), hash, {
      n: Number(match[1]),
      r: Number(match[2]),
      p: Number(match[3]),
    })
  },
}

/** `scrypt$16384$SALT$8$1$BASE64` of Django; the salt is the text itself. */
export const scryptDjango: HashReader = {
  format: 'scrypt-django',
  read(stored) {
    const match = /^scrypt\$(\d{1,8})\$([^$]{1,128})\$(\d{1,4})\$(\d{1,4})\$([^$]+)$/.exec(stored)
    const hash = decodeBase64(match?.[5])
    if (match === null || hash?.length !== 64) return null
    return reading(Buffer.from(match[2]!, 'utf8'), hash, {
      n: Number(match[1]),
      r: Number(match[3]),
      p: Number(match[4]),
    })
  },
}

/**
 * `$firebase-scrypt$ln=14,r=8$SEPARATOR$SIGNER KEY$SALT$HASH`, all in base64: the scrypt of Firebase Authentication
 * (github.com/firebase/scrypt), with the parameters of the project beside those of the user. The derived key encrypts the signer key
 * with AES-256-CTR, and that is the hash.
 */
export const scryptFirebase: HashReader = {
  format: 'scrypt-firebase',
  read(stored) {
    const match = /^\$firebase-scrypt\$ln=(\d{1,2}),r=(\d{1,2})\$([^$]*)\$([^$]+)\$([^$]+)\$([^$]+)$/.exec(stored)
    if (match === null) return null
    const [separator, signerKey, salt, hash] = match
      .slice(3)
      .map((text) => (text === '' ? Buffer.alloc(0) : decodeBase64(text)))
    const cost = { n: 2 ** Number(match[1]), r: Number(match[2]), p: 1 }
    if (!separator || !signerKey || !salt || !hash || !isAffordable(cost)) return null
    if (salt.length === 0 || hash.length !== signerKey.length || signerKey.length < 16) return null
    return {
      weak: cost.n * cost.r < 2 ** 16,
      async verify(password) {
        const key = await deriveKey(password, Buffer.concat([salt, separator]), 32, cost)
        const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
        return isSame(Buffer.concat([cipher.update(signerKey), cipher.final()]), hash)
      },
    }
  },
}
