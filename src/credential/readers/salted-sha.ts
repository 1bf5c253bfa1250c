import { createHash } from 'node:crypto'
import type { HashReader, ReadHash } from '../hash-reader.ts'
import { decodeBase64, decodeHex, isSame } from './encodings.ts'

/** Once, with a salt: billions of guesses a second. They are taken so that their users can log in, and are then replaced. */
function reading(compute: (password: Buffer) => Buffer, hash: Buffer): ReadHash {
  return { weak: true, verify: async (password) => isSame(compute(Buffer.from(password, 'utf8')), hash) }
}

const LDAP: Readonly<Record<string, readonly [algorithm: string, bytes: number]>> = {
  SSHA: ['sha1', 20],
  SSHA256: ['sha256', 32],
  SSHA512: ['sha512', 64],
}

/** `{SSHA}`, `{SSHA256}` and `{SSHA512}` of LDAP servers: base64 of digest and salt. */
export const saltedShaLdap: HashReader = {
  format: 'salted-sha-ldap',
  read(stored) {
    const match = /^\{(SSHA(?:256|512)?)\}([^}]+)$/i.exec(stored)
    const [algorithm, length] = LDAP[match?.[1]?.toUpperCase() ?? ''] ?? ['', 0]
    const bytes = decodeBase64(match?.[2])
    if (bytes === null || algorithm === '' || bytes.length <= length || bytes.length > length + 64) return null
    const salt = bytes.subarray(length)
    return reading(
      (password) => createHash(algorithm).update(password).update(salt).digest(),
      bytes.subarray(0, length),
    )
  },
}

/** `sha1$SALT$HEX` of old versions of Django; the salt is the text itself. */
export const saltedShaDjango: HashReader = {
  format: 'salted-sha-django',
  read(stored) {
    const match = /^sha1\$([^$]{1,128})\$([0-9a-f]{40})$/.exec(stored)
    const hash = decodeHex(match?.[2])
    if (match === null || hash === null) return null
    return reading((password) => createHash('sha1').update(match[1]!, 'utf8').update(password).digest(), hash)
  },
}
