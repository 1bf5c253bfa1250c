import { createHmac } from 'node:crypto'
import { sql } from 'kysely'
import type { Settings } from '../options.ts'
import type { MasterSecret } from '../secret/master-secret.ts'
import { chunks } from '../store/chunks.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/transaction.ts'
import { addressPrefix } from '../util/address.ts'
import { encodeBase64url } from '../util/base64url.ts'
import { createLanes } from '../util/lanes.ts'
import { type CounterKey, lockCounters, sortKeys, takeBack, writeCounters } from './counters.ts'
import { type Counter, countAttempt, type ThrottleScope } from './policy.ts'

export interface AttemptSource {
  /** What is counted; default `login`. A registration has a budget of its own at each address. */
  readonly purpose?: 'login' | 'registration'
  /** Normalised identifier, or the application's user id: what the account is counted under. Null: no account. */
  readonly account: string | null
  readonly ip: string | undefined
  /** Verified id of a device that this account knows. */
  readonly knownDeviceId?: string
}

export interface Reservation {
  readonly keys: readonly CounterKey[]
  /** Scopes whose last free failure this attempt is, with the instant until which they are then locked. */
  readonly locks: readonly { readonly scope: ThrottleScope; readonly until: number }[]
}

export interface Refusal {
  readonly scope: ThrottleScope
  readonly retryAfterSeconds: number
}

/**
 * Counts failures in the database before a password is looked at: an attempt is a failure until it succeeds, so attempts in
 * parallel cannot slip through between reading and writing a counter.
 *
 * Everybody behind an address shares its counter. So that they do not stand in line for its row, the attempts that an
 * address makes at one time are counted in one transaction, and what is given back to it is written together with the next
 * attempts, or by `settle`. A process that is killed leaves an address a few failures too many, never too few.
 */
export interface Throttle {
  reserve(source: AttemptSource): Promise<{ reservation: Reservation } | { refusal: Refusal }>
  /** Takes the failure back: in `tx` from the account, and once that has committed from the address. */
  release(tx: Transaction, reservation: Reservation, outcome: 'succeeded' | 'withdrawn'): Promise<void>
  /** Writes what is still to be given back to addresses. */
  settle(): Promise<void>
  /** Sets back every counter of an account; the number of counters there were. */
  unlock(tx: Transaction, account: string): Promise<number>
  /** Removes counters that nothing depends on any more; true when there may be more. */
  forget(): Promise<boolean>
}

type Outcome = Awaited<ReturnType<Throttle['reserve']>>

const FORGET_BATCH = 500
/** Attempts of one address in one transaction. Few, because each number of counters is a text that servers prepare. */
const RESERVE_BATCH = 8

