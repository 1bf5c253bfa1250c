import { sql } from 'kysely'
import type { Page, PageOptions, User } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { encodeCursor, parseCursor, parseLimit } from '../log/cursor.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/transaction.ts'
import { isId } from '../util/id.ts'
import { normalizeIdentifier } from './identifier.ts'
import { listRoles, parseRole } from './role.ts'

export interface UserReader {
  /** Also finds the application's own users, once they have logged in. */
  find(userId: string): Promise<User | null>
  findByIdentifier(identifier: string): Promise<User | null>
  /** Gatebook's own users, newest first. */
  list(options?: PageOptions): Promise<Page<User>>
  /**
   * Gatebook's own users whose identifiers, folded as for a log-in, begin like this, in their order; from the index. Throws
   * ERR_IDENTIFIER_INVALID, ERR_CURSOR_INVALID.
   */
  search(beginning: string, options?: PageOptions): Promise<Page<User>>
  anyoneHasRole(role: string): Promise<boolean>
  /** Others whose identifiers look like the one of this user; at most 50. */
  lookalikes(userId: string): Promise<readonly User[]>
}

const LOOKALIKES = 50
/** Behind every identifier that goes on in whatever way: all engines compare by code point. */
const LAST_CHARACTER = '\u{10ffff}'

function selectUsers(db: Pick<Transaction['db'], 'selectFrom'>) {
  return db
    .selectFrom('gatebook_user')
    .innerJoin('gatebook_subject', 'gatebook_subject.id', 'gatebook_user.id')
    .select([
      'gatebook_user.id',
      'gatebook_user.identifier',
      'gatebook_user.created_at',
      'gatebook_user.confirmed_at',
      'gatebook_subject.disabled_at',
    ])
}

export function createUserReader(store: Store): UserReader {
  async function find(userId: string): Promise<User | null> {
    const row = await store.read((db) =>
      db
        .selectFrom('gatebook_subject')
        .leftJoin('gatebook_user', 'gatebook_user.id', 'gatebook_subject.id')
        .select([
          'gatebook_subject.id',
          'gatebook_subject.created_at',
          'gatebook_subject.disabled_at',
          'gatebook_user.identifier',
          'gatebook_user.confirmed_at',
        ])
        .where('gatebook_subject.id', '=', userId)
        .where('gatebook_subject.erased_at', 'is', null)
        .executeTakeFirst(),
    )
    if (row === undefined) return null
    return toUser(row, await store.read((db) => listRoles(db, userId)))
  }

  return {
    find,

    async findByIdentifier(identifier) {
      const row = await store.read((db) =>
        db
          .selectFrom('gatebook_user')
          .select('id')
          .where('identifier_key', '=', normalizeIdentifier(identifier))
          .executeTakeFirst(),
      )
      return row === undefined ? null : find(row.id)
    },

    async list(options = {}) {
      const limit = parseLimit(options.limit)
      const before = options.cursor === undefined ? undefined : parseCursor(options.cursor)
      if (before !== undefined && !isId('user', before)) throw new GatebookError('ERR_CURSOR_INVALID')
      const rows = await store.read((db) => {
        // Ids sort by the time they were made.
        const query = selectUsers(db)
          .orderBy('gatebook_user.id', 'desc')
          .limit(sql.lit(limit + 1))
        return (before === undefined ? query : query.where('gatebook_user.id', '<', before)).execute()
      })
      const items = await withRoles(rows.slice(0, limit))
      return { items, next: rows.length > limit ? encodeCursor(items.at(-1)!.id) : null }
    },

    async search(beginning, options = {}) {
      const from = normalizeIdentifier(beginning)
      const limit = parseLimit(options.limit)
      const after = options.cursor === undefined ? null : parseCursor(options.cursor)
      if (after !== null && !after.startsWith(from)) throw new GatebookError('ERR_CURSOR_INVALID')
      const rows = await store.read((db) => {
        const query = selectUsers(db)
          .select('gatebook_user.identifier_key')
          .where('gatebook_user.identifier_key', '<', from + LAST_CHARACTER)
          .orderBy('gatebook_user.identifier_key')
          .limit(sql.lit(limit + 1))
        return query.where('gatebook_user.identifier_key', after === null ? '>=' : '>', after ?? from).execute()
      })
      const page = rows.slice(0, limit)
      const last = rows.length > limit ? page.at(-1)!.identifier_key : null
      return { items: await withRoles(page), next: last === null ? null : encodeCursor(last) }
    },

    async lookalikes(userId) {
      const rows = await store.read((db) =>
        db
          .selectFrom('gatebook_user')
          .innerJoin('gatebook_user as other', 'other.skeleton', 'gatebook_user.skeleton')
          .select('other.id')
          .where('gatebook_user.id', '=', userId)
          .where('other.id', '<>', userId)
          .orderBy('other.id')
          .limit(sql.lit(LOOKALIKES))
          .execute(),
      )
      const users = await Promise.all(rows.map(({ id }) => find(id)))
      return users.filter((user) => user !== null)
    },

    async anyoneHasRole(role) {
      parseRole(role)
      const row = await store.read((db) =>
        db.selectFrom('gatebook_role').select('role').where('role', '=', role).limit(sql.lit(1)).executeTakeFirst(),
      )
      return row !== undefined
    },
  }

  async function withRoles(rows: readonly Parameters<typeof toUser>[0][]): Promise<User[]> {
    const roles = await readRoles(rows.map(({ id }) => id))
    return rows.map((row) => toUser(row, roles.get(row.id) ?? []))
  }

  async function readRoles(userIds: readonly string[]): Promise<Map<string, string[]>> {
    const roles = new Map<string, string[]>()
    if (userIds.length === 0) return roles
    const rows = await store.read((db) =>
      db
        .selectFrom('gatebook_role')
        .select(['subject_id', 'role'])
        .where('subject_id', 'in', userIds)
        .orderBy('role')
        .execute(),
    )
    for (const { subject_id: userId, role } of rows) roles.set(userId, [...(roles.get(userId) ?? []), role])
    return roles
  }
}

interface UserRow {
  readonly id: string
  readonly identifier: string | null
  readonly created_at: number
  readonly confirmed_at: number | null
  readonly disabled_at: number | null
}

function toUser(row: UserRow, roles: readonly string[]): User {
  return {
    id: row.id,
    identifier: row.identifier,
    createdAt: Number(row.created_at),
    confirmedAt: row.confirmed_at === null ? null : Number(row.confirmed_at),
    disabledAt: row.disabled_at === null ? null : Number(row.disabled_at),
    roles,
  }
}
