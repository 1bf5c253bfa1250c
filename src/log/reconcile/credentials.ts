import { sql } from 'kysely'
import type { CredentialTable } from '../../store/tables.ts'
import { credentialState } from '../row-state.ts'
import { absenceProblem, BATCH, type CheckParts, holdsState, type Problem, type RowCheck } from './row-check.ts'
import { NO_STANDING, PASSWORD_TYPES, readStandings, type Standing } from './standing.ts'

const COLUMNS = ['user_id', 'password_hash', 'changed_at'] as const
type Row = Pick<CredentialTable, (typeof COLUMNS)[number]>

/** The hash of each user is the one that the newest event about their password has written. */
export function checkCredentials(parts: CheckParts): RowCheck<Row> {
  const { store } = parts
  return {
    kind: 'credential',
    idOf: ({ user_id: id }) => String(id),
    read: (after) =>
      store.read((db) => {
        const query = db.selectFrom('gatebook_credential').select(COLUMNS).orderBy('user_id').limit(sql.lit(BATCH))
        return (after === null ? query : query.where('user_id', '>', after.user_id)).execute()
      }),
    find: ({ user_id: id }) =>
      store.read((db) =>
        db.selectFrom('gatebook_credential').select(COLUMNS).where('user_id', '=', id).executeTakeFirst(),
      ),
    async judge(rows) {
      const ids = rows.map(({ user_id: id }) => id)
      const standings = await readStandings(parts, {
        subjectIds: ids,
        types: PASSWORD_TYPES,
        rehashes: true,
        factOf: ({ subject_id: id }) => id,
        facts: new Set(ids),
      })
      return rows.map((row) => judgeCredential(parts, row, standings.get(row.user_id) ?? NO_STANDING))
    },
  }
}

function judgeCredential(parts: CheckParts, row: Row, { newest, problems }: Standing): readonly Problem[] {
  if (newest === null) {
    const forgery: Problem = { code: 'credential-without-event', detail: 'no event about a password' }
    return [...problems, absenceProblem(parts, 'password.changed', row.changed_at, forgery)]
  }
  if (holdsState(newest, 'credential', () => credentialState(row))) return problems
  return [...problems, { code: 'credential-differs', detail: `the newest is ${newest.leaf.type} ${newest.leaf.id}` }]
}
