/**
 * A password hash function. The files in `hashers/` implement it; the registry of a Gatebook holds one that is current.
 *
 * Callers MUST pass passwords through `PasswordPolicy.normalize` first, and MUST NOT pass one for which
 * `isAcceptableForVerification` is false: hash functions work on UTF-8 bytes, where every broken character looks alike.
 *
 * Stored hashes are PHC strings (github.com/P-H-C/phc-string-format), so that algorithm and cost travel with the hash.
 */
export interface PasswordHasher {
  /** The PHC function name of the hashes that this hasher makes, e.g. `argon2id`. */
  readonly id: string

  /** Makes a PHC string with a fresh random salt. The whole password counts, however long it is. */
  hash(password: string): Promise<string>

  /**
   * Tells whether the password is the one that was hashed. A stored hash that cannot be read is a wrong password: the
   * answer is `false` after the work of an ordinary check, so that it is neither a crash nor an oracle.
   * Rejects only when the machine fails, e.g. out of memory.
   */
  verify(passwordHash: string, password: string): Promise<boolean>

  /** True unless the hash was made with exactly the algorithm and parameters that `hash` uses today. */
  needsRehash(passwordHash: string): boolean
}
