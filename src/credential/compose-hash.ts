import { GatebookError } from '../errors.ts'

/** A hash whose parts stand apart in the export of another system. Texts in base64. */
export type HashParts =
  | {
      readonly format: 'firebase'
      readonly hash: string
      readonly salt: string
      readonly saltSeparator: string
      readonly signerKey: string
      readonly rounds: number
      /** Binary logarithm, as Firebase calls it. */
      readonly memoryCost: number
    }
  | {
      readonly format: 'keycloak'
      /** `pbkdf2`, `pbkdf2-sha256`, `pbkdf2-sha512`, or `argon2` (type id) with memory in KiB and lanes. */
      readonly algorithm: string
      readonly iterations: number
      readonly memory?: number
      readonly parallelism?: number
      readonly salt: string
      readonly hash: string
    }

/** One text that holds everything that it takes to verify a password. Throws ERR_HASH_UNKNOWN. */
export function composeHash(parts: HashParts): string {
  const { salt, hash } = parts
  if (parts.format === 'firebase') {
    const { memoryCost, rounds, saltSeparator, signerKey } = parts
    return `$firebase-scrypt$ln=${memoryCost},r=${rounds}$${saltSeparator}$${signerKey}$${salt}$${hash}`
  }
  if (parts.algorithm === 'argon2') {
    const { memory, iterations, parallelism } = parts
    if (![memory, iterations, parallelism].every((count) => Number.isSafeInteger(count))) {
      throw new GatebookError('ERR_HASH_UNKNOWN', {
        detail: 'argon2 of Keycloak needs iterations, memory and parallelism',
      })
    }
    const bare = (text: string): string => text.replace(/=+$/, '')
    return `$argon2id$v=19$m=${memory},t=${iterations},p=${parallelism}$${bare(salt)}$${bare(hash)}`
  }
  const name = { pbkdf2: 'pbkdf2', 'pbkdf2-sha1': 'pbkdf2' }[parts.algorithm] ?? parts.algorithm
  if (!/^pbkdf2(-sha(256|512))?$/.test(name)) {
    throw new GatebookError('ERR_HASH_UNKNOWN', {
      detail: 'algorithm must be pbkdf2, pbkdf2-sha256, pbkdf2-sha512 or argon2',
    })
  }
  return `$${name}$${parts.iterations}$${salt}$${hash}`
}
