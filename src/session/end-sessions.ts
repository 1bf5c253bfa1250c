import type { SessionEndReason } from '../event/catalogue.ts'
import type { NewEvent } from '../event/event.ts'
import type { EventLog } from '../log/log.ts'
import type { Settings } from '../options.ts'
import { chunks } from '../store/chunks.ts'
import type { RevocationTable } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'
import { CLOCK_SKEW_SECONDS } from '../token/claims.ts'
import type { RevocationList } from '../token/revocations.ts'
import { lockHandedOver } from './session-row.ts'

/** Who did it and from where; the rest of the event follows from the session. */
export type EventSource = Pick<NewEvent, 'actor' | 'network' | 'requestId' | 'traceId'>

export interface EndedSession {
  readonly id: string
  readonly subject_id: string
  readonly access_expires_at: number
}

export interface SessionEnder {
  /**
   * Ends sessions that are live and locked by this transaction: the rows, the revocations and one session.ended each.
   * This process refuses their access tokens from the commit on, others from their next poll.
   */
  end(tx: Transaction, sessions: readonly EndedSession[], reason: SessionEndReason, source: EventSource): Promise<void>
  /** The same of one session, with those of applications that came of it by hand-over. */
  endWithHandedOver(
    tx: Transaction,
    session: EndedSession,
    reason: SessionEndReason,
    source: EventSource,
  ): Promise<void>
  /** Makes access tokens of a smaller generation stale, for sessions that live on. */
  markStale(tx: Transaction, sessions: readonly EndedSession[], generation: number): Promise<void>
}

export function createSessionEnder(
  log: EventLog,
  revocations: Pick<RevocationList, 'note'>,
  settings: Settings,
): SessionEnder {
  const { clock } = settings

  async function revoke(
    tx: Transaction,
    sessions: readonly EndedSession[],
    { kind, generation, reason }: Pick<RevocationTable, 'kind' | 'generation' | 'reason'>,
  ): Promise<void> {
    const at = clock.now()
    // A session whose access tokens have all expired needs nothing; a clock of another process may be behind.
    const rows = sessions
      .map(({ id, access_expires_at }) => ({ id, forgetAt: Number(access_expires_at) + CLOCK_SKEW_SECONDS * 1000 }))
      .filter(({ forgetAt }) => forgetAt > at)
    if (rows.length === 0) return
    for (const chunk of chunks(rows)) {
      await tx.db
        .insertInto('gatebook_revocation')
        .values(
          chunk.map(({ id, forgetAt }) => ({ session_id: id, kind, generation, reason, at, forget_at: forgetAt })),
        )
        .execute()
    }
    tx.afterCommit(() =>
      revocations.note(
        rows.map(({ id, forgetAt }) => ({ sessionId: id, ended: kind === 'ended', generation, reason, forgetAt })),
      ),
    )
  }

  const end: SessionEnder['end'] = async (tx, sessions, reason, source) => {
    if (sessions.length === 0) return
    const ended = { ended_at: clock.now(), end_reason: reason }
    for (const chunk of chunks(sessions.map(({ id }) => id))) {
      await tx.db.updateTable('gatebook_session').set(ended).where('id', 'in', chunk).execute()
    }
    await revoke(tx, sessions, { kind: 'ended', generation: 0, reason })
    await log.append(
      tx,
      sessions.map((session) => ({
        ...source,
        type: 'session.ended',
        outcome: 'success',
        reason,
        subject: session.subject_id,
        sessionId: session.id,
      })),
    )
  }

  return {
    end,
    async endWithHandedOver(tx, session, reason, source) {
      await end(tx, [session, ...(await lockHandedOver(tx, session))], reason, source)
    },

    async markStale(tx, sessions, generation) {
      if (sessions.length > 0) await revoke(tx, sessions, { kind: 'stale', generation, reason: null })
    },
  }
}
