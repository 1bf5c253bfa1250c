import { sql } from 'kysely'
import type { EventColumnsRow } from './evidence.ts'
import { absenceProblem, BATCH, type CheckParts, type Problem, type RowCheck } from './row-check.ts'
import { NO_STANDING, readStandings, type Standing } from './standing.ts'

export const ROLE_TYPES = ['role.granted', 'role.revoked'] as const

interface Row {
  readonly subject_id: string
  readonly role: string
  /** Grows with each change of roles, so that a role that was taken and given back is another row. Null without a subject. */
  readonly generation: number | null
  readonly granted_at: number
}

/** Of each role that a user has, the newest event is a grant. */
export function checkRoles(parts: CheckParts): RowCheck<Row> {
  const { store } = parts
  const select = (db: typeof store.db) =>
    db
      .selectFrom('gatebook_role')
      .leftJoin('gatebook_subject', 'gatebook_subject.id', 'gatebook_role.subject_id')
      .select([
        'gatebook_role.subject_id',
        'gatebook_role.role',
        'gatebook_role.granted_at',
        'gatebook_subject.generation',
      ])
  return {
    kind: 'role',
    idOf: ({ subject_id: subject, role }) => `${subject} ${role}`,
    keyOf: ({ subject_id: subject, role }) => [subject, role],
    read: (after) =>
      store.read((db) => {
        const query = select(db).orderBy('gatebook_role.subject_id').orderBy('gatebook_role.role').limit(sql.lit(BATCH))
        if (after === null) return query.execute()
        return query
          .where('gatebook_role.subject_id', '>=', after.subject_id)
          .where(({ eb, or }) =>
            or([eb('gatebook_role.subject_id', '>', after.subject_id), eb('gatebook_role.role', '>', after.role)]),
          )
          .execute()
      }),
    find: ({ subject_id: subject, role }) =>
      store.read((db) =>
        select(db)
          .where('gatebook_role.subject_id', '=', subject)
          .where('gatebook_role.role', '=', role)
          .executeTakeFirst(),
      ),
    async judge(rows) {
      const standings = await readStandings(parts, {
        subjectIds: [...new Set(rows.map(({ subject_id: id }) => id))],
        types: ROLE_TYPES,
        factOf: roleFactOf,
        facts: new Set(rows.map(({ subject_id: subject, role }) => roleFact(subject, role))),
      })
      return rows.map((row) => judgeRole(parts, row, standings.get(roleFact(row.subject_id, row.role)) ?? NO_STANDING))
    },
  }
}

function judgeRole(parts: CheckParts, row: Row, { newest, problems }: Standing): readonly Problem[] {
  if (newest?.leaf.type === 'role.granted') return problems
  if (newest === null) {
    const forgery: Problem = { code: 'role-without-grant', detail: 'no role.granted' }
    return [...problems, absenceProblem(parts, 'role.granted', row.granted_at, forgery)]
  }
  return [...problems, { code: 'role-without-grant', detail: `the newest is ${newest.leaf.type} ${newest.leaf.id}` }]
}

/** A role has no line break. */
export function roleFact(subjectId: string, role: string): string {
  return `${role}\n${subjectId}`
}

export function roleFactOf({ subject_id: subject, data }: EventColumnsRow): string | null {
  const role = memberOf(data, 'role')
  return subject === null || role === null ? null : roleFact(subject, role)
}

/** A text out of `data`; null where there is none, or where somebody has spoilt the column. */
export function memberOf(data: string | null, name: string): string | null {
  try {
    const value: unknown = data === null ? null : (JSON.parse(data) as Record<string, unknown> | null)?.[name]
    return typeof value === 'string' ? value : null
  } catch {
    return null
  }
}
