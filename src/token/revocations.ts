import { sql } from 'kysely'
import { chunks } from '../store/chunks.ts'
import type { Store } from '../store/store.ts'
import type { Clock } from '../util/clock.ts'
import { startElapsed } from '../util/elapsed.ts'
import { CLOCK_SKEW_SECONDS } from './claims.ts'
import { readFeedEpoch } from './feed-epoch.ts'
import { createNumberGaps, type NumberGaps } from './number-gaps.ts'
import { readRevocationRows } from './revocation-rows.ts'
import { createRevokedSessions, type Revocation, type RevokedSessions } from './revoked-sessions.ts'

/** The sessions whose access tokens must be refused although they have not expired. Asking costs no query. */
export interface RevocationList {
  readonly sessions: Pick<RevokedSessions, 'leastGeneration' | 'reasonOf' | 'size'>
  /** What of the numbers was seen here. */
  readonly gaps: Pick<NumberGaps, 'last' | 'list'>
  /** What this process has just committed. */
  note(revocations: readonly Revocation[]): void
  /** Reads what others have committed. */
  poll(): Promise<void>
  /** Grows with everything that is noted or read. */
  version(): number
  /** Settles when there is another version than this one, or after so many milliseconds; false when nobody waits any more. */
  change(version: number, milliseconds: number, signal?: AbortSignal): Promise<boolean>
  /** Lets nobody wait any more. */
  close(): void
  /** Removes rows that no token depends on any more; true when there may be more. */
  forget(): Promise<boolean>
  /** Milliseconds since the last poll that succeeded began. By a clock that nobody sets. */
  staleMilliseconds(): number
}

/** Numbers that are missed for longer are looked for less often. */
const YOUNG_MILLISECONDS = 60_000
const OLD_EVERY = 10
const FORGET_BATCH = 1000
const WAITING_MOST = 10_000

export function createRevocationList(store: Store, clock: Clock, accessTokenSeconds: number): RevocationList {
  const sessions = createRevokedSessions()
  let gaps = createNumberGaps()
  const waiting = new Set<() => void>()
  /** A row that shows up after so long concerns no token that is still valid. */
  const patience = (accessTokenSeconds + CLOCK_SKEW_SECONDS) * 1000 + YOUNG_MILLISECONDS
  let polls = 0
  let version = 0
  let closed = false
  let sinceFresh = () => Number.POSITIVE_INFINITY
  let epoch: string | null = null

  function wake(): void {
    version += 1
    for (const go of [...waiting]) go()
  }

  async function readNew(now: number): Promise<number> {
    let found = 0
    let last = gaps.last
    let missing = gaps.list(polls++ % OLD_EVERY === 0 ? undefined : now - YOUNG_MILLISECONDS)
    for (;;) {
      const { rows, more } = await readRevocationRows(store, { last, missing })
      for (const row of rows) {
        gaps.see(row.seq, now)
        if (row.forgetAt > now && sessions.note(row, now)) found += 1
      }
      if (!more) return found
      const cut = rows.at(-1)!.seq
      last = Math.max(last, cut)
      missing = missing.filter(({ to }) => to > cut).map(({ from, to }) => ({ from: Math.max(from, cut + 1), to }))
    }
  }

  return {
    sessions,
    get gaps() {
      return gaps
    },

    note(revocations) {
      const now = clock.now()
      for (const revocation of revocations) sessions.note(revocation, now)
      wake()
    },

    async poll() {
      const elapsed = startElapsed()
      const now = clock.now()
      const current = await readFeedEpoch(store)
      // Somebody knows that numbers may begin again. What is known of sessions stays: it is never too much.
      if (epoch !== null && current !== epoch) gaps = createNumberGaps()
      epoch = current
      gaps.forget(now - patience)
      const found = await readNew(now)
      sinceFresh = elapsed
      sessions.forget(now)
      if (found > 0) wake()
    },

    version: () => version,

    change(known, milliseconds, signal) {
      if (closed || waiting.size >= WAITING_MOST || signal?.aborted === true) return Promise.resolve(false)
      if (known !== version) return Promise.resolve(true)
      return new Promise((resolve) => {
        const go = () => {
          clearTimeout(timer)
          waiting.delete(go)
          signal?.removeEventListener('abort', go)
          resolve(!closed && signal?.aborted !== true)
        }
        const timer = setTimeout(go, milliseconds)
        waiting.add(go)
        signal?.addEventListener('abort', go, { once: true })
      })
    },

    close() {
      closed = true
      wake()
    },

    async forget() {
      const now = clock.now()
      const rows = await store.read((db) =>
        db
          .selectFrom('gatebook_revocation')
          .select('seq')
          .where('forget_at', '<', now)
          .limit(sql.lit(FORGET_BATCH))
          .execute(),
      )
      if (rows.length === 0) return false
      const seqs = rows.map(({ seq }) => Number(seq))
      await store.transaction(async ({ db }) => {
        for (const chunk of chunks(seqs)) await db.deleteFrom('gatebook_revocation').where('seq', 'in', chunk).execute()
      })
      return rows.length === FORGET_BATCH
    },

    staleMilliseconds: () => sinceFresh(),
  }
}
