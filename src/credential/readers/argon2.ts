import { parseOptions, verify } from '@node-rs/argon2'
import type { HashReader } from '../hash-reader.ts'

/** A log-in must not take down the process: 1 GiB, and the work of 2 GiB in one pass. */
const MEMORY_KIB = 1024 * 1024
const WORK_KIB = 2 * MEMORY_KIB

/** Argon2i, Argon2d and Argon2id as PHC strings (RFC 9106); also behind Django's `argon2`. */
export const argon2: HashReader = {
  format: 'argon2',
  read(stored) {
    const phc = stored.replace(/^argon2(?=\$argon2)/, '')
    if (!/^\$argon2(i|d|id)\$/.test(phc)) return null
    try {
      const { memoryCost, timeCost } = parseOptions(phc)
      if (memoryCost > MEMORY_KIB || memoryCost * timeCost > WORK_KIB) return null
    } catch {
      return null
    }
    return { weak: false, verify: (password) => verify(phc, password) }
  },
}
