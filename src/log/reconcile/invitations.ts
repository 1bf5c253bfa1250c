import { sql } from 'kysely'
import type { OneTimeTokenTable } from '../../store/tables.ts'
import { type NamedEvents, NO_EVENTS, readNamedEvents } from './named-rows.ts'
import { absenceProblem, BATCH, type CheckParts, type Problem, type RowCheck } from './row-check.ts'

const COLUMNS = ['id', 'created_at', 'spent_at', 'revoked_at'] as const
type Row = Pick<OneTimeTokenTable, (typeof COLUMNS)[number]>

/**
 * Each invitation was given out, and is good for something only while nobody has registered with it or revoked it. What it says
 * is under a seal, which is looked at when it is used. Rows are gone a week after they have expired.
 */
export function checkInvitations(parts: CheckParts): RowCheck<Row> {
  const { store } = parts
  const isInvitation = (db: Parameters<Parameters<typeof store.read>[0]>[0]) =>
    db.selectFrom('gatebook_one_time_token').select(COLUMNS).where('purpose', '=', 'invite')
  return {
    kind: 'invitation',
    idOf: ({ id }) => String(id),
    read: (after) =>
      store.read((db) => {
        const query = isInvitation(db).orderBy('id').limit(sql.lit(BATCH))
        return (after === null ? query : query.where('id', '>', after.id)).execute()
      }),
    find: ({ id }) => store.read((db) => isInvitation(db).where('id', '=', id).executeTakeFirst()),
    async judge(rows) {
      const types = ['invitation.created', 'invitation.revoked', 'user.registered'] as const
      const found = await readNamedEvents(parts, types, 'invitation', new Set(rows.map(({ id }) => id)))
      return rows.map((row) => judgeInvitation(parts, row, found.get(row.id) ?? NO_EVENTS))
    },
  }
}

function judgeInvitation(parts: CheckParts, row: Row, { events, problems }: NamedEvents): readonly Problem[] {
  const found = [...problems]
  const ofType = (type: string) => events.filter(({ leaf }) => leaf.type === type)
  if (ofType('invitation.created').length === 0) {
    const forgery: Problem = { code: 'invitation-without-event', detail: 'no invitation.created' }
    found.push(absenceProblem(parts, 'invitation.created', row.created_at, forgery))
  }
  const [revoked] = ofType('invitation.revoked')
  const [used, again] = ofType('user.registered')
  const over = revoked ?? used
  if (over !== undefined && row.spent_at === null && row.revoked_at === null) {
    found.push({ code: 'invitation-revived', detail: `over by ${over.leaf.type} ${over.leaf.id}` })
  }
  const late = again ?? (revoked === undefined ? undefined : used)
  if (late !== undefined) found.push({ code: 'invitation-reused', detail: `again by ${late.leaf.id}` })
  return found
}
