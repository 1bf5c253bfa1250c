import type { Selectable } from 'kysely'
import type { Store } from '../store/store.ts'
import type { SigningKeyTable } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'

/**
 * pending    published, signs nothing yet
 * active     signs; one for each algorithm
 * retiring   signs no more, verifies what it has signed
 * retired    verifies nothing any more, because nothing that it has signed can be valid
 * revoked    the same before its time: what it has signed is refused
 */
export type KeyState = SigningKeyTable['state']

export type KeyRow = Selectable<SigningKeyTable>

/** In these, a key is published and verifies. */
export const VERIFYING: readonly KeyState[] = ['pending', 'active', 'retiring']

/** Oldest first. There are never many. */
export function readKeyRows(store: Store, states: readonly KeyState[]): Promise<KeyRow[]> {
  return store.read((db) =>
    db.selectFrom('gatebook_signing_key').selectAll().where('state', 'in', states).orderBy('kid').execute(),
  )
}

export async function insertKeyRow(tx: Transaction, row: KeyRow): Promise<void> {
  await tx.db.insertInto('gatebook_signing_key').values(row).execute()
}

/** False when it was in none of these states any more. */
export async function moveKey(
  tx: Transaction,
  kid: string,
  from: readonly KeyState[],
  to: Partial<KeyRow> & { readonly state: KeyState },
): Promise<boolean> {
  const { numUpdatedRows } = await tx.db
    .updateTable('gatebook_signing_key')
    .set(to)
    .where('kid', '=', kid)
    .where('state', 'in', from)
    .executeTakeFirstOrThrow()
  return numUpdatedRows > 0n
}
