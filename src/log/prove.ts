import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import type { CommitmentOpening, EventReceipt } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { CommitmentClass } from '../event/commitment.ts'
import { committedFields, type EventColumns } from '../event/encode.ts'
import { findLeaf } from '../event/parse-leaf.ts'
import { computeLeafHash } from '../proof/hash.ts'
import { computeInclusionProof, verifyInclusion } from '../proof/inclusion.ts'
import { formatReceipt } from '../proof/receipt.ts'
import type { Store } from '../store/store.ts'
import type { Tables } from '../store/tables.ts'
import { decodeUtf8 } from '../util/bytes.ts'
import { encodeHex } from '../util/hex.ts'
import { isId } from '../util/id.ts'
import { findNewestCheckpoint } from './checkpoint-row.ts'
import type { LogKeys } from './log-keys.ts'
import { findWrongOpenings } from './receipt.ts'
import { orTampered, tampered } from './tampered.ts'
import { createTreeReader } from './tree-reader.ts'

/** A batch is signed within a second of its commit, unless nobody signs. */
const RETRY_SECONDS = 1

/** The columns that the two commitments are over, and whether there still are salts. */
const OPENING_COLUMNS = [
  'actor_id',
  'subject_id',
  'identifier',
  'identifier_mask',
  'identifier_hmac',
  'identifier_key',
  'ip',
  'ip_source',
  'user_agent',
  'device_id',
  'salt_id',
  'salt_net',
] as const

interface Entry {
  readonly index: number
  readonly leafBytes: Uint8Array
}

/**
 * The receipt of one event, under the newest checkpoint that was signed: from O(log n) look-ups by key. What does not verify is
 * not handed out, whoever has changed it.
 *
 * Throws ERR_EVENT_NOT_FOUND, ERR_EVENT_PENDING (no signed checkpoint covers it yet), ERR_ENTRY_PRUNED, ERR_LOG_TAMPERED.
 */
export async function proveEvent(store: Pick<Store, 'read'>, keys: LogKeys, eventId: string): Promise<EventReceipt> {
  if (!isId('event', eventId)) throw new GatebookError('ERR_EVENT_NOT_FOUND', { detail: eventId })
  const entry = (await findEntry(store, eventId)) ?? (await explainAbsence(store, eventId))
  const { index, leafBytes } = entry
  const row = await findNewestCheckpoint(store)
  if (row === null || row.size <= index) throw pending(eventId)

  const place = `entry ${index} (${eventId})`
  const leaf = findLeaf(leafBytes)
  if (leaf?.id !== eventId) throw tampered(`${place}: the leaf is that of another event, or is none.`)
  const opening = await readOpening(store, eventId)
  const wrong = findWrongOpenings(leaf, opening)
  if (wrong.length > 0) {
    throw tampered(
      `${place}: the columns of gatebook_event are not what the leaf commits to (class ${wrong.join(', ')}).`,
    )
  }

  const leafHash = computeLeafHash(leafBytes)
  const checkpoint = await orTampered(`the checkpoint of size ${row.size}`, () => keys.open(row))
  const proof = await orTampered(`${place} under the checkpoint of size ${row.size}`, async () => {
    const hashes = await computeInclusionProof(createTreeReader(store.read), index, checkpoint.size)
    verifyInclusion({ index, leafHash, ...checkpoint }, hashes)
    return formatReceipt({ index, proof: hashes, checkpoint: row.note })
  })
  return {
    eventId,
    index,
    size: checkpoint.size,
    leaf: decodeUtf8(leafBytes),
    leafHash: encodeHex(leafHash),
    proof,
    opening,
  }
}

async function findEntry(store: Pick<Store, 'read'>, eventId: string): Promise<Entry | null> {
  const row = await store.read((db) =>
    db.selectFrom('gatebook_entry').select(['log_index', 'leaf']).where('event_id', '=', eventId).executeTakeFirst(),
  )
  return row === undefined ? null : { index: Number(row.log_index), leafBytes: row.leaf }
}

/** The entry after all, when it got its place while it was looked for; throws what its absence means otherwise. */
async function explainAbsence(store: Pick<Store, 'read'>, eventId: string): Promise<Entry> {
  const queued = await store.read((db) =>
    db.selectFrom('gatebook_queue').select('rejected_at').where('event_id', '=', eventId).executeTakeFirst(),
  )
  if (queued !== undefined && queued.rejected_at === null) throw pending(eventId)
  const entry = await findEntry(store, eventId)
  if (entry !== null) return entry
  if (queued !== undefined) {
    throw tampered(`${eventId} waits in gatebook_queue without the MAC of a writer of this installation.`)
  }
  if (await isPrunedAge(store, eventId)) throw new GatebookError('ERR_ENTRY_PRUNED', { detail: eventId })
  const event = await store.read((db) =>
    db.selectFrom('gatebook_event').select('id').where('id', '=', eventId).executeTakeFirst(),
  )
  if (event !== undefined) throw tampered(`${eventId} stands in gatebook_event and has no entry.`)
  throw new GatebookError('ERR_EVENT_NOT_FOUND', { detail: eventId })
}

/** There were entries that are gone, and this id is not younger than the first one that is left. */
async function isPrunedAge(store: Pick<Store, 'read'>, eventId: string): Promise<boolean> {
  const state = await store.read((db) =>
    db.selectFrom('gatebook_log_state').select('pruned').where('id', '=', 1).executeTakeFirst(),
  )
  if (state === undefined || Number(state.pruned) === 0) return false
  const first = await store.read((db) =>
    db.selectFrom('gatebook_entry').select('event_id').orderBy('log_index').limit(sql.lit(1)).executeTakeFirst(),
  )
  return first === undefined || timeOf(eventId) <= timeOf(first.event_id)
}

/** The part of an id that is the instant at which it was made; it sorts as that does. */
function timeOf(eventId: string): string {
  return eventId.slice(0, 'evt_'.length + 10)
}

async function readOpening(
  store: Pick<Store, 'read'>,
  eventId: string,
): Promise<Record<CommitmentClass, CommitmentOpening | null>> {
  const row = await store.read((db: Kysely<Tables>) =>
    db.selectFrom('gatebook_event').select(OPENING_COLUMNS).where('id', '=', eventId).executeTakeFirst(),
  )
  if (row === undefined) return { id: null, net: null }
  const fields = committedFields(row as unknown as EventColumns)
  const part = (kind: CommitmentClass, salt: Uint8Array | null): CommitmentOpening | null =>
    salt === null ? null : { salt: encodeHex(salt), fields: withoutUndefined(fields[kind]) }
  return { id: part('id', row.salt_id), net: part('net', row.salt_net) }
}

function withoutUndefined(fields: CommitmentOpening['fields']): CommitmentOpening['fields'] {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

function pending(eventId: string): GatebookError {
  return new GatebookError('ERR_EVENT_PENDING', { detail: eventId, retryAfterSeconds: RETRY_SECONDS })
}
