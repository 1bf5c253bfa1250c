import type { Selectable } from 'kysely'
import { sql } from 'kysely'
import { chunks } from '../store/chunks.ts'
import type { Store } from '../store/store.ts'
import type { RevocationTable } from '../store/tables.ts'
import type { Clock } from '../util/clock.ts'

export interface Revocation {
  readonly sessionId: string
  readonly ended: boolean
  /** Access tokens of a smaller generation are stale. */
  readonly generation: number
  /** When no access token of before can be valid any more. */
  readonly forgetAt: number
}

/** The sessions whose access tokens must be refused although they have not expired. Asking costs no query. */
export interface RevocationList {
  find(sessionId: string): Revocation | null
  /** What this process has just committed. */
  note(revocation: Revocation): void
  /** Reads what others have committed. */
  poll(): Promise<void>
  /** Removes rows that no token depends on any more; true when there may be more. */
  forget(): Promise<boolean>
  /** Epoch milliseconds of the last successful poll. */
  asOf(): number
  size(): number
}

/** A number that has not shown up after so long belongs to a transaction that was rolled back. */
const GAP_PATIENCE = 60_000
const GAP_LOOKBACK = 1000
const BATCH = 1000

type Row = Selectable<RevocationTable>

export function createRevocationList(store: Store, clock: Clock): RevocationList {
  const revocations = new Map<string, Revocation>()
  /** Numbers below `last` that have not been seen, with the instant at which they were first missed. */
  const gaps = new Map<number, number>()
  let last = 0
  let asOf = 0

  function note(revocation: Revocation): void {
    const known = revocations.get(revocation.sessionId)
    revocations.set(revocation.sessionId, {
      sessionId: revocation.sessionId,
      ended: revocation.ended || known?.ended === true,
      generation: Math.max(revocation.generation, known?.generation ?? 0),
      forgetAt: Math.max(revocation.forgetAt, known?.forgetAt ?? 0),
    })
  }

  /** Numbers are given before the commit, so a smaller one can become visible after a larger one. */
  function follow(seq: number, now: number): void {
    gaps.delete(seq)
    if (seq <= last) return
    for (let missing = Math.max(last + 1, seq - GAP_LOOKBACK); missing < seq; missing++) gaps.set(missing, now)
    last = seq
  }

  function startOfReading(now: number): number {
    for (const [seq, missedAt] of gaps) if (now - missedAt > GAP_PATIENCE) gaps.delete(seq)
    return gaps.size === 0 ? last : Math.min(...gaps.keys()) - 1
  }

  async function readPage(after: number): Promise<Row[]> {
    return store.read((db) =>
      db
        .selectFrom('gatebook_revocation')
        .selectAll()
        .where('seq', '>', after)
        .orderBy('seq')
        .limit(sql.lit(BATCH))
        .execute(),
    )
  }

  return {
    find: (sessionId) => revocations.get(sessionId) ?? null,
    note,

    async poll() {
      const now = clock.now()
      let after = startOfReading(now)
      for (;;) {
        const rows = await readPage(after)
        for (const row of rows) {
          const seq = Number(row.seq)
          after = seq
          follow(seq, now)
          const forgetAt = Number(row.forget_at)
          if (forgetAt > now) {
            note({ sessionId: row.session_id, ended: row.kind === 'ended', generation: row.generation, forgetAt })
          }
        }
        if (rows.length < BATCH) break
      }
      asOf = now
      for (const [sessionId, { forgetAt }] of revocations) if (forgetAt <= now) revocations.delete(sessionId)
    },

    async forget() {
      const now = clock.now()
      const rows = await store.read((db) =>
        db.selectFrom('gatebook_revocation').select('seq').where('forget_at', '<', now).limit(sql.lit(BATCH)).execute(),
      )
      if (rows.length === 0) return false
      const seqs = rows.map(({ seq }) => Number(seq))
      await store.transaction(async ({ db }) => {
        for (const chunk of chunks(seqs)) await db.deleteFrom('gatebook_revocation').where('seq', 'in', chunk).execute()
      })
      return rows.length === BATCH
    },

    asOf: () => asOf,
    size: () => revocations.size,
  }
}
