import type { Insertable } from 'kysely'
import { type EncodedEvent, encodeEvent } from '../event/encode.ts'
import type { MasterSecret } from '../secret/master-secret.ts'
import { chunks } from '../store/chunks.ts'
import { type KeptStatement, keepStatement } from '../store/kept-statement.ts'
import type { EventTable, QueueTable } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'
import { addressKey } from '../util/address.ts'
import type { Clock } from '../util/clock.ts'
import { generateId } from '../util/id.ts'
import { computeLeafHash, computeWriterMac } from './leaf.ts'
import type { EventLog } from './log.ts'

export interface EventLogOptions {
  readonly clock: Clock
  readonly secret: MasterSecret
  /** Called after the commit. */
  readonly onAppended: (events: readonly AppendedEvent[]) => void
}

export interface AppendedEvent {
  readonly id: string
  readonly leafHash: Uint8Array
}

export function createEventLog({ clock, secret, onAppended }: EventLogOptions): EventLog {
  const macKey = secret.deriveCurrentKey('writer-mac')

  return {
    async append(tx, events) {
      if (events.length === 0) return []
      const at = clock.now()
      const encoded = events.map((event) => hashed(encodeEvent(event, generateId('event', at), at)))
      for (const chunk of chunks(encoded)) {
        if (tx.traits.queued) await insertQueued(tx, chunk, macKey)
        else {
          await insertEvents(tx, eventRows(chunk))
          await insertEntries(tx, chunk, macKey)
        }
      }
      tx.afterCommit(() => onAppended(encoded.map(({ columns, leafHash }) => ({ id: columns.id, leafHash }))))
      return encoded.map(({ columns }) => columns.id)
    },
  }
}

type EventRow = Insertable<EventTable>

interface HashedEvent extends EncodedEvent {
  readonly leafHash: Uint8Array
}

function hashed(encoded: EncodedEvent): HashedEvent {
  return { ...encoded, leafHash: computeLeafHash(encoded.leaf) }
}

function eventRows(encoded: readonly EncodedEvent[]): EventRow[] {
  return encoded.map(({ columns }) => ({
    ...columns,
    subject_number: columns.subject_id === null ? null : parseSubjectNumber(columns.subject_id),
    ip_key: columns.ip === null ? null : addressKey(columns.ip),
  }))
}

interface QueuedEvent {
  readonly event: EventRow
  readonly queued: Insertable<QueueTable>
}

async function insertQueued(tx: Transaction, encoded: readonly HashedEvent[], macKey: Uint8Array): Promise<void> {
  const events = eventRows(encoded)
  const rows = encoded.map(({ columns, leaf, leafHash }, place) => ({
    event: events[place]!,
    queued: {
      event_id: columns.id,
      leaf,
      mac: computeWriterMac(macKey, columns.id, leafHash),
      rejected_at: null,
    },
  }))
  if (tx.traits.insertsInWith) {
    await insertBoth(tx, rows)
    return
  }
  await insertEvents(tx, events)
  await insertQueue(tx, rows)
}

/** Each log-in comes here. */
export const insertEvents: KeptStatement<EventRow> = keepStatement(
  ({ db }, rows: readonly EventRow[]) => db.insertInto('gatebook_event').values(rows),
  (row) => [row],
)

const insertQueue = keepStatement(
  ({ db }, rows: readonly QueuedEvent[]) => db.insertInto('gatebook_queue').values(rows.map(({ queued }) => queued)),
  ({ queued }) => [queued],
)

const insertBoth = keepStatement(
  ({ db }, rows: readonly QueuedEvent[]) =>
    db
      .with('event', (each) => each.insertInto('gatebook_event').values(rows.map(({ event }) => event)))
      .insertInto('gatebook_queue')
      .values(rows.map(({ queued }) => queued)),
  ({ event, queued }) => [event, queued],
)

/** With one writer there is no order but that of the commits, so an entry has its place at once. */
async function insertEntries(tx: Transaction, encoded: readonly HashedEvent[], macKey: Uint8Array): Promise<void> {
  const { size } = await tx.db
    .updateTable('gatebook_log_state')
    .set((eb) => ({ size: eb('size', '+', encoded.length) }))
    .where('id', '=', 1)
    .returning('size')
    .executeTakeFirstOrThrow()
  const rows = encoded.map(({ columns, leaf, leafHash }, place) => ({
    log_index: size - encoded.length + place,
    event_id: columns.id,
    leaf,
    leaf_hash: leafHash,
    mac: computeWriterMac(macKey, columns.id, leafHash),
  }))
  await tx.db.insertInto('gatebook_entry').values(rows).execute()
}

const INT64_MAX = 9_223_372_036_854_775_807n

/** The id as a 64-bit integer where it is one; as text beyond what a JavaScript number holds. */
export function parseSubjectNumber(subjectId: string): number | string | null {
  if (!/^(0|[1-9][0-9]{0,18})$/.test(subjectId) || BigInt(subjectId) > INT64_MAX) return null
  const number = Number(subjectId)
  return Number.isSafeInteger(number) ? number : subjectId
}
