import type { CommitmentOpening } from '../../api.ts'
import { isGatebookError } from '../../errors.ts'
import type { CommitmentClass } from '../../event/commitment.ts'
import type { Leaf } from '../../event/parse-leaf.ts'
import { findLeaf } from '../../event/parse-leaf.ts'
import { openByKeys } from '../../log/exported/epoch-keys.ts'
import { findWrongOpenings, parseWireReceipt } from '../../log/receipt.ts'
import type { Checkpoint } from '../../proof/checkpoint.ts'
import { computeLeafHash } from '../../proof/hash.ts'
import { verifyInclusion } from '../../proof/inclusion.ts'
import type { VerifierKey } from '../../proof/note-key.ts'
import { parseReceipt, type Receipt } from '../../proof/receipt.ts'
import { encodeBase64 } from '../../util/base64.ts'
import { equalBytes } from '../../util/bytes.ts'
import { createFindings, type Finding, type Findings } from './findings.ts'
import type { KeptNote } from './verify-directory.ts'

type Opening = Readonly<Record<CommitmentClass, CommitmentOpening | null>>

export interface ReceiptReport {
  readonly origin: string | null
  readonly index: number | null
  readonly size: number
  readonly rootHash: string | null
  readonly leaf: Leaf | null
  /** What is known of whom and where from; null for a class that was forgotten or is not in the receipt. */
  readonly opening: Opening
  readonly findings: readonly Finding[]
  readonly more: number
}

const NOTHING: Opening = { id: null, net: null }

/**
 * Checks a receipt with no more than the key: the signature, the inclusion of the entry, and that the opening is what the entry
 * commits to. `entry`: the bytes of the entry, for a receipt that does not carry it (`.tlog-proof`).
 */
export function verifyReceiptFile(
  text: string,
  {
    keys,
    notes,
    entry,
  }: { readonly keys: readonly VerifierKey[]; readonly notes: readonly KeptNote[]; readonly entry: Uint8Array | null },
): ReceiptReport {
  const findings = createFindings()
  const read = readReceipt(text, entry, findings)
  const nothing = { origin: null, index: null, size: 0, rootHash: null, leaf: null, opening: NOTHING }
  if (read === null) return { ...nothing, ...findings.all() }
  const { proof, leafBytes, leaf, opening } = read
  const checkpoint = findings.unless('checkpoint', () => openByKeys(proof.checkpoint, keys))
  if (checkpoint === null) return { ...nothing, index: proof.index, leaf, opening, ...findings.all() }
  findings.unless('proof', () => {
    verifyInclusion({ index: proof.index, leafHash: computeLeafHash(leafBytes), ...checkpoint }, proof.proof)
    return true
  })
  for (const kind of findWrongOpenings(leaf, opening)) {
    findings.add(`opening ${kind}`, 'is not what the entry commits to: the salt or a field was changed')
  }
  compareNotes(notes, checkpoint, keys, findings)
  const { origin, size, rootHash } = checkpoint
  return { origin, index: proof.index, size, rootHash: encodeBase64(rootHash), leaf, opening, ...findings.all() }
}

interface ReadFile {
  readonly proof: Receipt
  readonly leafBytes: Uint8Array
  readonly leaf: Leaf
  readonly opening: Opening
}

function readReceipt(text: string, entry: Uint8Array | null, findings: Findings): ReadFile | null {
  if (entry !== null) {
    const proof = findings.unless('proof', () => parseReceipt(text))
    const leaf = findLeaf(entry)
    if (leaf === null) findings.add('entry', 'is not in the canonical form of an entry')
    return proof === null || leaf === null ? null : { proof, leafBytes: entry, leaf, opening: NOTHING }
  }
  try {
    return findings.unless('proof', () => parseWireReceipt(text))
  } catch (error) {
    if (!isGatebookError(error, 'ERR_RECEIPT_INVALID')) throw error
    findings.add('receipt', error.detail ?? error.message)
    return null
  }
}

/** Without the log, checkpoints of two sizes cannot be compared; of one size there is one root. */
function compareNotes(
  notes: readonly KeptNote[],
  { origin, size, rootHash }: Checkpoint,
  keys: readonly VerifierKey[],
  findings: Findings,
): void {
  for (const { name, note } of notes) {
    const other = findings.unless(name, () => openByKeys(note, keys))
    if (other === null || other.origin !== origin || other.size !== size) continue
    if (!equalBytes(other.rootHash, rootHash)) {
      findings.add(name, `has another root for the same ${size} entries: both are signed, so the log was forked`)
    }
  }
}
