import { GatebookError } from '../errors.ts'
import type { CommonPasswords } from './common-passwords.ts'

export interface PasswordPolicyOptions {
  /** Code points, 8 to 64. Default 15, for a password that is the only factor (NIST SP 800-63B-4, section 3.1.1.2). */
  readonly minLength?: number
  /** Code points, 256 to 1,024. Default 256. Lowering it locks out those who have a longer password. */
  readonly maxLength?: number
  /** From `loadCommonPasswords`. */
  readonly commonPasswords: Pick<CommonPasswords, 'has'>
}

/** What a password must be. There are no composition rules, and nothing is ever trimmed or truncated. */
export interface PasswordPolicy {
  readonly minLength: number
  readonly maxLength: number

  /**
   * Unicode NFC, so that the same password typed on two keyboards is the same bytes. Applied before every hash and
   * every verification, to input that `check` or `isAcceptableForVerification` has let through.
   */
  normalize(password: string): string

  /**
   * Returns when the password may be chosen.
   *
   * @param identifier the user name that it will belong to, itself checked and so of bounded length
   * @throws GatebookError `ERR_PASSWORD_MALFORMED`, `ERR_PASSWORD_TOO_LONG` with `{ maximum }`,
   *   `ERR_PASSWORD_TOO_SHORT` with `{ minimum }`, `ERR_PASSWORD_MATCHES_IDENTIFIER`, `ERR_PASSWORD_COMMON`
   */
  check(password: string, identifier?: string): void

  /**
   * False for what can never have been chosen and would cost too much to hash, or would hash like something else: too
   * long, or malformed. A log-in with it fails like one with any wrong password, work included.
   */
  isAcceptableForVerification(password: string): boolean
}

// A code point in NFC decomposes into at most 4 (U+1F82 and others), and one is at most 2 UTF-16 units. Whatever is
// longer than this many units per allowed code point is too long in any form, and is refused without normalising it:
// that takes quadratic time on runs of combining marks, minutes for a megabyte of them.
const MAX_UNITS_PER_NFC_CODE_POINT = 8

// A half of a surrogate pair (general category Cs) has no UTF-8 form: every one becomes U+FFFD and hashes alike.
const LONE_SURROGATE = /\p{Surrogate}/u

/** @throws GatebookError `ERR_OPTION_INVALID` when a length is out of range. */
export function createPasswordPolicy(options: PasswordPolicyOptions): PasswordPolicy {
  const { minLength = 15, maxLength = 256, commonPasswords } = options
  requireInteger('minLength', minLength, 8, 64)
  requireInteger('maxLength', maxLength, 256, 1024)

  const isTooLong = (password: string): boolean =>
    password.length > MAX_UNITS_PER_NFC_CODE_POINT * maxLength || countCodePoints(normalize(password)) > maxLength

  return {
    minLength,
    maxLength,
    normalize,

    check(password, identifier) {
      if (isTooLong(password)) throw new GatebookError('ERR_PASSWORD_TOO_LONG', { members: { maximum: maxLength } })
      if (isMalformed(password)) throw new GatebookError('ERR_PASSWORD_MALFORMED')
      if (countCodePoints(normalize(password)) < minLength) {
        throw new GatebookError('ERR_PASSWORD_TOO_SHORT', { members: { minimum: minLength } })
      }
      const folded = fold(password)
      if (identifier !== undefined && namesOf(identifier).includes(folded)) {
        throw new GatebookError('ERR_PASSWORD_MATCHES_IDENTIFIER')
      }
      if (commonPasswords.has(folded)) throw new GatebookError('ERR_PASSWORD_COMMON')
    },

    isAcceptableForVerification: (password) => !isTooLong(password) && !isMalformed(password),
  }
}

function normalize(password: string): string {
  return password.normalize('NFC')
}

function isMalformed(password: string): boolean {
  return password.includes('\0') || LONE_SURROGATE.test(password)
}

function countCodePoints(text: string): number {
  let count = 0
  for (const _ of text) count += 1
  return count
}

// For comparisons only, never for hashing. Lower-casing can decompose (U+0130), hence NFC on both sides of it.
function fold(text: string): string {
  return text.normalize('NFC').toLowerCase().normalize('NFC')
}

function namesOf(identifier: string): readonly string[] {
  const folded = fold(identifier)
  const at = folded.lastIndexOf('@')
  return at === -1 ? [folded] : [folded, folded.slice(0, at)]
}

function requireInteger(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new GatebookError('ERR_OPTION_INVALID', {
      detail: `password ${name} must be an integer from ${min} to ${max}, not ${value}`,
    })
  }
}
