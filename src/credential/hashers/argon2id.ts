import { type Algorithm, hash, type ParsedHashOptions, parseOptions, type Version, verify } from '@node-rs/argon2'
import { GatebookError } from '../../errors.ts'
import type { PasswordHasher } from '../hasher.ts'

export interface Argon2idOptions {
  /** Memory in KiB, 8 × parallelism to 2,097,152. Default 19,456 (19 MiB). */
  readonly memoryKib?: number
  /** Passes over the memory, at least 1; memory × passes may not exceed 8 GiB. Default 2. */
  readonly iterations?: number
  /** Lanes, 1 to 255. Default 1: the hash queue counts on one thread per hash. */
  readonly parallelism?: number
}

// The package exports const enums, which do not exist at run time under isolated modules.
const ARGON2ID: Algorithm = 2
const VERSION_0X13: Version = 1

const SALT_BYTES = 16
const OUTPUT_BYTES = 32

// A stored hash names its own cost, and an imported one may name 4 TiB: the allocation would abort the process, taking
// every other log-in with it. 2 GiB is the largest setting that RFC 9106 (section 4) recommends.
const MAX_MEMORY_KIB = 2 * 1024 * 1024
const MAX_WORK_KIB = 4 * MAX_MEMORY_KIB

/**
 * Argon2id (RFC 9106) with the parameters of the OWASP Password Storage Cheat Sheet by default. Verifies argon2i and
 * argon2d hashes and version 0x10 as well, and asks for a rehash of them.
 *
 * @throws GatebookError `ERR_OPTION_INVALID` when a parameter is out of range.
 */
export function createArgon2idHasher(options: Argon2idOptions = {}): PasswordHasher {
  const { memoryKib = 19456, iterations = 2, parallelism = 1 } = options
  requireInteger('parallelism', parallelism, 1, 255)
  requireInteger('memoryKib', memoryKib, 8 * parallelism, MAX_MEMORY_KIB)
  requireInteger('iterations', iterations, 1, Math.floor(MAX_WORK_KIB / memoryKib))

  const hashPassword = (password: string): Promise<string> =>
    hash(password, {
      algorithm: ARGON2ID,
      version: VERSION_0X13,
      memoryCost: memoryKib,
      timeCost: iterations,
      parallelism,
      outputLen: OUTPUT_BYTES,
    })

  return {
    id: 'argon2id',

    hash: hashPassword,

    async verify(passwordHash, password) {
      if (parse(passwordHash) === null) {
        await hashPassword(password)
        return false
      }
      return verify(passwordHash, password)
    },

    needsRehash(passwordHash) {
      const made = parse(passwordHash)
      return (
        made === null ||
        made.algorithm !== ARGON2ID ||
        made.version !== VERSION_0X13 ||
        made.memoryCost !== memoryKib ||
        made.timeCost !== iterations ||
        made.parallelism !== parallelism ||
        made.saltLen !== SALT_BYTES ||
        made.outputLen !== OUTPUT_BYTES
      )
    },
  }
}

/** Null for whatever `verify` would reject, so that a rejection of it is always a failure of the machine. */
function parse(passwordHash: string): ParsedHashOptions | null {
  let made: ParsedHashOptions
  try {
    made = parseOptions(passwordHash)
  } catch {
    return null
  }
  const affordable = made.memoryCost <= MAX_MEMORY_KIB && made.memoryCost * made.timeCost <= MAX_WORK_KIB
  return affordable ? made : null
}

function requireInteger(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new GatebookError('ERR_OPTION_INVALID', {
      detail: `argon2id ${name} must be an integer from ${min} to ${max}, not ${value}`,
    })
  }
}
