import { randomBytes } from 'node:crypto'
import { ifAbsent } from '../store/insert-if-absent.ts'
import type { Store } from '../store/store.ts'

const NAME = 'revocation-epoch'

/** Empty before the first process has started. */
export async function readFeedEpoch(store: Store): Promise<string> {
  const row = await store.read((db) =>
    db.selectFrom('gatebook_meta').select('value').where('name', '=', NAME).executeTakeFirst(),
  )
  return row?.value ?? ''
}

/** From now on, places that were reached in the feed of before are nobody's. */
export async function renewFeedEpoch(store: Store): Promise<void> {
  const value = randomBytes(6).toString('base64url')
  await store.transaction(async ({ db, traits }) => {
    await ifAbsent(db.insertInto('gatebook_meta').values({ name: NAME, value }), traits, 'name').execute()
    await db.updateTable('gatebook_meta').set({ value }).where('name', '=', NAME).execute()
  })
}
