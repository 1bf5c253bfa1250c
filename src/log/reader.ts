import { type SelectQueryBuilder, sql } from 'kysely'
import type { EventFilter, Page, PageOptions } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { EVENT_TYPES } from '../event/catalogue.ts'
import type { LogEvent } from '../event/event.ts'
import type { Store } from '../store/store.ts'
import type { Tables } from '../store/tables.ts'
import type { IdentifierKeys } from '../user/identifier.ts'
import { parseCidrRange } from '../util/address.ts'
import { encodeCursor, parseCursor, parseLimit } from './cursor.ts'
import { EVENT_COLUMNS, toLogEvent } from './event-row.ts'

/** Reads events. Pages go from the newest to the oldest by the number of the event, never by OFFSET. */
export interface EventReader {
  find(eventId: string): Promise<LogEvent | null>
  /** Throws ERR_QUERY_INVALID or ERR_CURSOR_INVALID, naming the member. */
  search(filter: EventFilter, options?: PageOptions): Promise<Page<LogEvent>>
  /** Oldest first, by their place in the log: everything behind `after`, which is the place of the last one before. */
  follow(
    after: number,
    filter: EventFilter,
    limit: number,
  ): Promise<readonly { readonly place: number; readonly event: LogEvent }[]>
  /** Place of the newest entry, -1 when there is none. */
  lastPlace(): Promise<number>
}

type EventQuery = SelectQueryBuilder<Tables, 'gatebook_event', object>

export function createEventReader(store: Store, identifiers: IdentifierKeys): EventReader {
  function applyFilter(query: EventQuery, filter: EventFilter): EventQuery {
    let filtered = query
    if (filter.type !== undefined) filtered = filterType(filtered, filter.type)
    if (filter.outcome !== undefined) filtered = filtered.where('gatebook_event.outcome', '=', filter.outcome)
    if (filter.reason !== undefined) filtered = filtered.where('gatebook_event.reason', '=', filter.reason)
    if (filter.user !== undefined) filtered = filtered.where('gatebook_event.subject_id', '=', filter.user)
    if (filter.identifier !== undefined) {
      filtered = filtered.where('gatebook_event.identifier_hmac', 'in', identifiers.digests(filter.identifier))
    }
    if (filter.ip !== undefined) {
      const range = parseCidrRange(filter.ip)
      if (range === null) throw invalid('ip', 'an address or a CIDR')
      filtered = filtered
        .where('gatebook_event.ip_key', '>=', range.low)
        .where('gatebook_event.ip_key', '<=', range.high)
    }
    if (filter.session !== undefined) filtered = filtered.where('gatebook_event.session_id', '=', filter.session)
    if (filter.request !== undefined) filtered = filtered.where('gatebook_event.request_id', '=', filter.request)
    if (filter.device !== undefined) filtered = filtered.where('gatebook_event.device_id', '=', filter.device)
    if (filter.from !== undefined) filtered = filtered.where('gatebook_event.at', '>=', instant('from', filter.from))
    if (filter.to !== undefined) filtered = filtered.where('gatebook_event.at', '<', instant('to', filter.to))
    return filtered
  }

  return {
    async find(eventId) {
      const row = await store.read((db) =>
        db.selectFrom('gatebook_event').select(EVENT_COLUMNS).where('id', '=', eventId).executeTakeFirst(),
      )
      return row === undefined ? null : toLogEvent(row)
    },

    async search(filter, options = {}) {
      const limit = parseLimit(options.limit)
      const before = options.cursor === undefined ? undefined : Number(parseCursor(options.cursor))
      if (before !== undefined && !Number.isSafeInteger(before)) throw new GatebookError('ERR_CURSOR_INVALID')
      const rows = await store.read((db) => {
        let query = applyFilter(db.selectFrom('gatebook_event') as EventQuery, filter)
        if (before !== undefined) query = query.where('gatebook_event.number', '<', before)
        return query
          .select(EVENT_COLUMNS)
          .orderBy('gatebook_event.number', 'desc')
          .limit(sql.lit(limit + 1))
          .execute()
      })
      const items = rows.slice(0, limit).map(toLogEvent)
      return { items, next: rows.length > limit ? encodeCursor(String(items.at(-1)!.number)) : null }
    },

    async follow(after, filter, limit) {
      const rows = await store.read((db) =>
        applyFilter(
          db
            .selectFrom('gatebook_event')
            .innerJoin('gatebook_entry', 'gatebook_entry.event_id', 'gatebook_event.id')
            .where('gatebook_entry.log_index', '>', after) as unknown as EventQuery,
          filter,
        )
          .select(EVENT_COLUMNS.map((column) => `gatebook_event.${column}` as const))
          .select(sql<number>`gatebook_entry.log_index`.as('place'))
          .orderBy(sql`gatebook_entry.log_index`)
          .limit(sql.lit(limit))
          .execute(),
      )
      return rows.map((row) => ({ place: Number(row.place), event: toLogEvent(row) }))
    },

    async lastPlace() {
      const row = await store.read((db) =>
        db.selectFrom('gatebook_log_state').select('size').where('id', '=', 1).executeTakeFirstOrThrow(),
      )
      return Number(row.size) - 1
    },
  }
}

const TYPE = /^[a-z0-9.-]{1,64}$/

function filterType(query: EventQuery, type: string): EventQuery {
  if (!type.endsWith('.*')) {
    if (!TYPE.test(type)) throw invalid('type', 'an event type, or the first word of one and .*')
    return query.where('gatebook_event.type', '=', type)
  }
  const prefix = type.slice(0, -1)
  if (!TYPE.test(prefix)) throw invalid('type', 'an event type, or the first word of one and .*')
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
  return new GatebookError('ERR_QUERY_INVALID', { members: { parameter: member, expected } })
}
