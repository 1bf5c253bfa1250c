import type { VerificationKey } from '../token/compact.ts'

/** Where a verifier has its keys from. */
export interface KeySource {
  /** Null when no key has this id. Throws ERR_KEYS_UNAVAILABLE where that cannot be known. */
  find(kid: string): VerificationKey | null | Promise<VerificationKey | null>
  /** Another number as soon as a key verifies no more. */
  epoch(): number
}

export function localKeys(keys: readonly VerificationKey[]): KeySource {
  return {
    // Keys without a name are for who has one of them.
    find: (kid) =>
      keys.find((key) => key.kid === kid) ?? (keys.length === 1 && keys[0]!.kid === null ? keys[0]! : null),
    epoch: () => 0,
  }
}
