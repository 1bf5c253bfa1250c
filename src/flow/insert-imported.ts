import type { RequestContext } from '../api.ts'
import type { NewEvent } from '../event/event.ts'
import { credentialState } from '../log/row-state.ts'
import { chunks } from '../store/chunks.ts'
import type { Transaction } from '../store/transaction.ts'
import { skeletonOf } from '../user/skeleton.ts'
import { generateId } from '../util/id.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

/** A row that may be written. */
export interface CheckedUser {
  readonly identifier: string
  readonly identifierKey: string
  readonly passwordHash: string
  /** Of the hash. */
  readonly format: string
  readonly weak: boolean
  readonly roles: readonly string[]
  readonly createdAt: number | null
  readonly disabled: boolean
  readonly confirmed: boolean
}

interface NewRow extends CheckedUser {
  readonly id: string
  readonly skeleton: string
}

/** One transaction, whose statements write many rows each. Fails with the engine's unique violation for a name that is taken. */
export async function insertImported(
  parts: FlowParts,
  users: readonly CheckedUser[],
  context: RequestContext,
): Promise<void> {
  const now = parts.settings.clock.now()
  const source = eventSource(context, { kind: 'application' })
  const rows = users.map((user) => ({
    ...user,
    id: generateId('user', now),
    skeleton: skeletonOf(user.identifierKey),
  }))
  await parts.store.transaction(async (tx) => {
    const lookalikes = await findLookalikes(tx, rows)
    for (const chunk of chunks(rows)) await insertRows(tx, chunk, now)
    const roles = rows.flatMap(({ id, roles }) => roles.map((role) => ({ subject_id: id, role, granted_at: now })))
    for (const chunk of chunks(roles)) await tx.db.insertInto('gatebook_role').values(chunk).execute()
    await parts.log.append(
      tx,
      rows.flatMap((row): NewEvent[] => {
        const about = { ...source, outcome: 'success', subject: row.id } as const
        const imported: NewEvent = {
          ...about,
          type: 'user.imported',
          identifier: parts.identifiers.describe(row.identifier, row.identifierKey, true),
          data: {
            hash: row.format,
            ...(row.confirmed && { confirmed: true }),
            ...(lookalikes.has(row.id) && { confusable: true }),
          },
          state: { credential: credentialState({ user_id: row.id, password_hash: row.passwordHash }) },
        }
        const granted = row.roles.map((role): NewEvent => ({ ...about, type: 'role.granted', data: { role } }))
        return [imported, ...granted, ...(row.disabled ? [{ ...about, type: 'user.disabled' } as const] : [])]
      }),
    )
  })
}

async function insertRows(tx: Transaction, rows: readonly NewRow[], now: number): Promise<void> {
  await tx.db
    .insertInto('gatebook_user')
    .values(
      rows.map((row) => ({
        id: row.id,
        identifier: row.identifier,
        identifier_key: row.identifierKey,
        skeleton: row.skeleton,
        created_at: row.createdAt ?? now,
        confirmed_at: row.confirmed ? now : null,
      })),
    )
    .execute()
  await tx.db
    .insertInto('gatebook_subject')
    .values(
      rows.map((row) => ({
        id: row.id,
        generation: 0,
        credential_version: 0,
        created_at: row.createdAt ?? now,
        disabled_at: row.disabled ? now : null,
        erased_at: null,
      })),
    )
    .execute()
  await tx.db
    .insertInto('gatebook_credential')
    .values(rows.map((row) => ({ user_id: row.id, password_hash: row.passwordHash, changed_at: now })))
    .execute()
}

/** Ids of rows whose name can be taken for one that is there, or for one before it in the batch. */
async function findLookalikes(tx: Transaction, rows: readonly NewRow[]): Promise<ReadonlySet<string>> {
  const seen = new Set<string>()
  for (const chunk of chunks([...new Set(rows.map(({ skeleton }) => skeleton))])) {
    const found = await tx.db.selectFrom('gatebook_user').select('skeleton').where('skeleton', 'in', chunk).execute()
    for (const { skeleton } of found) if (skeleton !== null) seen.add(skeleton)
  }
  const lookalikes = new Set<string>()
  for (const { id, skeleton } of rows) {
    if (seen.has(skeleton)) lookalikes.add(id)
    seen.add(skeleton)
  }
  return lookalikes
}
