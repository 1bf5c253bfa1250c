import type { HashReader, ReadHash } from './hash-reader.ts'
import { argon2 } from './readers/argon2.ts'
import { bcrypt } from './readers/bcrypt.ts'
import { pbkdf2AspNet, pbkdf2Django, pbkdf2Passlib, pbkdf2Werkzeug } from './readers/pbkdf2.ts'
import { phpass } from './readers/phpass.ts'
import { saltedShaDjango, saltedShaLdap } from './readers/salted-sha.ts'
import { scryptDjango, scryptFirebase, scryptPhc, scryptWerkzeug } from './readers/scrypt.ts'
import { shaCrypt } from './readers/sha-crypt.ts'

/** Every kind of hash that can be imported. No text is of two kinds. */
export const HASH_READERS: readonly HashReader[] = [
  argon2,
  bcrypt,
  scryptPhc,
  scryptWerkzeug,
  scryptDjango,
  scryptFirebase,
  pbkdf2Django,
  pbkdf2Werkzeug,
  pbkdf2Passlib,
  pbkdf2AspNet,
  phpass,
  saltedShaLdap,
  saltedShaDjango,
  shaCrypt,
]

/** The column that hashes are kept in. */
export const HASH_MAX = 512
const PRINTABLE = /^[!-~]+$/

/** What a stored hash is, or null when it is none that can be verified. */
export function readHash(stored: string): (ReadHash & { readonly format: string }) | null {
  // The column is ASCII: on MySQL one salt beyond it would fail the whole batch.
  if (stored.length > HASH_MAX || !PRINTABLE.test(stored)) return null
  for (const { format, read } of HASH_READERS) {
    const hash = read(stored)
    if (hash !== null) return { format, weak: hash.weak, verify: hash.verify }
  }
  return null
}
