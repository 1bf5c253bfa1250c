/**
 * Disable a user, or enable one again. Both are idempotent and leave no event the second time.
 *
 * Events: `user.disabled` and `session.ended` (user-disabled) for each live session; `user.enabled`.
 */
import type { RequestContext } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { lockLiveSessions } from '../session/session-row.ts'
import type { Transaction } from '../store/transaction.ts'
import { lockLivingSubject } from '../user/subject.ts'
import { isId } from '../util/id.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

export async function disableUser(parts: FlowParts, userId: string, context: RequestContext = {}): Promise<void> {
  const { settings, store, log, sessionEnder } = parts
  await store.transaction(async (tx) => {
    await requireUser(tx, userId)
    const now = settings.clock.now()
    if ((await lockLivingSubject(tx, userId, now)).disabledAt !== null) return
    const source = eventSource(context, { kind: 'application' })
    await tx.db.updateTable('gatebook_subject').set({ disabled_at: now }).where('id', '=', userId).execute()
    await log.append(tx, [{ ...source, type: 'user.disabled', outcome: 'success', subject: userId }])
    await sessionEnder.end(tx, await lockLiveSessions(tx, userId), 'user-disabled', source)
  })
}

export async function enableUser(parts: FlowParts, userId: string, context: RequestContext = {}): Promise<void> {
  const { settings, store, log } = parts
  await store.transaction(async (tx) => {
    await requireUser(tx, userId)
    if ((await lockLivingSubject(tx, userId, settings.clock.now())).disabledAt === null) return
    const source = eventSource(context, { kind: 'application' })
    await tx.db.updateTable('gatebook_subject').set({ disabled_at: null }).where('id', '=', userId).execute()
    await log.append(tx, [{ ...source, type: 'user.enabled', outcome: 'success', subject: userId }])
  })
}

/** Whether the application has a user of its own with this id, nobody here can tell; of Gatebook's own users one can. */
export async function requireUser(tx: Transaction, userId: string): Promise<void> {
  if (!isId('user', userId)) return
  const row = await tx.db.selectFrom('gatebook_user').select('id').where('id', '=', userId).executeTakeFirst()
  if (row === undefined) throw new GatebookError('ERR_USER_NOT_FOUND')
}
