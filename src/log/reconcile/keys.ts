import { sql } from 'kysely'
import type { SigningKeyTable } from '../../store/tables.ts'
import { VERIFYING } from '../../token/key-row.ts'
import { keyState } from '../row-state.ts'
import { closedProblem, type NamedEvents, NO_EVENTS, readNamedEvents } from './named-rows.ts'
import { absenceProblem, BATCH, type CheckParts, holdsState, type Problem, type RowCheck } from './row-check.ts'

const COLUMNS = ['kid', 'algorithm', 'public_jwk', 'state', 'created_at'] as const
type Row = Pick<SigningKeyTable, (typeof COLUMNS)[number]>

/** Each key that tokens are verified with was made here, and has not ended. */
export function checkKeys(parts: CheckParts): RowCheck<Row> {
  const { store } = parts
  return {
    kind: 'key',
    idOf: ({ kid }) => String(kid),
    read: (after) =>
      store.read((db) => {
        const query = db.selectFrom('gatebook_signing_key').select(COLUMNS).orderBy('kid').limit(sql.lit(BATCH))
        return (after === null ? query : query.where('kid', '>', after.kid)).execute()
      }),
    find: ({ kid }) =>
      store.read((db) =>
        db.selectFrom('gatebook_signing_key').select(COLUMNS).where('kid', '=', kid).executeTakeFirst(),
      ),
    async judge(rows) {
      const types = ['key.created', 'key.retired', 'key.revoked'] as const
      const found = await readNamedEvents(parts, types, 'kid', new Set(rows.map(({ kid }) => kid)))
      return rows.map((row) => judgeKey(parts, row, found.get(row.kid) ?? NO_EVENTS))
    },
  }
}

function judgeKey(parts: CheckParts, row: Row, { events, problems }: NamedEvents): readonly Problem[] {
  const found = [...problems]
  const created = events.find(({ leaf }) => leaf.type === 'key.created')
  const ended = events.find(({ leaf }) => leaf.type !== 'key.created')
  const closed = created === undefined ? null : closedProblem(created)
  if (created === undefined) {
    const forgery: Problem = { code: 'key-without-event', detail: 'no key.created' }
    found.push(absenceProblem(parts, 'key.created', row.created_at, forgery))
  }
  if (closed !== null) found.push(closed)
  else if (created !== undefined && !holdsState(created, 'key', () => keyState(row))) {
    found.push({ code: 'key-differs', detail: `made with ${created.leaf.id}` })
  }
  if (ended !== undefined && VERIFYING.includes(row.state)) {
    found.push({ code: 'key-revived', detail: `ended by ${ended.leaf.type} ${ended.leaf.id}` })
  }
  return found
}
