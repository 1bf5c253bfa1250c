import { createHash } from 'node:crypto'
import type { HashReader } from '../hash-reader.ts'

/** About 4 s of one core. */
const COST_MAX = 16

const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/

/**
 * bcrypt with the prefixes 2a, 2b and 2y, which mean the same hash for every password without a NUL; also behind Django's
 * `bcrypt$` and `bcrypt_sha256$`. Only the first 72 bytes of a password count, but for the latter.
 */
export const bcrypt: HashReader = {
  format: 'bcrypt',
  read(stored) {
    const digested = stored.startsWith('bcrypt_sha256$$')
    const hash = stored.replace(/^bcrypt(_sha256)?\$(?=\$2)/, '')
    const cost = Number(BCRYPT.exec(hash)?.[1])
    if (!(cost >= 4 && cost <= COST_MAX)) return null
    return {
      weak: cost < 10,
      async verify(password) {
        const { verify } = await import('@node-rs/bcrypt')
        const shown = digested ? createHash('sha256').update(password, 'utf8').digest('hex') : password
        // The binding knows one of the three names.
        return verify(shown, `$2b$${hash.slice(4)}`)
      },
    }
  },
}
