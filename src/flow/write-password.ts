import type { CommittedFields } from '../event/commitment.ts'
import { credentialState } from '../log/row-state.ts'
import type { Transaction } from '../store/transaction.ts'
import type { FlowParts } from './parts.ts'

/**
 * Of a subject that this transaction has locked. From here on the one before logs nobody in, and voids what was made for it.
 * Returns the row as the event has to have it.
 */
export async function writePassword(
  parts: FlowParts,
  tx: Transaction,
  userId: string,
  passwordHash: string,
): Promise<CommittedFields> {
  await tx.db
    .updateTable('gatebook_credential')
    .set({ password_hash: passwordHash, changed_at: parts.settings.clock.now() })
    .where('user_id', '=', userId)
    .execute()
  await tx.db
    .updateTable('gatebook_subject')
    .set((eb) => ({ credential_version: eb('credential_version', '+', 1) }))
    .where('id', '=', userId)
    .execute()
  return credentialState({ user_id: userId, password_hash: passwordHash })
}
