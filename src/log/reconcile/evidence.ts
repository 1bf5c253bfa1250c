import { findDifference, type StoredColumns } from '../../event/compare-columns.ts'
import { type Leaf, LeafError, parseLeaf } from '../../event/parse-leaf.ts'
import { chunks } from '../../store/chunks.ts'
import type { Store } from '../../store/store.ts'
import type { DiscrepancyCode } from './discrepancies.ts'

/** An entry as it was found: in the log, or in the queue while it waits for its place. */
export interface FoundEntry {
  readonly eventId: string
  /** Null while it waits. */
  readonly logIndex: number | null
  readonly leaf: Uint8Array
  readonly mac: Uint8Array | null
}

export type EventColumnsRow = StoredColumns & { readonly number: number }

/** An event that its entry proves. */
export interface Proven {
  readonly leaf: Leaf
  readonly columns: EventColumnsRow
  /** Orders events: by their places in the log, and behind them those that wait. */
  readonly place: number
}

/** An event row that proves nothing. */
export interface Unproven {
  readonly code: DiscrepancyCode
  readonly columns: EventColumnsRow
  readonly detail: string
}

export function isProven(event: Proven | Unproven): event is Proven {
  return 'leaf' in event
}

/** The columns that an event is compared by, and what it was found by. */
export const EVIDENCE_COLUMNS = [
  ...['number', 'id', 'type', 'outcome', 'reason', 'at', 'actor_kind', 'actor_id', 'subject_id'],
  ...['identifier', 'identifier_mask', 'identifier_hmac', 'identifier_key', 'session_id', 'token_id', 'method'],
  ...['ip', 'ip_source', 'user_agent', 'device_id', 'request_id', 'trace_id', 'data', 'salt_id', 'salt_net'],
] as readonly (keyof EventColumnsRow)[]

/** Behind every place that an entry can have. */
const WAITING = 2 ** 52

/**
 * Reads the entries of events and compares them. Two look-ups by key an event; for one that has no entry yet, and there are a
 * few at most while a sequencer runs, the queue is searched.
 */
export async function proveEvents(
  store: Store,
  rows: readonly EventColumnsRow[],
  isAuthentic: (entry: FoundEntry) => boolean,
): Promise<readonly (Proven | Unproven)[]> {
  const entries = await readEntries(store, [...new Set(rows.map(({ id }) => id))])
  return rows.map((columns) => {
    const unproven = (code: DiscrepancyCode, what: string): Unproven => ({
      code,
      columns,
      detail: `${what}: ${columns.id}`,
    })
    const found = entries.get(columns.id)
    if (found === undefined) return unproven('event-without-entry', 'no entry')
    if (!isAuthentic(found)) return unproven('event-not-authentic', 'neither a checkpoint nor a writer vouches for it')
    try {
      const leaf = parseLeaf(found.leaf)
      const differing = findDifference(leaf, columns)
      return differing === null
        ? { leaf, columns, place: found.place }
        : unproven('event-differs', `${differing} differs from the entry`)
    } catch (error) {
      if (!(error instanceof LeafError)) throw error
      return unproven('event-malformed', error.message)
    }
  })
}

type Placed = FoundEntry & { readonly place: number }

async function readEntries(store: Store, ids: readonly string[]): Promise<ReadonlyMap<string, Placed>> {
  const found = new Map<string, Placed>()
  const missing = (): string[] => ids.filter((id) => !found.has(id))
  await addSequenced(store, ids, found)
  if (missing().length === 0) return found
  await addWaiting(store, missing(), found)
  // What was moved between the two looks is in the log by now.
  if (store.traits.queued && missing().length > 0) await addSequenced(store, missing(), found)
  return found
}

async function addSequenced(store: Store, ids: readonly string[], found: Map<string, Placed>): Promise<void> {
  for (const chunk of chunks(ids)) {
    const rows = await store.read((db) =>
      db
        .selectFrom('gatebook_entry')
        .select(['log_index', 'event_id', 'leaf', 'mac'])
        .where('event_id', 'in', chunk)
        .execute(),
    )
    for (const { event_id: eventId, log_index: index, leaf, mac } of rows) {
      found.set(eventId, { eventId, logIndex: Number(index), place: Number(index), leaf, mac })
    }
  }
}

async function addWaiting(store: Store, ids: readonly string[], found: Map<string, Placed>): Promise<void> {
  if (!store.traits.queued) return
  for (const chunk of chunks(ids)) {
    const rows = await store.read((db) =>
      db
        .selectFrom('gatebook_queue')
        .select(['number', 'event_id', 'leaf', 'mac'])
        .where('event_id', 'in', chunk)
        // What the sequencer has refused is no evidence for anything.
        .where('rejected_at', 'is', null)
        .execute(),
    )
    for (const { event_id: eventId, number, leaf, mac } of rows) {
      found.set(eventId, { eventId, logIndex: null, place: WAITING + Number(number), leaf, mac })
    }
  }
}
