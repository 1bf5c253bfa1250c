import { formatCanonical } from '../../../src/event/canonical.ts'
import type { CommitmentClass } from '../../../src/event/commitment.ts'
import { compareColumns, type StoredColumns } from '../../../src/event/compare-columns.ts'
import { LeafError, parseLeaf } from '../../../src/event/parse-leaf.ts'
import {
  computeLeafHash,
  ProofError,
  parseCheckpoint,
  parseNote,
  parseReceipt,
  verifyInclusion,
} from '../../../src/proof/index.ts'
import { encodeUtf8 } from '../../../src/util/bytes.ts'
import { encodeHex } from '../../../src/util/hex.ts'
import type { EventItem, Opening, ReceiptAnswer } from '../api/wire.ts'
import { openWith } from '../integrity/check-signature.ts'

/** In the order in which they are shown. */
export const STEPS = ['leaf', 'inclusion', 'signature', 'opening', 'columns'] as const
export type StepName = (typeof STEPS)[number]
/** `skipped`: nobody could look. */
export type StepResult = 'done' | 'failed' | 'skipped'

export interface Verification {
  readonly steps: Readonly<Record<StepName, StepResult>>
  /** Classes that were forgotten, as they may be. */
  readonly forgotten: readonly CommitmentClass[]
  /** Fields that are not what the entry says. */
  readonly wrongColumns: readonly string[]
  readonly wrongClasses: readonly CommitmentClass[]
  readonly index: number
  readonly size: number
  readonly leafHash: string
  readonly rootHash: string
  /** Names of the keys in the note. */
  readonly signedBy: readonly string[]
}

/**
 * Checks an event as it is shown against its receipt: nothing of it is believed that does not follow from the bytes of the entry
 * and, where a key of the log is known, from the signature over the root. `keys`: verifier keys, as text.
 */
export function verifyEvent(event: EventItem, receipt: ReceiptAnswer, keys: readonly string[]): Verification {
  const leafBytes = encodeUtf8(receipt.leaf)
  const leafHash = computeLeafHash(leafBytes)
  const steps: Record<StepName, StepResult> = {
    leaf: encodeHex(leafHash) === receipt.leaf_hash ? 'done' : 'failed',
    inclusion: 'failed',
    signature: keys.length === 0 ? 'skipped' : 'failed',
    opening: 'failed',
    columns: 'failed',
  }
  const place = { index: receipt.index, size: receipt.size, rootHash: '', signedBy: [] as readonly string[] }
  holds(() => {
    const { index, proof, checkpoint: note } = parseReceipt(receipt.proof)
    const { text, signatures } = parseNote(note)
    const checkpoint = parseCheckpoint(text)
    Object.assign(place, {
      index,
      size: checkpoint.size,
      rootHash: encodeHex(checkpoint.rootHash),
      signedBy: signatures.map(({ name }) => name),
    })
    verifyInclusion({ index, leafHash, ...checkpoint }, proof)
    steps.inclusion = 'done'
    if (keys.length === 0) return
    openWith(note, keys)
    steps.signature = 'done'
  })
  const compared = compare(event, receipt, leafBytes)
  if (compared !== null && compared.wrongClasses.length === 0) steps.opening = 'done'
  if (compared !== null && compared.wrongColumns.length === 0) steps.columns = 'done'
  return {
    steps,
    forgotten: compared?.forgotten ?? [],
    wrongColumns: compared?.wrongColumns ?? [],
    wrongClasses: compared?.wrongClasses ?? [],
    leafHash: encodeHex(leafHash),
    ...place,
  }
}

/** Good only where every step was taken; a key that is not known leaves it open. */
export function verdictOf({ steps }: Verification): 'good' | 'bad' | 'unknown' {
  const results = Object.values(steps)
  return results.includes('failed') ? 'bad' : results.includes('skipped') ? 'unknown' : 'good'
}

/** False for a proof that does not hold; anything else is thrown on. */
function holds(check: () => void): boolean {
  try {
    check()
    return true
  } catch (error) {
    if (error instanceof ProofError) return false
    throw error
  }
}

type Compared = Pick<Verification, 'forgotten' | 'wrongColumns' | 'wrongClasses'>

/** Null for an entry that is none. */
function compare(event: EventItem, { opening }: ReceiptAnswer, leafBytes: Uint8Array): Compared | null {
  try {
    const faults = compareColumns(parseLeaf(leafBytes), toColumns(event, opening))
    return {
      forgotten: faults?.missing ?? [],
      wrongColumns: faults?.columns ?? [],
      wrongClasses: faults?.openings.map(({ kind }) => kind) ?? [],
    }
  } catch (error) {
    if (error instanceof LeafError) return null
    throw error
  }
}

/** What is shown, and of the opening only what no field shows: the salts, and the version of the key of the digest. */
function toColumns(event: EventItem, opening: ReceiptAnswer['opening']): StoredColumns {
  const { identifier_key: version } = opening.id?.fields ?? {}
  return {
    id: event.id,
    type: event.type,
    outcome: event.outcome,
    reason: event.reason,
    at: event.at,
    actor_kind: event.actor.kind,
    actor_id: event.actor.id,
    subject_id: event.subject,
    identifier: event.identifier,
    identifier_mask: event.identifier_mask,
    identifier_hmac: event.identifier_hmac,
    identifier_key: typeof version === 'number' ? version : null,
    session_id: event.session_id,
    token_id: event.token_id,
    method: event.method,
    ip: event.ip,
    ip_source: event.ip_source === 'unknown' ? null : event.ip_source,
    user_agent: event.user_agent,
    device_id: event.device_id,
    request_id: event.request_id,
    trace_id: event.trace_id,
    data: Object.keys(event.data).length === 0 ? null : canonical(event.data),
    salt_id: decodeSalt(opening.id),
    salt_net: decodeSalt(opening.net),
  }
}

/** As it is, where it has no canonical form: then it is not what an entry can say. */
function canonical(data: Readonly<Record<string, unknown>>): string {
  try {
    return formatCanonical(data as Parameters<typeof formatCanonical>[0])
  } catch {
    return JSON.stringify(data)
  }
}

/** Bytes that open nothing for what is no salt. */
function decodeSalt(opening: Opening | null): Uint8Array | null {
  if (opening === null) return null
  const pairs = /^[0-9a-f]{64}$/.test(opening.salt) ? opening.salt.match(/../g)! : []
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16))
}
