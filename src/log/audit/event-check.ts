import type { Selectable } from 'kysely'
import { compareColumns, type EventFaults, type StoredColumns } from '../../event/compare-columns.ts'
import type { Leaf } from '../../event/parse-leaf.ts'
import { chunks } from '../../store/chunks.ts'
import type { Store } from '../../store/store.ts'
import type { EventTable } from '../../store/tables.ts'
import { addressKey } from '../../util/address.ts'
import { parseSubjectNumber } from '../append.ts'

/** An event as the database has it, without what only people read. Numbers may be text there. */
export type StoredEvent = Omit<Selectable<EventTable>, 'number'>

/** What an audit reads of an event. */
export const AUDITED_COLUMNS: readonly (keyof StoredEvent)[] = [
  ...(['id', 'type', 'outcome', 'reason', 'at', 'actor_kind', 'actor_id', 'subject_id', 'subject_number'] as const),
  ...(['identifier', 'identifier_mask', 'identifier_hmac', 'identifier_key', 'session_id', 'token_id'] as const),
  ...(['method', 'ip', 'ip_key', 'ip_source', 'user_agent', 'device_id', 'request_id', 'trace_id', 'data'] as const),
  ...(['salt_id', 'salt_net'] as const),
]

export async function readEvents(store: Store, ids: readonly string[]): Promise<Map<string, StoredEvent>> {
  const found = new Map<string, StoredEvent>()
  for (const chunk of chunks(ids)) {
    const rows = await store.read((db) =>
      db.selectFrom('gatebook_event').select(AUDITED_COLUMNS).where('id', 'in', chunk).execute(),
    )
    for (const row of rows) found.set(row.id, row)
  }
  return found
}

/** Null when everything fits and nothing was forgotten. */
export function compareEvent(leaf: Leaf, row: StoredEvent): EventFaults | null {
  const faults = compareColumns(leaf, row as StoredColumns)
  const derived = findDerived(row)
  if (derived.length === 0) return faults
  return { openings: [], missing: [], ...faults, columns: [...(faults?.columns ?? []), ...derived] }
}

/** Columns that follow from others and are searched in their place. */
function findDerived(row: StoredEvent): string[] {
  const wrong: string[] = []
  const number = row.subject_id === null ? null : parseSubjectNumber(String(row.subject_id))
  const stored = row.subject_number === null ? null : String(row.subject_number)
  if ((number === null ? null : String(number)) !== stored) wrong.push('subject_number')
  if (keyOf(row.ip) !== row.ip_key) wrong.push('ip_key')
  return wrong
}

const KEPT_ADDRESSES = 4096
const addressKeys = new Map<string, string | null>()

/** Many events come from few addresses, and to parse one takes as long as to hash all of an event. */
function keyOf(ip: string | null): string | null {
  if (ip === null) return null
  const known = addressKeys.get(ip)
  if (known !== undefined) return known
  if (addressKeys.size >= KEPT_ADDRESSES) addressKeys.clear()
  const key = computeKey(ip)
  addressKeys.set(ip, key)
  return key
}

function computeKey(ip: string): string | null {
  try {
    return addressKey(ip)
  } catch {
    return null
  }
}
