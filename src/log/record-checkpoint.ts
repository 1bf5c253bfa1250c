import { ifAbsent } from '../store/insert-if-absent.ts'
import type { Store } from '../store/store.ts'
import type { TileRow } from './log-tree.ts'

export interface SignedCheckpoint {
  readonly epoch: number
  readonly size: number
  readonly note: string
  /** Epoch milliseconds. */
  readonly signedAt: number
}

/**
 * Puts a checkpoint that the guard has into the database, with the tiles that it made, instead of the one before unless that was
 * published. What is lost of it with the machine follows again from the entries, so it waits for no disk.
 */
export async function recordSigned(
  store: Store,
  { epoch, size, note, signedAt }: SignedCheckpoint,
  tiles: readonly TileRow[],
): Promise<void> {
  if (size === 0) return
  await store.transaction(async ({ db, traits }) => {
    for (const { level, place, hashes } of tiles) {
      await db.deleteFrom('gatebook_tile').where('level', '=', level).where('place', '=', place).execute()
      await db.insertInto('gatebook_tile').values({ level, place, hashes }).execute()
    }
    await db.deleteFrom('gatebook_checkpoint').where('published_at', 'is', null).execute()
    const row = { epoch, size, note, signed_at: signedAt, published_at: null, proof: null }
    // What was published stays as it was, with what witnesses have signed.
    await ifAbsent(db.insertInto('gatebook_checkpoint').values(row), traits, 'epoch', 'size').execute()
  }, 'relaxed')
}
