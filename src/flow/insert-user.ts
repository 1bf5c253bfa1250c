import { sql } from 'kysely'
import type { RequestContext } from '../api.ts'
import type { NewEvent } from '../event/event.ts'
import { credentialState } from '../log/row-state.ts'
import type { Transaction } from '../store/transaction.ts'
import { skeletonOf } from '../user/skeleton.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

export interface NewUser {
  readonly createdAt: number
  readonly userId: string
  readonly identifier: string
  readonly identifierKey: string
  readonly passwordHash: string
  readonly roles: readonly string[]
  /** Null while nobody has shown that the identifier reaches this user. */
  readonly confirmedAt: number | null
  /** Id of the invitation that was used. */
  readonly invitation?: string
}

/**
 * Leaves `user.registered`, and `role.granted` for each role. A name that is taken fails with the engine's unique
 * violation: it is the column that decides, not a look before.
 */
export async function insertUser(
  parts: FlowParts,
  tx: Transaction,
  user: NewUser,
  context: RequestContext,
): Promise<void> {
  const { userId, identifier, identifierKey, passwordHash, createdAt: now, roles, confirmedAt, invitation } = user
  const skeleton = skeletonOf(identifierKey)
  const lookalike = await tx.db
    .selectFrom('gatebook_user')
    .select('id')
    .where('skeleton', '=', skeleton)
    .limit(sql.lit(1))
    .executeTakeFirst()
  await tx.db
    .insertInto('gatebook_user')
    .values({
      id: userId,
      identifier: identifier.trim(),
      identifier_key: identifierKey,
      created_at: now,
      confirmed_at: confirmedAt,
      skeleton,
    })
    .execute()
  await tx.db
    .insertInto('gatebook_subject')
    .values({ id: userId, generation: 0, credential_version: 0, created_at: now, disabled_at: null, erased_at: null })
    .execute()
  const credential = { user_id: userId, password_hash: passwordHash, changed_at: now }
  await tx.db.insertInto('gatebook_credential').values(credential).execute()
  if (roles.length > 0) {
    await tx.db
      .insertInto('gatebook_role')
      .values(roles.map((role) => ({ subject_id: userId, role, granted_at: now })))
      .execute()
  }
  const source = eventSource(context, { kind: 'user', id: userId })
  const data = {
    ...(confirmedAt !== null && { confirmed: true }),
    ...(lookalike !== undefined && { confusable: true }),
    ...(invitation !== undefined && { invitation }),
  }
  const registered: NewEvent = {
    ...source,
    type: 'user.registered',
    outcome: 'success',
    subject: userId,
    identifier: parts.identifiers.describe(identifier, identifierKey, true),
    data,
    state: { credential: credentialState(credential) },
  }
  const granted = roles.map(
    (role): NewEvent => ({ ...source, type: 'role.granted', outcome: 'success', subject: userId, data: { role } }),
  )
  await parts.log.append(tx, [registered, ...granted])
}
