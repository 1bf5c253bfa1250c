import { createHmac } from 'node:crypto'
import { type Insertable, type RawBuilder, sql } from 'kysely'
import type { Settings } from '../options.ts'
import type { MasterSecret } from '../secret/master-secret.ts'
import { chunks } from '../store/chunks.ts'
import { ifAbsent } from '../store/insert-if-absent.ts'
import type { Store } from '../store/store.ts'
import type { ThrottleTable } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'
import { addressPrefix } from '../util/address.ts'
import { encodeBase64url } from '../util/base64url.ts'
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

type Counted = 'failures' | 'window_at' | 'free_at' | 'updated_at'

interface Key {
  readonly id: string
  readonly scope: ThrottleScope
  readonly account: string | null
}

export interface Reservation {
  readonly keys: readonly Key[]
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
 */
export interface Throttle {
  reserve(source: AttemptSource): Promise<{ reservation: Reservation } | { refusal: Refusal }>
  /** Takes the failure back. As the last statement of a transaction, since others wait for the row of their address. */
  release(tx: Transaction, reservation: Reservation, outcome: 'succeeded' | 'withdrawn'): Promise<void>
  /** Sets back every counter of an account; the number of counters there were. */
  unlock(tx: Transaction, account: string): Promise<number>
  /** Removes counters that nothing depends on any more; true when there may be more. */
  forget(): Promise<boolean>
}

const FORGET_BATCH = 500
/** Of a row that was unlocked, that is removed, a moment ago. */
const UNTOUCHED: Counter = { failures: 0, windowAt: 0, freeAt: 0 }

export function createThrottle(store: Store, secret: MasterSecret, settings: Settings): Throttle {
  const key = secret.deriveCurrentKey('throttle')

  function digest(...parts: readonly string[]): string {
    return encodeBase64url(createHmac('sha256', key).update(JSON.stringify(parts), 'utf8').digest())
  }

  function keysOf({ purpose = 'login', account, ip, knownDeviceId }: AttemptSource): Key[] {
    const prefix = ip === undefined ? undefined : addressPrefix(ip)
    const keys: Key[] = []
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
    // One order for all, so that two attempts never wait for each other.
    return keys.sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  async function readCounters(tx: Transaction, keys: readonly Key[]): Promise<Map<string, Counter>> {
    let query = tx.db
      .selectFrom('gatebook_throttle')
      .select(['id', 'failures', 'window_at', 'free_at'])
      .where(
        'id',
        'in',
        keys.map(({ id }) => id),
      )
      .orderBy('id')
    if (tx.traits.rowLocks) query = query.forUpdate()
    const rows = await query.execute()
    return new Map(
      rows.map((row) => [
        row.id,
        { failures: row.failures, windowAt: Number(row.window_at), freeAt: Number(row.free_at) },
      ]),
    )
  }

  async function insertMissing(tx: Transaction, keys: readonly Key[], now: number): Promise<void> {
    const rows = keys.map((missing) => ({ ...missing, failures: 0, window_at: now, free_at: 0, updated_at: now }))
    await ifAbsent(tx.db.insertInto('gatebook_throttle').values(rows), tx.traits, 'id').execute()
  }

  /**
   * The rows are there, so this always updates; as an upsert, because that locks the rows in the order in which they are
   * listed, on every engine. A plain UPDATE locks them as it meets them, and two of those may wait for each other.
   */
  async function writeCounters(
    tx: Transaction,
    rows: readonly Insertable<ThrottleTable>[],
    changes: (incoming: (name: Counted) => RawBuilder<number>) => Partial<Record<Counted, RawBuilder<number>>>,
  ): Promise<void> {
    const query = tx.db.insertInto('gatebook_throttle').values(rows)
    await (tx.traits.conflictClause === 'on-conflict'
      ? query.onConflict((conflict) =>
          conflict.column('id').doUpdateSet(changes((name) => sql`${sql.ref(`excluded.${name}`)}`)),
        )
      : query.onDuplicateKeyUpdate(changes((name) => sql`values(${sql.ref(name)})`))
    ).execute()
  }

  return {
    async reserve(source) {
      const keys = keysOf(source)
      if (keys.length === 0) return { reservation: { keys, locks: [] } }
      return store.transaction(async (tx) => {
        const now = settings.clock.now()
        let counters = await readCounters(tx, keys)
        const missing = keys.filter(({ id }) => !counters.has(id))
        if (missing.length > 0) {
          await insertMissing(tx, missing, now)
          counters = await readCounters(tx, keys)
        }
        const verdicts = keys.map(({ id, scope }) => countAttempt(scope, counters.get(id) ?? UNTOUCHED, now, settings))
        const waits = verdicts.map(({ waitMilliseconds }) => waitMilliseconds)
        const longest = Math.max(...waits)
        if (longest > 0) {
          const { scope } = keys[waits.indexOf(longest)]!
          return { refusal: { scope, retryAfterSeconds: Math.ceil(longest / 1000) } }
        }
        await writeCounters(
          tx,
          keys.map((row, place) => {
            const { failures, windowAt, freeAt } = verdicts[place]!.counter
            return { ...row, failures, window_at: windowAt, free_at: freeAt, updated_at: now }
          }),
          (incoming) => ({
            failures: incoming('failures'),
            window_at: incoming('window_at'),
            free_at: incoming('free_at'),
            updated_at: incoming('updated_at'),
          }),
        )
        const locks = keys.flatMap(({ scope }, place) => {
          const verdict = verdicts[place]!
          if (!verdict.locks) return []
          const seconds =
            scope === 'address' ? settings.throttleAddressWindowSeconds : settings.throttleAccountWindowSeconds
          return [{ scope, until: verdict.counter.windowAt + seconds * 1000 }]
        })
        return { reservation: { keys, locks } }
      })
    },

    async release(tx, { keys }, outcome) {
      if (keys.length === 0) return
      const now = settings.clock.now()
      const oneLess = sql<number>`case when gatebook_throttle.failures > 0 then gatebook_throttle.failures - 1 else 0 end`
      // A success proves that who sits at this address knows the password; it proves nothing about the rest of the account.
      const afterSuccess = sql<number>`case when gatebook_throttle.scope = 'pair' then 0 else ${oneLess} end`
      await writeCounters(
        tx,
        keys.map((row) => ({ ...row, failures: 0, window_at: now, free_at: 0, updated_at: now })),
        (incoming) => ({
          failures: outcome === 'succeeded' ? afterSuccess : oneLess,
          free_at: incoming('free_at'),
          updated_at: incoming('updated_at'),
        }),
      )
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
