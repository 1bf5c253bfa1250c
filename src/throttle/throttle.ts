import { createHmac } from 'node:crypto'
import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely'
import type { Settings } from '../options.ts'
import type { MasterSecret } from '../secret/master-secret.ts'
import { chunks } from '../store/chunks.ts'
import type { Store } from '../store/store.ts'
import type { Tables } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'
import { addressPrefix } from '../util/address.ts'
import { encodeBase64url } from '../util/base64url.ts'
import { createLanes } from '../util/lanes.ts'
import { type CountedKey, type CounterKey, lockCounters, sortKeys, takeBack, writeCounters } from './counters.ts'
import { type Counter, countAttempt, type ThrottleScope, windowOf } from './policy.ts'

export interface AttemptSource {
  /**
   * What is counted; default `login`. Each of the others has a budget of its own at each address, and those that send mail
   * have one for each account in the place of its failures.
   */
  readonly purpose?: 'login' | 'registration' | 'confirmation' | 'reset'
  /** Normalised identifier, or the application's user id: what the account is counted under. Null: no account. */
  readonly account: string | null
  readonly ip: string | undefined
  /** Verified id of a device that this account knows. */
  readonly knownDeviceId?: string
}

export interface Reservation {
  readonly keys: readonly CountedKey[]
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
  /** Sets back every counter of an account; the number of those that had counted anything. */
  unlock(tx: Transaction, account: string): Promise<number>
  /** How many counters an account has, those of mail too. */
  count(account: string): Promise<number>
  /** Removes every counter of an account, those of mail too; how many there were. */
  erase(account: string): Promise<number>
  /** Removes counters that nothing depends on any more; true when there may be more. */
  forget(): Promise<boolean>
}

/** Failures of one window that are to be taken back from the counter of an address. */
interface Debt {
  readonly key: CounterKey
  readonly windowAt: number
  readonly failures: number
}

type Outcome = Awaited<ReturnType<Throttle['reserve']>>

const FORGET_BATCH = 500
/** Attempts of one address in one transaction. Few, because each number of counters is a text that servers prepare. */
const RESERVE_BATCH = 8

