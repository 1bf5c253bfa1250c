import { randomBytes } from 'node:crypto'
import type { Settings } from '../options.ts'
import { type CommonPasswords, loadCommonPasswords } from './common-passwords.ts'
import { readHash } from './hash-formats.ts'
import { createHashQueue, type HashSlot } from './hash-queue.ts'
import { createArgon2idHasher } from './hashers/argon2id.ts'
import { createPasswordPolicy } from './password-policy.ts'

/** Policy, line and hasher as the flows use them. */
export interface Passwords {
  /** Throws ERR_PASSWORD_…. The identifier must be of bounded length. */
  checkNew(password: string, identifier?: string): Promise<void>
  /** A place in the line, to be taken before anything else is done. Throws ERR_OVERLOADED. */
  reserve(): HashSlot
  /** PHC string of a password that `checkNew` has let through, in a place of its own unless one is given. */
  hash(password: string, slot?: HashSlot): Promise<string>
  /**
   * One hash in every case: of a dummy where there is no user (null), and of an empty password where the typed one can
   * never have been chosen. False in both.
   */
  verify(slot: HashSlot, passwordHash: string | null, password: string): Promise<boolean>
  /** A new hash when the stored one has other parameters than today's; null when not, or when others wait for their turn. */
  rehash(passwordHash: string, password: string): Promise<string | null>
}

const OWN_PREFIX = '$argon2id$'

export function createPasswords(settings: Settings): Passwords {
  const hasher = createArgon2idHasher({
    memoryKib: settings.argon2MemoryKib,
    iterations: settings.argon2Iterations,
    parallelism: settings.argon2Parallelism,
  })
  const queue = createHashQueue({ concurrency: settings.hashConcurrency, limit: settings.hashQueueLimit })
  let common: CommonPasswords | undefined
  const policy = createPasswordPolicy({
    minLength: settings.passwordMinLength,
    maxLength: settings.passwordMaxLength,
    commonPasswords: { has: (password) => common!.has(password) },
  })
  let dummy: Promise<string> | undefined

  /** `typed` as it was, too: other systems did not bring passwords to NFC before they hashed them. */
  async function verifyStored(passwordHash: string, normalized: string, typed: string): Promise<boolean> {
    // Our own first: nearly all are, and it does its work also for what nobody can read.
    const foreign = passwordHash.startsWith(OWN_PREFIX) ? null : readHash(passwordHash)
    if (foreign === null) return hasher.verify(passwordHash, normalized)
    return (await foreign.verify(typed)) || (typed !== normalized && (await foreign.verify(normalized)))
  }

  return {
    async checkNew(password, identifier) {
      common ??= await loadCommonPasswords()
      policy.check(password, identifier)
    },
    reserve: () => queue.reserve(),
    hash: (password, slot = queue.reserve()) => slot.run(() => hasher.hash(policy.normalize(password))),
    async verify(slot, passwordHash, password) {
      // Made at the first log-in, whosever it is: a known user waits for it like an unknown one.
      dummy ??= hasher.hash(randomBytes(32).toString('base64url')).catch((error: unknown) => {
        dummy = undefined
        throw error
      })
      const dummyHash = await dummy
      const acceptable = policy.isAcceptableForVerification(password)
      const typed = acceptable ? policy.normalize(password) : ''
      const matches = await slot.run(() => verifyStored(passwordHash ?? dummyHash, typed, acceptable ? password : ''))
      // A system that let people have no password at all does not open a door here.
      return matches && acceptable && passwordHash !== null && password !== ''
    },
    async rehash(passwordHash, password) {
      if (!hasher.needsRehash(passwordHash) || queue.stats().waiting > 0) return null
      return queue.reserve().run(() => hasher.hash(policy.normalize(password)))
    },
  }
}
