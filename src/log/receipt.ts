import type { CommitmentOpening, EventReceipt } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { CanonicalValue } from '../event/canonical.ts'
import { type CommitmentClass, isOpening, SALT_BYTES } from '../event/commitment.ts'
import { findLeaf, type Leaf } from '../event/parse-leaf.ts'
import { computeLeafHash } from '../proof/hash.ts'
import { parseReceipt, type Receipt } from '../proof/receipt.ts'
import { encodeUtf8 } from '../util/bytes.ts'
import { encodeHex } from '../util/hex.ts'
import { isPlainObject } from '../util/plain-object.ts'
import { parseStrictJson } from '../util/strict-json.ts'

export const RECEIPT_FORMAT = 'gatebook-receipt/v1'
const CLASSES: readonly CommitmentClass[] = ['id', 'net']

/** What `GET …/proof` answers and `gatebook log prove` writes: everything that is needed to check it without the log. */
export interface WireReceipt {
  format: string
  event_id: string
  index: number
  size: number
  /** The exact bytes of the leaf, which are UTF-8. */
  leaf: string
  /** Hexadecimal, like the salts. */
  leaf_hash: string
  /** C2SP tlog-proof. */
  proof: string
  opening: { id: WireOpening | null; net: WireOpening | null }
}

export interface WireOpening {
  salt: string
  fields: Record<string, unknown>
}

export function toWireReceipt(receipt: EventReceipt): WireReceipt {
  const { eventId, index, size, leaf, leafHash, proof, opening } = receipt
  const wire = (part: CommitmentOpening | null): WireOpening | null =>
    part === null ? null : { salt: part.salt, fields: { ...part.fields } }
  return {
    format: RECEIPT_FORMAT,
    event_id: eventId,
    index,
    size,
    leaf,
    leaf_hash: leafHash,
    proof,
    opening: { id: wire(opening.id), net: wire(opening.net) },
  }
}

/** A receipt as it was read, with the leaf in its exact bytes. Nothing of it is verified yet. */
export interface ReadReceipt {
  readonly leafBytes: Uint8Array
  readonly leaf: Leaf
  readonly leafHash: Uint8Array
  readonly proof: Receipt
  readonly opening: Readonly<Record<CommitmentClass, CommitmentOpening | null>>
}

/**
 * The inverse of {@link toWireReceipt}. Throws ERR_RECEIPT_INVALID, whose detail says what is wrong, for what is none and for
 * one whose members do not agree with each other; a ProofError for the proof in it.
 */
export function parseWireReceipt(text: string): ReadReceipt {
  let value: unknown
  try {
    value = parseStrictJson(text)
  } catch {
    throw invalid('it is not JSON')
  }
  if (!isPlainObject(value) || value.format !== RECEIPT_FORMAT) throw invalid(`its format is not ${RECEIPT_FORMAT}`)
  const { leaf: leafText, proof: proofText, opening, event_id: eventId, index, leaf_hash: named } = value
  if (typeof leafText !== 'string' || typeof proofText !== 'string') throw invalid('it has no leaf or no proof')
  const leafBytes = encodeUtf8(leafText)
  const leaf = leafText.isWellFormed() ? findLeaf(leafBytes) : null
  if (leaf === null) throw invalid('its leaf is not in the canonical form of an entry')
  const leafHash = computeLeafHash(leafBytes)
  const proof = parseReceipt(proofText)
  if (eventId !== leaf.id) throw invalid('its event_id is not that of the leaf')
  if (named !== encodeHex(leafHash)) throw invalid('its leaf_hash is not that of the leaf')
  if (index !== proof.index) throw invalid('its index is not that of the proof')
  if (!isPlainObject(opening)) throw invalid('it has no opening')
  return {
    leafBytes,
    leaf,
    leafHash,
    proof,
    opening: { id: parseOpening(opening.id, 'id'), net: parseOpening(opening.net, 'net') },
  }
}

/** The classes whose fields are there and are not those that the leaf commits to. */
export function findWrongOpenings(
  { commit }: Leaf,
  opening: Readonly<Record<CommitmentClass, CommitmentOpening | null>>,
): CommitmentClass[] {
  return CLASSES.filter((kind) => {
    const part = opening[kind]
    return part !== null && !isOpening(commit[kind], kind, decodeSalt(part.salt), part.fields)
  })
}

function parseOpening(value: unknown, kind: CommitmentClass): CommitmentOpening | null {
  if (value === null) return null
  if (!isPlainObject(value) || typeof value.salt !== 'string' || !isPlainObject(value.fields)) {
    throw invalid(`the opening of its class ${kind} is neither null nor a salt and fields`)
  }
  return { salt: value.salt, fields: value.fields as Record<string, CanonicalValue> }
}

/** No bytes, which open nothing, for anything but lower-case digits of a whole salt. */
function decodeSalt(hex: string): Uint8Array {
  const isSalt = hex.length === 2 * SALT_BYTES && /^[0-9a-f]+$/.test(hex)
  return Buffer.from(isSalt ? hex : '', 'hex')
}

function invalid(detail: string): GatebookError {
  return new GatebookError('ERR_RECEIPT_INVALID', { detail: `This is no receipt: ${detail}.` })
}
