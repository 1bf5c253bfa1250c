/**
 * Grant a user a role, or revoke it. Both are idempotent and leave no event the second time. Access tokens that were issued
 * before are refused as stale, so that the client refreshes and gets the roles of now.
 *
 * Events: `role.granted`, `role.revoked`.
 */
import type { RequestContext } from '../api.ts'
import { lockLiveSessions } from '../session/session-row.ts'
import type { Transaction } from '../store/transaction.ts'
import { parseRole } from '../user/role.ts'
import { lockLivingSubject } from '../user/subject.ts'
import { requireUser } from './disable-user.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

export async function grantRole(
  parts: FlowParts,
  userId: string,
  role: string,
  context: RequestContext = {},
): Promise<void> {
  await changeRole(parts, userId, role, context, 'role.granted')
}

export async function revokeRole(
  parts: FlowParts,
  userId: string,
  role: string,
  context: RequestContext = {},
): Promise<void> {
  await changeRole(parts, userId, role, context, 'role.revoked')
}

async function changeRole(
  parts: FlowParts,
  userId: string,
  name: string,
  context: RequestContext,
  type: 'role.granted' | 'role.revoked',
): Promise<void> {
  const role = parseRole(name)
  await parts.store.transaction(async (tx) => {
    await requireUser(tx, userId)
    const subject = await lockLivingSubject(tx, userId, parts.settings.clock.now())
    const changed =
      type === 'role.granted' ? await insertRole(parts, tx, userId, role) : await removeRole(tx, userId, role)
    if (!changed) return
    const generation = subject.generation + 1
    await tx.db.updateTable('gatebook_subject').set({ generation }).where('id', '=', userId).execute()
    await parts.sessionEnder.markStale(tx, await lockLiveSessions(tx, userId), generation)
    await parts.log.append(tx, [
      { ...eventSource(context, { kind: 'application' }), type, outcome: 'success', subject: userId, data: { role } },
    ])
  })
}

async function insertRole(parts: FlowParts, tx: Transaction, userId: string, role: string): Promise<boolean> {
  const present = await tx.db
    .selectFrom('gatebook_role')
    .select('role')
    .where('subject_id', '=', userId)
    .where('role', '=', role)
    .executeTakeFirst()
  if (present !== undefined) return false
  await tx.db
    .insertInto('gatebook_role')
    .values({ subject_id: userId, role, granted_at: parts.settings.clock.now() })
    .execute()
  return true
}

async function removeRole(tx: Transaction, userId: string, role: string): Promise<boolean> {
  const { numDeletedRows } = await tx.db
    .deleteFrom('gatebook_role')
    .where('subject_id', '=', userId)
    .where('role', '=', role)
    .executeTakeFirst()
  return numDeletedRows > 0n
}
