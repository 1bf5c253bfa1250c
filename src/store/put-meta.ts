import { ifAbsent } from './insert-if-absent.ts'
import type { Transaction } from './transaction.ts'

/** Sets a value of `gatebook_meta`, whoever else sets it at the same time. */
export async function putMeta(
  { db, traits }: Pick<Transaction, 'db' | 'traits'>,
  name: string,
  value: string,
): Promise<void> {
  await ifAbsent(db.insertInto('gatebook_meta').values({ name, value }), traits, 'name').execute()
  await db.updateTable('gatebook_meta').set({ value }).where('name', '=', name).execute()
}
