import { type Leaf, LeafError, parseLeaf } from '../../event/parse-leaf.ts'
import { computeLeafHash } from '../../proof/hash.ts'
import { equalBytes } from '../../util/bytes.ts'
import type { EntryRow, MacCheck } from '../entry-walk.ts'
import type { FindingCode } from './findings.ts'

/** An entry that was read, with what follows from its leaf and from nothing else. */
export interface CheckedEntry {
  readonly index: number
  readonly eventId: string
  readonly leafHash: Uint8Array
  /** Null when it is none. */
  readonly leaf: Leaf | null
  readonly faults: readonly (readonly [code: FindingCode, detail: string])[]
}

/** `needsMac`: no checkpoint vouches for it. */
export function checkEntry(row: EntryRow, needsMac: boolean, isGenuine: MacCheck): CheckedEntry {
  const index = Number(row.log_index)
  const faults: [FindingCode, string][] = []
  const bytes = row.leaf instanceof Uint8Array ? row.leaf : new Uint8Array()
  const leafHash = computeLeafHash(bytes)
  if (!(row.leaf_hash instanceof Uint8Array) || !equalBytes(leafHash, row.leaf_hash)) faults.push(['entry-hash', ''])
  if (needsMac && !isGenuine(row.event_id, leafHash, row.mac)) faults.push(['entry-forged', ''])
  const leaf = readLeaf(bytes)
  if (typeof leaf === 'string') faults.push(['entry-malformed', leaf])
  else if (leaf.id !== row.event_id) faults.push(['entry-swapped', `the leaf is of ${leaf.id}`])
  return { index, eventId: row.event_id, leafHash, leaf: typeof leaf === 'string' ? null : leaf, faults }
}

/** What is wrong with it, where it is none. */
export function readLeaf(bytes: Uint8Array): Leaf | string {
  try {
    return parseLeaf(bytes)
  } catch (error) {
    if (error instanceof LeafError) return error.message
    throw error
  }
}
