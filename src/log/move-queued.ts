import { sql } from 'kysely'
import { listChunks } from '../store/chunks.ts'
import type { Transaction } from '../store/transaction.ts'

/** What becomes of a queued event. */
export interface QueuedMove {
  readonly number: number
  /** Null for one that has its place already, and only leaves the queue. */
  readonly place: { readonly logIndex: number; readonly leafHash: Uint8Array } | null
}

/**
 * Takes these rows out of the queue, gives them their places, and sets the size of the log. The leaves stay in the database, and however many
 * rows there are, the texts of the statements are few: a turn of a log with little to do is mostly round trips.
 *
 * Throws when a row has gone meanwhile, so that nothing is committed: nobody but the sequencer takes rows out of the queue.
 */
export async function moveQueued(tx: Transaction, moves: readonly QueuedMove[], size: number): Promise<void> {
  const placed = moves.flatMap(({ number, place }) => (place === null ? [] : [{ number, ...place }]))
  const moved = tx.traits.insertsInWith ? await moveAtOnce(tx, moves, size) : await moveInTurn(tx, moves, placed, size)
  if (moved !== placed.length) throw new Error(`${placed.length} queued events were to be moved, and ${moved} were`)
}

interface Placed {
  readonly number: number
  readonly logIndex: number
  readonly leafHash: Uint8Array
}

/** PostgreSQL. */
async function moveAtOnce({ db }: Transaction, moves: readonly QueuedMove[], size: number): Promise<number> {
  const numbers = moves.map(({ number }) => number)
  const indexes = moves.map(({ place }) => place?.logIndex ?? null)
  const hashes = moves.map(({ place }) => place?.leafHash ?? null)
  const { numAffectedRows } = await sql`
    WITH moved AS (
      DELETE FROM gatebook_queue AS queued
      USING unnest(${numbers}::bigint[], ${indexes}::bigint[], ${hashes}::bytea[]) AS move (number, log_index, leaf_hash)
      WHERE queued.number = move.number
      RETURNING move.log_index, queued.event_id, queued.leaf, move.leaf_hash, queued.mac
    ), grown AS (
      UPDATE gatebook_log_state SET size = ${size} WHERE id = 1
    )
    INSERT INTO gatebook_entry (log_index, event_id, leaf, leaf_hash, mac)
    SELECT log_index, event_id, leaf, leaf_hash, mac FROM moved WHERE log_index IS NOT NULL`.execute(db)
  return Number(numAffectedRows)
}

/** MySQL and MariaDB. The order of the join is given, so that nothing but the rows of the list is looked at, let alone locked. */
async function moveInTurn(
  { db }: Transaction,
  moves: readonly QueuedMove[],
  placed: readonly Placed[],
  size: number,
): Promise<number> {
  const list = placed.map(({ number, logIndex, leafHash }) => [number, logIndex, Buffer.from(leafHash).toString('hex')])
  const { numAffectedRows } = await sql`
    INSERT INTO gatebook_entry (log_index, event_id, leaf, leaf_hash, mac)
    SELECT move.log_index, queued.event_id, queued.leaf, UNHEX(move.leaf_hash), queued.mac
    FROM JSON_TABLE(${JSON.stringify(list)}, '$[*]' COLUMNS (
      number BIGINT PATH '$[0]', log_index BIGINT PATH '$[1]', leaf_hash CHAR(64) PATH '$[2]'
    )) AS move
    STRAIGHT_JOIN gatebook_queue AS queued FORCE INDEX (PRIMARY) ON queued.number = move.number`.execute(db)
  await db.updateTable('gatebook_log_state').set({ size }).where('id', '=', 1).execute()
  for (const chunk of listChunks(moves.map(({ number }) => number)))
    await db.deleteFrom('gatebook_queue').where('number', 'in', chunk).execute()
  return Number(numAffectedRows)
}
