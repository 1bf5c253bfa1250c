import { sql } from 'kysely'
import { chunks } from '../../store/chunks.ts'
import type { Store } from '../../store/store.ts'
import type { SubjectTable } from '../../store/tables.ts'
import { ROLE_TYPES, roleFact, roleFactOf } from './roles.ts'
import { absenceProblem, BATCH, type CheckParts, type Problem, type RowCheck } from './row-check.ts'
import { NO_STANDING, readStandings, type Standing } from './standing.ts'

const COLUMNS = ['id', 'generation', 'disabled_at', 'erased_at'] as const
type Row = Pick<SubjectTable, (typeof COLUMNS)[number]>

const STATE_TYPES: readonly string[] = ['user.disabled', 'user.enabled']

/** Whether each subject is disabled as the log says, and has every role that the log says was granted and not revoked. */
export function checkSubjects(parts: CheckParts): RowCheck<Row> {
  const { store } = parts
  return {
    kind: 'subject',
    idOf: ({ id }) => String(id),
    read: (after) =>
      store.read((db) => {
        const query = db.selectFrom('gatebook_subject').select(COLUMNS).orderBy('id').limit(sql.lit(BATCH))
        return (after === null ? query : query.where('id', '>', after.id)).execute()
      }),
    find: ({ id }) =>
      store.read((db) => db.selectFrom('gatebook_subject').select(COLUMNS).where('id', '=', id).executeTakeFirst()),
    async judge(rows) {
      const ids = rows.map(({ id }) => id)
      const standings = await readStandings(parts, {
        subjectIds: ids,
        types: [...STATE_TYPES, ...ROLE_TYPES],
        factOf: (columns) => (STATE_TYPES.includes(columns.type) ? columns.subject_id : roleFactOf(columns)),
        facts: new Set(ids),
      })
      const missing = await findMissingRoles(store, standings)
      return rows.map((row) => {
        const { id } = row
        if (row.erased_at !== null) return [{ code: 'user-erased', detail: 'roles and state cannot be told' } as const]
        return [...judgeState(parts, row, standings.get(id) ?? NO_STANDING), ...(missing.get(id) ?? [])]
      })
    },
  }
}

function judgeState(parts: CheckParts, row: Row, { newest, problems }: Standing): readonly Problem[] {
  const isDisabled = row.disabled_at !== null
  if (isDisabled === (newest?.leaf.type === 'user.disabled')) return problems
  const detail = newest === null ? 'no user.disabled' : `the newest is ${newest.leaf.type} ${newest.leaf.id}`
  if (row.disabled_at === null) return [...problems, { code: 'user-enabled-without-event', detail }]
  const forgery: Problem = { code: 'user-disabled-without-event', detail }
  const isGone = newest === null
  return [...problems, isGone ? absenceProblem(parts, 'user.disabled', row.disabled_at, forgery) : forgery]
}

async function findMissingRoles(
  store: Store,
  standings: ReadonlyMap<string, Standing>,
): Promise<ReadonlyMap<string, readonly Problem[]>> {
  const granted = [...standings.values()].flatMap(({ newest }) =>
    newest?.leaf.type === 'role.granted'
      ? [{ subject: newest.columns.subject_id!, role: String(newest.leaf.data?.role), event: newest.leaf.id }]
      : [],
  )
  const present = new Set<string>()
  for (const chunk of chunks(granted)) {
    const rows = await store.read((db) =>
      db
        .selectFrom('gatebook_role')
        .select(['subject_id', 'role'])
        .where(({ eb, and, or }) =>
          or(chunk.map(({ subject, role }) => and([eb('subject_id', '=', subject), eb('role', '=', role)]))),
        )
        .execute(),
    )
    for (const { subject_id: subject, role } of rows) present.add(roleFact(subject, role))
  }
  const missing = new Map<string, Problem[]>()
  for (const { subject, role, event } of granted) {
    if (present.has(roleFact(subject, role))) continue
    const problem: Problem = { code: 'role-missing', detail: `${role} by ${event}` }
    missing.set(subject, [...(missing.get(subject) ?? []), problem])
  }
  return missing
}
