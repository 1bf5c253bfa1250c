import { stringify } from 'csv-stringify/sync'
import type { LogEvent } from '../event/event.ts'
import { toWireEvent } from '../http/wire.ts'
import { escapeUnsafe } from '../server/escape-unsafe.ts'

/** The columns of `log search --csv`, in their order: the members of the HTTP API, with the actor in two. */
export const CSV_COLUMNS: readonly string[] = [
  'number',
  'id',
  'type',
  'outcome',
  'reason',
  'at',
  'time',
  'actor_kind',
  'actor_id',
  'subject',
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

/**
 * RFC 4180 without the last line break. Opened in a spreadsheet, nothing that somebody sent is a formula: such cells have an
 * apostrophe in front, and control characters stand as their escapes.
 */
export function formatCsv(events: readonly LogEvent[], header: boolean): string {
  const rows = events.map((event) => {
    const { actor, data, ...rest } = toWireEvent(event)
    const members: Record<string, unknown> = {
      ...rest,
      actor_kind: actor.kind,
      actor_id: actor.id,
      data: JSON.stringify(data),
    }
    return CSV_COLUMNS.map((name) => guardInside(escapeUnsafe(String(members[name] ?? ''))))
  })
  return stringify(header ? [[...CSV_COLUMNS], ...rows] : rows, {
    escape_formulas: true,
    record_delimiter: '\r\n',
    eof: false,
  })
}

/** A spreadsheet of another language splits at a semicolon, and then a formula stands in front of a cell. */
function guardInside(text: string): string {
  return text.replace(/([;|\t]["\s]*)(?=[=+\-@])/g, "$1'")
}
