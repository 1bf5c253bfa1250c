import { sql } from 'kysely'
import type { EventFilter, Page, PageOptions } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { LogEvent } from '../event/event.ts'
import type { Store } from '../store/store.ts'
import type { IdentifierKeys } from '../user/identifier.ts'
import { isId } from '../util/id.ts'
import { encodeCursor, parseCursor, parseLimit } from './cursor.ts'
import { applyFilter, type EventQuery } from './event-filter.ts'
import { EVENT_COLUMNS, toLogEvent } from './event-row.ts'

/** Reads events. Pages go from the newest to the oldest by the number of the event, never by OFFSET. */
export interface EventReader {
  find(eventId: string): Promise<LogEvent | null>
  /** Throws ERR_QUERY_INVALID or ERR_CURSOR_INVALID, naming the member. */
  search(filter: EventFilter, options?: PageOptions): Promise<Page<LogEvent>>
  /** Throws ERR_QUERY_INVALID, and reads nothing. */
  check(filter: EventFilter): void
  /** Oldest first, by their place in the log: everything behind `after`, which is the place of the last one before. */
  follow(
    after: number,
    filter: EventFilter,
    limit: number,
  ): Promise<readonly { readonly place: number; readonly event: LogEvent }[]>
  /** Place of the newest entry, -1 when there is none. */
  lastPlace(): Promise<number>
  /** Ids of events that are committed and do not have their place yet. */
  withoutPlace(): Promise<readonly string[]>
}

/** So many are told apart from what comes after a tail has begun; more than that wait only while nothing is sequenced. */
const WAITING_MAX = 10_000

export function createEventReader(store: Store, identifiers: IdentifierKeys): EventReader {
  return {
    async find(eventId) {
      if (!isId('event', eventId)) return null
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
        let query = applyFilter(db.selectFrom('gatebook_event') as EventQuery, filter, identifiers)
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

    check(filter) {
      applyFilter(store.db.selectFrom('gatebook_event') as EventQuery, filter, identifiers)
    },

    async follow(after, filter, limit) {
      const rows = await store.read((db) =>
        applyFilter(
          db
            .selectFrom('gatebook_event')
            .innerJoin('gatebook_entry', 'gatebook_entry.event_id', 'gatebook_event.id')
            .where('gatebook_entry.log_index', '>', after) as unknown as EventQuery,
          filter,
          identifiers,
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

    async withoutPlace() {
      const rows = await store.read((db) =>
        db
          .selectFrom('gatebook_queue')
          .select('event_id')
          .where('rejected_at', 'is', null)
          .orderBy('number', 'desc')
          .limit(sql.lit(WAITING_MAX))
          .execute(),
      )
      return rows.map(({ event_id: id }) => id)
    },
  }
}
