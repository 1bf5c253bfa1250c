import { sql } from 'kysely'
import type { Store } from '../store/store.ts'
import type { CheckpointTable } from '../store/tables.ts'

/** Which checkpoint of a log: an epoch and a size in it. */
export interface CheckpointPlace {
  readonly epoch: number
  readonly size: number
}

/** Below zero when `a` is the older one. */
export function comparePlaces(a: CheckpointPlace, b: CheckpointPlace): number {
  return a.epoch - b.epoch || a.size - b.size
}

/** The newest checkpoint that was signed, published or not; null before the first one. */
export async function findNewestCheckpoint(store: Pick<Store, 'read'>): Promise<CheckpointTable | null> {
  const row = await store.read((db) =>
    db
      .selectFrom('gatebook_checkpoint')
      .selectAll()
      .orderBy('epoch', 'desc')
      .orderBy('size', 'desc')
      .limit(sql.lit(1))
      .executeTakeFirst(),
  )
  return row === undefined ? null : toNumbers(row)
}

/** The newest one that was handed to the anchors; null before the first one. */
export async function findPublishedCheckpoint(store: Pick<Store, 'read'>): Promise<CheckpointTable | null> {
  const row = await store.read((db) =>
    db
      .selectFrom('gatebook_checkpoint')
      .selectAll()
      .where('published_at', 'is not', null)
      .orderBy('epoch', 'desc')
      .orderBy('size', 'desc')
      .limit(sql.lit(1))
      .executeTakeFirst(),
  )
  return row === undefined ? null : toNumbers(row)
}

/** The newest ones that were published, newest first. */
export async function listNewestPublished(store: Pick<Store, 'read'>, limit: number): Promise<CheckpointTable[]> {
  const rows = await store.read((db) =>
    db
      .selectFrom('gatebook_checkpoint')
      .selectAll()
      .where('published_at', 'is not', null)
      .orderBy('epoch', 'desc')
      .orderBy('size', 'desc')
      .limit(sql.lit(limit))
      .execute(),
  )
  return rows.map(toNumbers)
}

/** Those that were published behind this one, by epoch and size. */
export async function listPublishedCheckpoints(
  store: Pick<Store, 'read'>,
  after: { readonly epoch: number; readonly size: number },
  limit: number,
): Promise<CheckpointTable[]> {
  const rows = await store.read((db) =>
    db
      .selectFrom('gatebook_checkpoint')
      .selectAll()
      .where('published_at', 'is not', null)
      .where((eb) =>
        eb.or([eb('epoch', '>', after.epoch), eb.and([eb('epoch', '=', after.epoch), eb('size', '>', after.size)])]),
      )
      .orderBy('epoch')
      .orderBy('size')
      .limit(sql.lit(limit))
      .execute(),
  )
  return rows.map(toNumbers)
}

function toNumbers(row: CheckpointTable): CheckpointTable {
  const { published_at: publishedAt } = row
  return {
    ...row,
    epoch: Number(row.epoch),
    size: Number(row.size),
    signed_at: Number(row.signed_at),
    published_at: publishedAt === null ? null : Number(publishedAt),
  }
}
