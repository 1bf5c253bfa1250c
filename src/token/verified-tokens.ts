import type { CheckedClaims } from './access-claims.ts'

/**
 * Tokens whose signature and claims were found right, by the whole token: a shorter key would one day hand somebody the
 * claims of somebody else (GHSA-rp9m-7r4c-75qg). Whether a token has expired or its session has ended is asked each time.
 */
export interface VerifiedTokens {
  get(token: string): CheckedClaims | undefined
  set(token: string, checked: CheckedClaims): void
  /** For when a key has become void. */
  clear(): void
  readonly size: number
}

/**
 * Holds `limit` to 2 × `limit` tokens. Two generations instead of an order of use: a hit costs a look-up and nothing is
 * moved, and what nobody has asked for in a whole generation is gone.
 */
export function createVerifiedTokens(limit: number): VerifiedTokens {
  let young = new Map<string, CheckedClaims>()
  let old = new Map<string, CheckedClaims>()

  function set(token: string, checked: CheckedClaims): void {
    if (limit === 0) return
    if (young.size >= limit) {
      old = young
      young = new Map()
    }
    young.set(token, checked)
  }

  return {
    get(token) {
      const checked = young.get(token)
      if (checked !== undefined) return checked
      const aged = old.get(token)
      if (aged !== undefined) set(token, aged)
      return aged
    },
    set,
    clear() {
      young = new Map()
      old = new Map()
    },
    get size() {
      return young.size + old.size
    },
  }
}
