import { sql } from 'kysely'
import type { Transaction } from '../store/transaction.ts'

/** What becomes of a queued event, as it was read and checked. */
export interface QueuedMove {
  readonly number: number
  readonly eventId: string
  readonly mac: Uint8Array
  readonly leafHash: Uint8Array
  /** Null for one that has its place already, and only leaves the queue. */
  readonly logIndex: number | null
}

/**
 * Takes these rows out of the queue, gives them their places, and sets the size of the log. The leaves stay in the database, so each row is
 * compared there with what was checked: somebody may have changed it since. However many rows there are, the texts of the statements are few.
 *
 * Throws when a row is gone or another one than it was, so that nothing is committed and the next turn sees it as it is then.
 */
export async function moveQueued(tx: Transaction, moves: readonly QueuedMove[], size: number): Promise<void> {
  const placed = moves.filter(({ logIndex }) => logIndex !== null)
  const moved =
    tx.traits.name === 'postgres' ? await moveAtOnce(tx, moves, size) : await moveInTurn(tx, moves, placed, size)
  if (moved !== placed.length) throw new Error(`${placed.length} queued events were to be moved, and ${moved} were`)
}

/** As text: how a driver writes bytes in a list depends on its version. */
function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** The bounds keep every plan away from the rest of a long queue. What is compared is compared again when a row was waited for. */
async function moveAtOnce({ db }: Transaction, moves: readonly QueuedMove[], size: number): Promise<number> {
  const numbers = moves.map(({ number }) => number)
  const { numAffectedRows } = await sql`
    WITH moved AS (
      DELETE FROM gatebook_queue AS queued
      USING unnest(
        ${numbers}::bigint[], ${moves.map(({ logIndex }) => logIndex)}::bigint[], ${moves.map(({ eventId }) => eventId)}::text[],
        ${moves.map(({ leafHash }) => toHex(leafHash))}::text[], ${moves.map(({ mac }) => toHex(mac))}::text[]
      ) AS move (number, log_index, event_id, leaf_hash, mac)
      WHERE queued.number = move.number
        AND queued.number BETWEEN ${Math.min(...numbers)} AND ${Math.max(...numbers)}
        AND queued.event_id = move.event_id
        AND queued.mac = decode(move.mac, 'hex')
        AND sha256(decode('00', 'hex') || queued.leaf) = decode(move.leaf_hash, 'hex')
      RETURNING move.log_index, queued.event_id, queued.leaf, decode(move.leaf_hash, 'hex') AS leaf_hash, queued.mac
    ), grown AS (
      UPDATE gatebook_log_state SET size = ${size} WHERE id = 1
    )
    INSERT INTO gatebook_entry (log_index, event_id, leaf, leaf_hash, mac)
    SELECT log_index, event_id, leaf, leaf_hash, mac FROM moved WHERE log_index IS NOT NULL`.execute(db)
  return Number(numAffectedRows)
}

/** MySQL and MariaDB. The order of the joins is given: a scan by the DELETE would wait for log-ins that have not committed yet. */
async function moveInTurn(
  { db }: Transaction,
  moves: readonly QueuedMove[],
  placed: readonly QueuedMove[],
  size: number,
): Promise<number> {
  const list = placed.map((move) => [move.number, move.logIndex, move.eventId, toHex(move.leafHash), toHex(move.mac)])
  const { numAffectedRows } = await sql`
    INSERT INTO gatebook_entry (log_index, event_id, leaf, leaf_hash, mac)
    SELECT move.log_index, queued.event_id, queued.leaf, UNHEX(move.leaf_hash), queued.mac
    FROM JSON_TABLE(${JSON.stringify(list)}, '$[*]' COLUMNS (
      number BIGINT PATH '$[0]', log_index BIGINT PATH '$[1]', event_id VARCHAR(64) PATH '$[2]',
      leaf_hash CHAR(64) PATH '$[3]', mac CHAR(64) PATH '$[4]'
    )) AS move
    STRAIGHT_JOIN gatebook_queue AS queued FORCE INDEX (PRIMARY) ON queued.number = move.number
    WHERE HEX(queued.event_id) = HEX(move.event_id)
      AND queued.mac = UNHEX(move.mac)
      AND UNHEX(SHA2(CONCAT(UNHEX('00'), queued.leaf), 256)) = UNHEX(move.leaf_hash)`.execute(db)
  await db.updateTable('gatebook_log_state').set({ size }).where('id', '=', 1).execute()
  await sql`
    DELETE queued
    FROM JSON_TABLE(${JSON.stringify(moves.map(({ number }) => number))}, '$[*]' COLUMNS (number BIGINT PATH '$')) AS move
    STRAIGHT_JOIN gatebook_queue AS queued FORCE INDEX (PRIMARY) ON queued.number = move.number`.execute(db)
  return Number(numAffectedRows)
}
