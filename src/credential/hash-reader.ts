/**
 * A kind of stored hash that users bring along from elsewhere. Each file in `readers/` is one; `hash-formats.ts` lists them.
 *
 * A stored hash names its own cost, and whoever wrote it is not known: `read` MUST refuse one that would cost more memory
 * or time than a log-in may, and `verify` MUST work off the event loop, or give way to others every few milliseconds.
 */
export interface HashReader {
  /** Stable: it stands in events and reports, e.g. `bcrypt`. */
  readonly format: string
  /** What the stored text says, or null when it is not of this kind, not complete or too costly. */
  read(stored: string): ReadHash | null
}

export interface ReadHash {
  /** The password as it was typed there: nothing is normalised. Compares in constant time. */
  verify(password: string): Promise<boolean>
  /** Fast to guess at, or cut short: worth a look before it is imported. */
  readonly weak: boolean
}
