import { timingSafeEqual } from 'node:crypto'
import { sql } from 'kysely'
import { computeLeafHash } from '../proof/hash.ts'
import type { MasterSecret } from '../secret/master-secret.ts'
import type { Store } from '../store/store.ts'
import type { EntryTable } from '../store/tables.ts'
import { equalBytes } from '../util/bytes.ts'
import { computeWriterMac } from './leaf.ts'
import { diverged } from './stopped.ts'

/** An entry whose leaf hash was computed from its leaf here. */
export interface WalkedEntry {
  readonly index: number
  readonly eventId: string
  readonly leafHash: Uint8Array
}

/** Of entries that are read at once. */
export const WALK_BATCH = 512

/** Whether this process, or another one of this installation, has written the event with this leaf. */
export type MacCheck = (eventId: string, leafHash: Uint8Array, mac: Uint8Array | null) => boolean

export function createMacCheck(secret: MasterSecret): MacCheck {
  const keys = secret.versions.toReversed().map((version) => secret.deriveKey('writer-mac', version)!)
  return (eventId, leafHash, mac) =>
    keys.some((key) => {
      const expected = computeWriterMac(key, eventId, leafHash)
      return mac !== null && mac.length === expected.length && timingSafeEqual(mac, expected)
    })
}

/**
 * The entries from the `from`-th on to the one before the `to`-th, in bounded batches. Nothing that stands in a column is believed that
 * follows from the leaf. With `isGenuine`, each has to carry the MAC of a writer. Throws ERR_LOG_DIVERGED.
 */
export async function* walkEntries(
  store: Pick<Store, 'read'>,
  from: number,
  to: number,
  isGenuine?: MacCheck,
): AsyncGenerator<readonly WalkedEntry[]> {
  for (let at = from; at < to; ) {
    const rows = await readEntries(store, at, Math.min(to, at + WALK_BATCH))
    if (rows.length === 0) throw diverged('gap', `There is no entry ${at}.`)
    yield checkEntries(rows, at, isGenuine)
    at += rows.length
  }
}

export type EntryRow = Pick<EntryTable, 'log_index' | 'event_id' | 'leaf' | 'leaf_hash' | 'mac'>

/** The first of the entries from the `from`-th on, by place; at most {@link WALK_BATCH}. */
export function readEntries(store: Pick<Store, 'read'>, from: number, to: number): Promise<EntryRow[]> {
  return store.read((db) =>
    db
      .selectFrom('gatebook_entry')
      .select(['log_index', 'event_id', 'leaf', 'leaf_hash', 'mac'])
      .where('log_index', '>=', from)
      .where('log_index', '<', to)
      .orderBy('log_index')
      .limit(sql.lit(WALK_BATCH))
      .execute(),
  )
}

/** Throws ERR_LOG_DIVERGED unless these are the entries from the `from`-th on, each as its leaf says. */
export function checkEntries(rows: readonly EntryRow[], from: number, isGenuine?: MacCheck): WalkedEntry[] {
  return rows.map((row, at) => {
    const index = from + at
    if (Number(row.log_index) !== index)
      throw diverged('gap', `Entry ${row.log_index} stands where ${index} should be.`)
    const leafHash = computeLeafHash(row.leaf)
    if (!equalBytes(leafHash, row.leaf_hash))
      throw diverged('rewritten', `Entry ${index} is not what its hash was made for.`)
    if (isGenuine !== undefined && !isGenuine(row.event_id, leafHash, row.mac))
      throw diverged('forged', `It is entry ${index}.`)
    return { index, eventId: row.event_id, leafHash }
  })
}
