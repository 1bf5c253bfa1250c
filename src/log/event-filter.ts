import type { SelectQueryBuilder } from 'kysely'
import type { EventFilter } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { EVENT_TYPES, findEventType } from '../event/catalogue.ts'
import type { Tables } from '../store/tables.ts'
import type { IdentifierKeys } from '../user/identifier.ts'
import { parseCidrRange } from '../util/address.ts'
import { isId } from '../util/id.ts'

/** A query that has `gatebook_event` in it. */
export type EventQuery = SelectQueryBuilder<Tables, 'gatebook_event', object>

/** One row per filter that compares a column: what the value must look like, so that no engine meets what it cannot hold. */
const COLUMNS: readonly {
  readonly member: 'outcome' | 'reason' | 'user' | 'session' | 'request' | 'device'
  readonly column: 'outcome' | 'reason' | 'subject_id' | 'session_id' | 'request_id' | 'device_id'
  readonly expected: string
  accepts(value: string): boolean
}[] = [
  {
    member: 'outcome',
    column: 'outcome',
    expected: 'success, failure or denied',
    accepts: (value) => ['success', 'failure', 'denied'].includes(value),
  },
  { member: 'reason', column: 'reason', expected: 'a reason of the catalogue', accepts: isReason },
  { member: 'user', column: 'subject_id', expected: 'a user id', accepts: isPlainText },
  { member: 'session', column: 'session_id', expected: 'a session id', accepts: (value) => isId('session', value) },
  { member: 'request', column: 'request_id', expected: 'a request id', accepts: isPlainText },
  { member: 'device', column: 'device_id', expected: 'a device id', accepts: (value) => isId('device', value) },
]

function isReason(value: string): boolean {
  return Object.values(EVENT_TYPES).some(({ reasons }) => reasons.includes(value))
}

function isPlainText(value: string): boolean {
  return value.length >= 1 && value.length <= 128 && value.isWellFormed() && !value.includes('\0')
}

/** All conditions of a filter. Throws ERR_QUERY_INVALID, naming the member and what it may hold, never its value. */
export function applyFilter(query: EventQuery, filter: EventFilter, identifiers: IdentifierKeys): EventQuery {
  let filtered = query
  for (const { member, column, expected, accepts } of COLUMNS) {
    const value = filter[member]
    if (value === undefined) continue
    if (!accepts(value)) throw invalid(member, expected)
    filtered = filtered.where(`gatebook_event.${column}`, '=', value)
  }
  if (filter.type !== undefined) filtered = filterType(filtered, filter.type)
  if (filter.identifier !== undefined) {
    filtered = filtered.where('gatebook_event.identifier_hmac', 'in', identifiers.digests(filter.identifier))
  }
  if (filter.ip !== undefined) {
    const range = parseCidrRange(filter.ip)
    if (range === null) throw invalid('ip', 'an address or a CIDR')
    filtered = filtered.where('gatebook_event.ip_key', '>=', range.low).where('gatebook_event.ip_key', '<=', range.high)
  }
  if (filter.from !== undefined) filtered = filtered.where('gatebook_event.at', '>=', instant('from', filter.from))
  if (filter.to !== undefined) filtered = filtered.where('gatebook_event.at', '<', instant('to', filter.to))
  return filtered
}

const TYPE = /^[a-z0-9.-]{1,64}$/

function filterType(query: EventQuery, type: string): EventQuery {
  const prefix = type.endsWith('.*') ? type.slice(0, -1) : null
  if (!TYPE.test(prefix ?? type)) throw invalid('type', 'an event type, or the first word of one and .*')
  if (prefix === null) {
    if (findEventType(type) === null) throw invalid('type', `one of ${Object.keys(EVENT_TYPES).join(', ')}, or app.…`)
    return query.where('gatebook_event.type', '=', type)
  }
  if (prefix.startsWith('app.')) {
    // "/" follows "." in ASCII, and the column is compared byte by byte.
    return query.where('gatebook_event.type', '>=', prefix).where('gatebook_event.type', '<', `${prefix.slice(0, -1)}/`)
  }
  const types = Object.keys(EVENT_TYPES).filter((name) => name.startsWith(prefix))
  if (types.length === 0) throw invalid('type', `one of ${Object.keys(EVENT_TYPES).join(', ')}`)
  return query.where('gatebook_event.type', 'in', types)
}

function instant(member: string, value: number): number {
  if (!Number.isSafeInteger(value)) throw invalid(member, 'epoch milliseconds')
  return value
}

function invalid(member: string, expected: string): GatebookError {
  return new GatebookError('ERR_QUERY_INVALID', { members: { members: [member], expected } })
}