export function createThrottle(store: Store, secret: MasterSecret, settings: Settings): Throttle {
  const key = secret.deriveCurrentKey('throttle')
  const reserveTogether = createLanes(RESERVE_BATCH, reserveAll)
  /** Failures to take back from the counters of addresses, by their ids. */
  const owed = new Map<string, { readonly key: CounterKey; readonly failures: number }>()

  function digest(...parts: readonly string[]): string {
    return encodeBase64url(createHmac('sha256', key).update(JSON.stringify(parts), 'utf8').digest())
  }

  function keysOf({ purpose = 'login', account, ip, knownDeviceId }: AttemptSource): CounterKey[] {
    const prefix = ip === undefined ? undefined : addressPrefix(ip)
    const keys: CounterKey[] = []
    if (account !== null) {
      const accountId = digest('account', account)
      const counterpart = knownDeviceId === undefined ? ['address', prefix ?? 'unknown'] : ['device', knownDeviceId]
      keys.push({ id: digest('pair', account, ...counterpart), scope: 'pair', account: accountId })
      if (knownDeviceId === undefined) keys.push({ id: accountId, scope: 'account', account: accountId })
    }
    // An address that nobody could determine must not be a bucket that everybody shares.
    if (prefix !== undefined) {
      const id = purpose === 'login' ? digest('address', prefix) : digest('address', prefix, purpose)
      keys.push({ id, scope: 'address', account: null })
    }
    return sortKeys(keys)
  }

  function owe(addressKey: CounterKey, failures: number): void {
    owed.set(addressKey.id, { key: addressKey, failures: failures + (owed.get(addressKey.id)?.failures ?? 0) })
  }

  /** What is owed to these addresses. Not owed again when it cannot be written: the outcome of a commit may be unknown. */
  function takeOwed(ids: Iterable<string>): typeof owed {
    const taken: typeof owed = new Map()
    for (const id of ids) {
      const debt = owed.get(id)
      if (debt === undefined) continue
      taken.set(id, debt)
      owed.delete(id)
    }
    return taken
  }

  function giveBack(counters: Map<string, Counter>, taken: typeof owed): void {
    for (const [id, { failures }] of taken) {
      const counter = counters.get(id)!
      counters.set(id, { ...counter, failures: Math.max(0, counter.failures - failures) })
    }
  }

  async function reserveAll(attempts: readonly (readonly CounterKey[])[]): Promise<readonly Outcome[]> {
    const keys = sortKeys(new Map(attempts.flat().map((key) => [key.id, key])).values())
    const taken = takeOwed(keys.map(({ id }) => id))
    return store.transaction(async (tx) => {
      const now = settings.clock.now()
      const counters = await lockCounters(tx, keys, now)
      giveBack(counters, taken)
      const outcomes = attempts.map((attempt) => reserveOne(counters, attempt, now))
      if (taken.size > 0 || outcomes.some((outcome) => 'reservation' in outcome)) {
        await writeCounters(tx, keys, counters, now)
      }
      return outcomes
    }, 'relaxed')
  }

  /** Counts in `counters`, or leaves them all as they are and refuses. */
  function reserveOne(counters: Map<string, Counter>, keys: readonly CounterKey[], now: number): Outcome {
    const verdicts = keys.map(({ id, scope }) => countAttempt(scope, counters.get(id)!, now, settings))
    const waits = verdicts.map(({ waitMilliseconds }) => waitMilliseconds)
    const longest = Math.max(...waits)
    if (longest > 0) {
      const { scope } = keys[waits.indexOf(longest)]!
      return { refusal: { scope, retryAfterSeconds: Math.ceil(longest / 1000) } }
    }
    const locks = keys.flatMap(({ id, scope }, place) => {
      const { counter, locks } = verdicts[place]!
      counters.set(id, counter)
      if (!locks) return []
      const seconds =
        scope === 'address' ? settings.throttleAddressWindowSeconds : settings.throttleAccountWindowSeconds
      return [{ scope, until: counter.windowAt + seconds * 1000 }]
    })
    return { reservation: { keys, locks } }
  }

  return {
    async reserve(source) {
      const keys = keysOf(source)
      if (keys.length === 0) return { reservation: { keys, locks: [] } }
      const address = keys.find(({ scope }) => scope === 'address')
      if (address === undefined) return (await reserveAll([keys]))[0]!
      return reserveTogether(address.id, keys)
    },

    async release(tx, { keys }, outcome) {
      const ofAccount = keys.filter(({ scope }) => scope !== 'address')
      if (ofAccount.length > 0) await takeBack(tx, ofAccount, outcome, settings.clock.now())
      tx.afterCommit(() => {
        for (const key of keys) if (key.scope === 'address') owe(key, 1)
      })
    },

    async settle() {
      for (const ids of chunks([...owed.keys()])) {
        const taken = takeOwed(ids)
        // A reservation may have taken them along meanwhile.
        if (taken.size === 0) continue
        const keys = sortKeys([...taken.values()].map(({ key }) => key))
        await store.transaction(async (tx) => {
          const now = settings.clock.now()
          const counters = await lockCounters(tx, keys, now)
          giveBack(counters, taken)
          await writeCounters(tx, keys, counters, now)
        }, 'relaxed')
      }
    },

    async unlock(tx, account) {
      const removed = await tx.db
        .deleteFrom('gatebook_throttle')
        .where('account', '=', digest('account', account))
        .executeTakeFirst()
      return Number(removed.numDeletedRows)
    },

    async forget() {
      const longest = Math.max(settings.throttleAccountWindowSeconds, settings.throttleAddressWindowSeconds)
      const before = settings.clock.now() - longest * 1000
      const stale = await store.read((db) =>
        db
          .selectFrom('gatebook_throttle')
          .select('id')
          .where('updated_at', '<', before)
          .limit(sql.lit(FORGET_BATCH))
          .execute(),
      )
      if (stale.length === 0) return false
      const ids = stale.map(({ id }) => id)
      await store.transaction(async ({ db }) => {
        for (const chunk of chunks(ids)) {
          await db.deleteFrom('gatebook_throttle').where('id', 'in', chunk).where('updated_at', '<', before).execute()
        }
      })
      return stale.length === FORGET_BATCH
    },
  }
}
