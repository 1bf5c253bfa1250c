import { sql } from 'kysely'
import type { UserTable } from '../../store/tables.ts'
import { normalizeIdentifier } from '../../user/identifier.ts'
import { absenceProblem, BATCH, type CheckParts, type Problem, type RowCheck } from './row-check.ts'
import { NO_STANDING, readStandings, type Standing } from './standing.ts'

const COLUMNS = ['id', 'identifier', 'identifier_key', 'created_at'] as const
type Row = Pick<UserTable, (typeof COLUMNS)[number]>

const TYPES = ['user.registered', 'user.imported'] as const

/**
 * The identifier of each user is the one that they came with; no digest is needed, because the event commits to it. Whoever
 * changes it can have the mail that resets a password.
 */
export function checkUsers(parts: CheckParts): RowCheck<Row> {
  const { store } = parts
  return {
    kind: 'user',
    idOf: ({ id }) => String(id),
    read: (after) =>
      store.read((db) => {
        const query = db.selectFrom('gatebook_user').select(COLUMNS).orderBy('id').limit(sql.lit(BATCH))
        return (after === null ? query : query.where('id', '>', after.id)).execute()
      }),
    find: ({ id }) =>
      store.read((db) => db.selectFrom('gatebook_user').select(COLUMNS).where('id', '=', id).executeTakeFirst()),
    async judge(rows) {
      const ids = rows.map(({ id }) => id)
      const standings = await readStandings(parts, {
        subjectIds: ids,
        types: TYPES,
        factOf: ({ subject_id: id }) => id,
        facts: new Set(ids),
      })
      return rows.map((row) => judgeUser(parts, row, standings.get(row.id) ?? NO_STANDING))
    },
  }
}

function judgeUser(parts: CheckParts, row: Row, { newest, problems }: Standing): readonly Problem[] {
  if (newest === null) {
    const forgery: Problem = { code: 'user-without-event', detail: `no ${TYPES.join(' or ')}` }
    return [...problems, absenceProblem(parts, 'user.registered', row.created_at, forgery)]
  }
  const { identifier } = newest.columns
  if (identifier === row.identifier && keyOf(identifier) === row.identifier_key) return problems
  return [...problems, { code: 'user-differs', detail: `came with ${newest.leaf.id}` }]
}

function keyOf(identifier: string): string | null {
  try {
    return normalizeIdentifier(identifier)
  } catch {
    return null
  }
}
