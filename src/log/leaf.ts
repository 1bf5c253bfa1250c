import { createHash, createHmac } from 'node:crypto'
import { concatBytes, encodeUtf8 } from '../util/bytes.ts'

const LEAF_PREFIX = Uint8Array.of(0)
const MAC_DOMAIN = 'gatebook-writer/v1'

/** RFC 6962 §2.1: SHA-256(0x00 ‖ leaf). */
export function computeLeafHash(leaf: Uint8Array): Buffer {
  return createHash('sha256').update(LEAF_PREFIX).update(leaf).digest()
}

/**
 * Binds an event id to its leaf with a key that is not in the database, so that whoever can only write to the database
 * cannot add an event or change one that waits for its place in the log.
 */
export function computeWriterMac(key: Uint8Array, eventId: string, leafHash: Uint8Array): Buffer {
  return createHmac('sha256', key)
    .update(concatBytes(encodeUtf8(`${MAC_DOMAIN}\n${eventId}\n`), leafHash))
    .digest()
}
