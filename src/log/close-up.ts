import { sql } from 'kysely'
import { computeLeafHash, HASH_BYTES } from '../proof/hash.ts'
import { TILE_WIDTH } from '../proof/tile.ts'
import { createTreeBuilder, type Frontier } from '../proof/tree.ts'
import { chunks } from '../store/chunks.ts'
import type { EntryTable } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'
import { equalBytes } from '../util/bytes.ts'
import { type MacCheck, WALK_BATCH } from './entry-walk.ts'
import type { TileRow } from './log-tree.ts'
import { diverged } from './stopped.ts'

/** What has become of the entries behind a place. */
export interface ClosedUp {
  readonly size: number
  readonly rootHash: Uint8Array
  /** Entries that no writer has made, which were handed out and removed. */
  readonly quarantined: number
  /** Places at which there was no entry. */
  readonly missing: number
  /** Whether anything was not as it has to be. */
  readonly changed: boolean
}

/**
 * Makes the entries behind `from` a log again: those that carry the MAC of a writer, in their order and without a gap. All others are
 * handed out and removed. The size is that of what is left.
 *
 * `putAside` may be told of them again, when the transaction runs again.
 */
export async function closeUp(
  { db, traits }: Transaction,
  { from, isGenuine }: { readonly from: Frontier; readonly isGenuine: MacCheck },
  putAside: (rows: readonly EntryTable[]) => Promise<void>,
): Promise<ClosedUp> {
  const state = db.selectFrom('gatebook_log_state').select('size').where('id', '=', 1)
  const said = Number((await (traits.rowLocks ? state.forUpdate() : state).executeTakeFirstOrThrow()).size)
  const builder = createTreeBuilder(from)
  let [behind, read, quarantined, moved] = [from.size - 1, 0, 0, 0]
  for (;;) {
    const rows = await db
      .selectFrom('gatebook_entry')
      .selectAll()
      .where('log_index', '>', behind)
      .orderBy('log_index')
      .limit(sql.lit(WALK_BATCH))
      .execute()
    if (rows.length === 0) break
    const last = Number(rows.at(-1)!.log_index)
    if (!Number.isSafeInteger(last)) throw diverged('gap', `There is an entry at the place ${last}: remove it by hand.`)
    behind = last
    read += rows.length
    const genuine = rows.filter(({ event_id: id, leaf, mac }) => isGenuine(id, computeLeafHash(leaf), mac))
    const others = rows.filter((row) => !genuine.includes(row))
    await putAside(others)
    quarantined += others.length
    for (const chunk of chunks(others.map(({ event_id }) => event_id))) {
      await db.deleteFrom('gatebook_entry').where('event_id', 'in', chunk).execute()
    }
    for (const { event_id: id, log_index: at, leaf, leaf_hash: hash } of genuine) {
      const leafHash = computeLeafHash(leaf)
      const index = builder.size()
      builder.append([leafHash])
      if (Number(at) === index && equalBytes(hash, leafHash)) continue
      // Ever lower, to a place that is free by now.
      moved += 1
      const query = db.updateTable('gatebook_entry').set({ log_index: index, leaf_hash: leafHash })
      await query.where('event_id', '=', id).execute()
    }
  }
  const size = builder.size()
  if (size !== said) await db.updateTable('gatebook_log_state').set({ size }).where('id', '=', 1).execute()
  return {
    size,
    rootHash: builder.root(),
    quarantined,
    missing: Math.max(said, behind + 1) - from.size - read,
    changed: quarantined > 0 || moved > 0 || size !== said,
  }
}

/** The highest level that has hashes at a size that a number can hold. */
const HIGHEST_LEVEL = 6

/**
 * Writes what tiles have to be at this size, and cuts off what is beyond it. Returns whether they were not that before.
 */
export async function putTiles({ db }: Transaction, tiles: readonly TileRow[], size: number): Promise<boolean> {
  let changed = false
  for (const { level, place, hashes } of tiles) {
    const known = await findTile(level, place)
    if (known !== undefined && equalBytes(known, hashes)) continue
    changed = true
    await putTile(level, place, hashes)
  }
  for (let level = 1; level <= HIGHEST_LEVEL; level++) {
    const count = Math.floor(size / TILE_WIDTH ** level)
    const place = Math.floor(count / TILE_WIDTH)
    const beyond = db.deleteFrom('gatebook_tile').where('level', '=', level).where('place', '>', place)
    const { numDeletedRows } = await beyond.executeTakeFirst()
    const edge = await findTile(level, place)
    const bytes = (count % TILE_WIDTH) * HASH_BYTES
    const isLonger = edge !== undefined && edge.length > bytes
    if (isLonger) await putTile(level, place, edge.slice(0, bytes))
    if (numDeletedRows > 0n || isLonger) changed = true
  }
  return changed

  async function findTile(level: number, place: number): Promise<Uint8Array | undefined> {
    const query = db.selectFrom('gatebook_tile').select('hashes').where('level', '=', level).where('place', '=', place)
    return (await query.executeTakeFirst())?.hashes
  }

  async function putTile(level: number, place: number, hashes: Uint8Array): Promise<void> {
    await db.deleteFrom('gatebook_tile').where('level', '=', level).where('place', '=', place).execute()
    if (hashes.length > 0) await db.insertInto('gatebook_tile').values({ level, place, hashes }).execute()
  }
}
