import { createHash } from 'node:crypto'
import type { HashReader } from '../hash-reader.ts'
import { CRYPT_ALPHABET, encodeCrypt, isSame, repeatInSlices } from './encodings.ts'

/** 2^20 rounds of MD5, about two seconds. WordPress writes 2^13, phpBB 2^11, passlib 2^19. */
const LOG_ROUNDS_MAX = 20
const ORDER = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11], [12, 13, 14], [15]]

/** The portable hashes of phpass: `$P$` of WordPress and Drupal 6, `$H$` of phpBB 3. Salted MD5, many times over. */
export const phpass: HashReader = {
  format: 'phpass',
  read(stored) {
    const match = /^\$[PH]\$([./A-Za-z0-9])([./A-Za-z0-9]{8})([./A-Za-z0-9]{22})$/.exec(stored)
    if (match === null) return null
    const logRounds = CRYPT_ALPHABET.indexOf(match[1]!)
    if (logRounds < 7 || logRounds > LOG_ROUNDS_MAX) return null
    const [salt, expected] = [match[2]!, match[3]!]
    return {
      weak: true,
      async verify(password) {
        const typed = Buffer.from(password, 'utf8')
        let digest = createHash('md5').update(salt, 'latin1').update(typed).digest()
        await repeatInSlices(2 ** logRounds, () => {
          digest = createHash('md5').update(digest).update(typed).digest()
        })
        return isSame(Buffer.from(encodeCrypt(digest, ORDER)), Buffer.from(expected))
      },
    }
  },
}
