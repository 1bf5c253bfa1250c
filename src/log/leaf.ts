import { createHmac } from 'node:crypto'

export { computeLeafHash } from '../proof/hash.ts'

const MAC_DOMAIN = 'gatebook-writer/v1'

/**
 * Binds an event id to its leaf with a key that is not in the database, so that whoever can only write to the database
 * cannot add an event or change one that waits for its place in the log.
 */
export function computeWriterMac(key: Uint8Array, eventId: string, leafHash: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`${MAC_DOMAIN}\n${eventId}\n`).update(leafHash).digest()
}