export function createThrottle(store: Store, secret: MasterSecret, settings: Settings): Throttle {
  const key = secret.deriveCurrentKey('throttle')
  const reserveTogether = createLanes(RESERVE_BATCH, reserveAll)
  /** Failures to take back from the counters of addresses, by their ids. */
  const owed = new Map<string, Debt>()

  function digest(...parts: readonly string[]): string {
    return encodeBase64url(createHmac('sha256', key).update(JSON.stringify(parts), 'utf8').digest())
  }

  function keysOf({ purpose = 'login', account, ip, knownDeviceId }: AttemptSource): CounterKey[] {
    const prefix = ip === undefined ? undefined : addressPrefix(ip)
    const keys: CounterKey[] = []
    if (account !== null && (purpose === 'reset' || purpose === 'confirmation')) {
      keys.push({ id: digest('mail', account, purpose), scope: 'mail', account: null })
    } else if (account !== null) {
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

  function isOfAccount(account: string): (eb: ExpressionBuilder<Tables, 'gatebook_throttle'>) => Expression<SqlBool> {
    const mails = (['confirmation', 'reset'] as const).map((purpose) => digest('mail', account, purpose))
    return (eb) => eb.or([eb('account', '=', digest('account', account)), eb('id', 'in', mails)])
  }

  /** What is owed to an earlier window is void: the address has begun anew. */
  function owe(debt: Debt): void {
    const known = owed.get(debt.key.id)
    if (known === undefined || known.windowAt < debt.windowAt) owed.set(debt.key.id, debt)
    else if (known.windowAt === debt.windowAt) {
      owed.set(debt.key.id, { ...known, failures: known.failures + debt.failures })
    }
  }

  function takeOwed(keys: readonly CounterKey[]): readonly Debt[] {
    return keys.flatMap(({ id }) => {
      const debt = owed.get(id)
      owed.delete(id)
      return debt === undefined ? [] : [debt]
    })
  }

  /** Locks the counters of `keys`, gives back what is owed to them, and writes what `count` makes of them. */
  async function countTogether<T>(
    keys: readonly CounterKey[],
    count: (counters: Map<string, Counter>, now: number) => { readonly result: T; readonly changed: boolean },
  ): Promise<T> {
    const debts = takeOwed(keys)
    let written = false
    try {
      return await store.transaction(async (tx) => {
        written = false
        const now = settings.clock.now()
        const counters = await lockCounters(tx, keys, now)
        for (const { key, failures, windowAt } of debts) {
          const counter = counters.get(key.id)!
          if (counter.windowAt !== windowAt) continue
          counters.set(key.id, { ...counter, failures: Math.max(0, counter.failures - failures) })
        }
        const { result, changed } = count(counters, now)
        if (changed || debts.length > 0) await writeCounters(tx, keys, counters, now)
        written = true
        return result
      }, 'relaxed')
    } catch (error) {
      // What a commit has come to may be unknown; what failed before it was sent has changed nothing.
      if (!written) for (const debt of debts) owe(debt)
      throw error
    }
  }

  async function reserveAll(attempts: readonly (readonly CounterKey[])[]): Promise<readonly Outcome[]> {
    const keys = sortKeys(new Map(attempts.flat().map((key) => [key.id, key])).values())
    return countTogether(keys, (counters, now) => {
      const result = attempts.map((attempt) => reserveOne(counters, attempt, now))
      return { result, changed: result.some((outcome) => 'reservation' in outcome) }
    })
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
      if (!locks || scope === 'pair') return []
      return [{ scope, until: counter.windowAt + windowOf(scope, settings)[1] * 1000 }]
    })
    return { reservation: { keys: keys.map((key) => ({ ...key, windowAt: counters.get(key.id)!.windowAt })), locks } }
  }

  return {
    async reserve(source) {
      const keys = keysOf(source)
      if (keys.length === 0) return { reservation: { keys: [], locks: [] } }
      const address = keys.find(({ scope }) => scope === 'address')
      if (address === undefined) return (await reserveAll([keys]))[0]!
      return reserveTogether(address.id, keys)
    },

    async release(tx, { keys }, outcome) {
      const ofAccount = keys.filter(({ scope }) => scope !== 'address')
      if (ofAccount.length > 0) await takeBack(tx, ofAccount, outcome, settings.clock.now())
      tx.afterCommit(() => {
        for (const { windowAt, ...key } of keys) if (key.scope === 'address') owe({ key, windowAt, failures: 1 })
      })
    },

    async settle() {
      for (const debts of chunks([...owed.values()])) {
        // A reservation may have taken some along meanwhile.
        const keys = sortKeys(debts.flatMap(({ key }) => (owed.has(key.id) ? [key] : [])))
        if (keys.length > 0) await countTogether(keys, () => ({ result: undefined, changed: false }))
      }
    },

    async unlock(tx, account) {
      const removed = await tx.db
        .deleteFrom('gatebook_throttle')
        .where('account', '=', digest('account', account))
        .where('failures', '>', 0)
        .executeTakeFirst()
      return Number(removed.numDeletedRows)
    },

    async count(account) {
      const { counters } = await store.read((db) =>
        db
          .selectFrom('gatebook_throttle')
          .select((eb) => eb.fn.countAll<number>().as('counters'))
          .where(isOfAccount(account))
          .executeTakeFirstOrThrow(),
      )
      return Number(counters)
    },

    async erase(account) {
      for (let removed = 0; ; ) {
        const ids = await store.read((db) =>
          db
            .selectFrom('gatebook_throttle')
            .select('id')
            .where(isOfAccount(account))
            .limit(sql.lit(FORGET_BATCH))
            .execute(),
        )
        if (ids.length === 0) return removed
        await store.transaction(async ({ db }) => {
          for (const chunk of chunks(ids.map(({ id }) => id))) {
            await db.deleteFrom('gatebook_throttle').where('id', 'in', chunk).execute()
          }
        })
        removed += ids.length
      }
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
