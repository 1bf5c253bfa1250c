import { createHash, createHmac } from 'node:crypto'
import type { HashReader } from '../hash-reader.ts'

/** About 4 s of one core. */
const COST_MAX = 16

const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/

/** What some put in the place of the password, so that all of it counts. */
const PREPARED: Readonly<Record<string, (password: string) => string>> = {
  bcrypt_sha256$: (password) => createHash('sha256').update(password, 'utf8').digest('hex'),
  // WordPress 6.8, wp_hash_password; PHP's trim.
  $wp: (password) =>
    createHmac('sha384', 'wp-sha384')
      .update(password.replace(/^[ \t\n\r\v]+|[ \t\n\r\v]+$/g, ''), 'utf8')
      .digest('base64'),
}

/**
 * bcrypt with the prefixes 2a, 2b and 2y, which mean the same hash for every password without a NUL; also behind Django's
 * `bcrypt$` and `bcrypt_sha256$`, and WordPress's `$wp`. Only the first 72 bytes of a password count, but for the latter two.
 */
export const bcrypt: HashReader = {
  format: 'bcrypt',
  read(stored) {
    const [, outer = ''] = /^(bcrypt\$|bcrypt_sha256\$|\$wp)(?=\$2)/.exec(stored) ?? []
    const hash = stored.slice(outer.length)
    const cost = Number(BCRYPT.exec(hash)?.[1])
    if (!(cost >= 4 && cost <= COST_MAX)) return null
    return {
      weak: cost < 10,
      async verify(password) {
        const { verify } = await import('@node-rs/bcrypt')
        // The binding knows one of the three names.
        return verify(PREPARED[outer]?.(password) ?? password, `$2b$${hash.slice(4)}`)
      },
    }
  },
}
