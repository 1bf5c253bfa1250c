import type { Selectable } from 'kysely'
import type { Outcome } from '../event/catalogue.ts'
import type { ActorKind, AddressSource, EventData, LogEvent } from '../event/event.ts'
import type { EventTable } from '../store/tables.ts'

/** The columns that are read back: all but the salts and what only the engine needs. */
type ReadColumn = Exclude<keyof EventTable, 'salt_id' | 'salt_net' | 'ip_key' | 'subject_number' | 'identifier_key'>

export const EVENT_COLUMNS: readonly ReadColumn[] = [
  'number',
  'id',
  'type',
  'outcome',
  'reason',
  'at',
  'actor_kind',
  'actor_id',
  'subject_id',
  'identifier',
  'identifier_mask',
  'identifier_hmac',
  'session_id',
  'token_id',
  'method',
  'ip',
  'ip_source',
  'user_agent',
  'device_id',
  'request_id',
  'trace_id',
  'data',
]

export type EventRow = Pick<Selectable<EventTable>, ReadColumn>

export function toLogEvent(row: EventRow): LogEvent {
  return {
    number: Number(row.number),
    id: row.id,
    type: row.type,
    outcome: row.outcome as Outcome,
    reason: row.reason,
    at: Number(row.at),
    actor: { kind: row.actor_kind as ActorKind, id: row.actor_id },
    subject: row.subject_id,
    identifier: row.identifier,
    identifierMask: row.identifier_mask,
    identifierHmac: row.identifier_hmac,
    sessionId: row.session_id,
    tokenId: row.token_id,
    method: row.method,
    ip: row.ip,
    ipSource: row.ip_source as AddressSource | null,
    userAgent: row.user_agent,
    deviceId: row.device_id,
    requestId: row.request_id,
    traceId: row.trace_id,
    data: parseData(row.data),
  }
}

/** One row that somebody has spoilt must not hide the others from who looks for it. */
export function parseData(text: string | null): EventData {
  if (text === null) return {}
  try {
    return JSON.parse(text) as EventData
  } catch {
    return { unreadable: text }
  }
}
