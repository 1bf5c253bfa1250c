import { sql } from 'kysely'
import type { Page, PageOptions, Session } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { encodeCursor, parseCursor, parseLimit } from '../log/cursor.ts'
import type { Store } from '../store/store.ts'
import type { Clock } from '../util/clock.ts'
import { isId } from '../util/id.ts'
import { readSession, toSession } from './session-row.ts'

const LIST_LIMIT = 1000

export interface SessionReader {
  find(sessionId: string): Promise<Session | null>
  /** Live ones, newest first. */
  list(userId: string): Promise<readonly Session[]>
  /** Those that have ended, the last one first. Throws ERR_QUERY_INVALID, ERR_CURSOR_INVALID. */
  listEnded(userId: string, options?: PageOptions): Promise<Page<Session>>
  /** Of one user, or all of everybody, the last begun first. Throws ERR_QUERY_INVALID, ERR_CURSOR_INVALID. */
  search(
    filter: { readonly userId?: string; readonly state?: 'live' | 'ended' | 'all' },
    options?: PageOptions,
  ): Promise<Page<Session>>
  /** How many are live, of all users; from the index. */
  countLive(): Promise<number>
}

export function createSessionReader(store: Store, clock: Clock): SessionReader {
  return {
    async find(sessionId) {
      const row = await readSession(store, sessionId)
      return row === null ? null : toSession(row)
    },
    async list(userId) {
      const rows = await store.read((db) =>
        db
          .selectFrom('gatebook_session')
          .selectAll()
          .where('subject_id', '=', userId)
          .where('ended_at', 'is', null)
          // Time ends a session; the sweep only writes it down.
          .where('expires_at', '>', clock.now())
          .orderBy('created_at', 'desc')
          .orderBy('id', 'desc')
          .limit(sql.lit(LIST_LIMIT))
          .execute(),
      )
      return rows.map(toSession)
    },
    async search({ userId, state = 'all' }, options = {}) {
      // There is no index in which those that are live, or have ended, stand in the order in which they began.
      if (userId === undefined && state !== 'all') {
        throw new GatebookError('ERR_QUERY_INVALID', {
          members: { members: ['state'], expected: 'all, or one user beside it' },
        })
      }
      const limit = parseLimit(options.limit)
      const before = options.cursor === undefined ? null : parseCursor(options.cursor)
      if (before !== null && !isId('session', before)) throw new GatebookError('ERR_CURSOR_INVALID')
      const rows = await store.read((db) => {
        // Ids grow with time.
        let query = db.selectFrom('gatebook_session').selectAll().orderBy('id', 'desc')
        if (userId !== undefined) query = query.where('subject_id', '=', userId)
        if (before !== null) query = query.where('id', '<', before)
        if (state === 'live') query = query.where('ended_at', 'is', null).where('expires_at', '>', clock.now())
        if (state === 'ended') {
          query = query.where(({ eb, or }) => or([eb('ended_at', 'is not', null), eb('expires_at', '<=', clock.now())]))
        }
        return query.limit(sql.lit(limit + 1)).execute()
      })
      const items = rows.slice(0, limit).map(toSession)
      return { items, next: rows.length > limit ? encodeCursor(items.at(-1)!.id) : null }
    },
    async countLive() {
      const row = await store.read((db) =>
        db
          .selectFrom('gatebook_session')
          .select(({ fn }) => fn.countAll<number>().as('count'))
          .where('ended_at', 'is', null)
          .where('expires_at', '>', clock.now())
          .executeTakeFirstOrThrow(),
      )
      return Number(row.count)
    },
    async listEnded(userId, options = {}) {
      const limit = parseLimit(options.limit)
      const before = options.cursor === undefined ? null : parsePosition(options.cursor)
      const rows = await store.read((db) => {
        // In the order of the index by_subject, behind which ids break ties.
        let query = db
          .selectFrom('gatebook_session')
          .selectAll()
          .where('subject_id', '=', userId)
          .where('ended_at', 'is not', null)
          .orderBy('ended_at', 'desc')
          .orderBy('created_at', 'desc')
          .orderBy('id', 'desc')
          .limit(sql.lit(limit + 1))
        if (before !== null) {
          const { endedAt, createdAt, id } = before
          query = query
            .where('ended_at', '<=', endedAt)
            .where(({ and, eb, or }) =>
              or([
                eb('ended_at', '<', endedAt),
                eb('created_at', '<', createdAt),
                and([eb('created_at', '=', createdAt), eb('id', '<', id)]),
              ]),
            )
        }
        return query.execute()
      })
      const items = rows.slice(0, limit).map(toSession)
      return { items, next: rows.length > limit ? formatPosition(items.at(-1)!) : null }
    },
  }
}

interface Position {
  readonly endedAt: number
  readonly createdAt: number
  readonly id: string
}

function formatPosition({ endedAt, createdAt, id }: Session): string {
  return encodeCursor(`${endedAt} ${createdAt} ${id}`)
}

function parsePosition(cursor: string): Position {
  const match = /^(\d{1,15}) (\d{1,15}) (\w+)$/.exec(parseCursor(cursor))
  const id = match?.[3]
  if (match === null || id === undefined || !isId('session', id)) throw new GatebookError('ERR_CURSOR_INVALID')
  return { endedAt: Number(match[1]), createdAt: Number(match[2]), id }
}
