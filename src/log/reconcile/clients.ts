import { sql } from 'kysely'
import type { ClientTable } from '../../store/tables.ts'
import { clientState } from '../row-state.ts'
import { closedProblem, type NamedEvents, NO_EVENTS, readNamedEvents } from './named-rows.ts'
import { absenceProblem, BATCH, type CheckParts, holdsState, type Problem, type RowCheck } from './row-check.ts'

const COLUMNS = ['id', 'name', 'secret_digest', 'redirect_uris', 'created_at', 'revoked_at'] as const
type Row = Pick<ClientTable, (typeof COLUMNS)[number]>

/** Each client has the secret that it was added with, and none that was revoked can ask. */
export function checkClients(parts: CheckParts): RowCheck<Row> {
  const { store } = parts
  return {
    kind: 'client',
    idOf: ({ id }) => String(id),
    read: (after) =>
      store.read((db) => {
        const query = db.selectFrom('gatebook_client').select(COLUMNS).orderBy('id').limit(sql.lit(BATCH))
        return (after === null ? query : query.where('id', '>', after.id)).execute()
      }),
    find: ({ id }) =>
      store.read((db) => db.selectFrom('gatebook_client').select(COLUMNS).where('id', '=', id).executeTakeFirst()),
    async judge(rows) {
      const types = ['client.created', 'client.revoked'] as const
      const found = await readNamedEvents(parts, types, 'client', new Set(rows.map(({ id }) => id)))
      return rows.map((row) => judgeClient(parts, row, found.get(row.id) ?? NO_EVENTS))
    },
  }
}

function judgeClient(parts: CheckParts, row: Row, { events, problems }: NamedEvents): readonly Problem[] {
  const found = [...problems]
  const created = events.find(({ leaf }) => leaf.type === 'client.created')
  const revoked = events.find(({ leaf }) => leaf.type === 'client.revoked')
  const closed = created === undefined ? null : closedProblem(created)
  if (created === undefined) {
    const forgery: Problem = { code: 'client-without-event', detail: 'no client.created' }
    found.push(absenceProblem(parts, 'client.created', row.created_at, forgery))
  }
  if (closed !== null) found.push(closed)
  else if (created !== undefined && !holdsState(created, 'client', () => clientState(row))) {
    found.push({ code: 'client-differs', detail: `added with ${created.leaf.id}` })
  }
  if (revoked !== undefined && row.revoked_at === null) {
    found.push({ code: 'client-revived', detail: `revoked by ${revoked.leaf.id}` })
  }
  if (revoked === undefined && row.revoked_at !== null) {
    const forgery: Problem = { code: 'client-revoked-without-event', detail: 'no client.revoked' }
    found.push(absenceProblem(parts, 'client.revoked', row.revoked_at, forgery))
  }
  return found
}
