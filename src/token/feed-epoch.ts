import { randomBytes } from 'node:crypto'
import { putMeta } from '../store/put-meta.ts'
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
  await store.transaction((tx) => putMeta(tx, NAME, value))
}
