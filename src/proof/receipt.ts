import { decodeBase64, encodeBase64 } from '../util/base64.ts'
import { type LogPolicy, type OpenedCheckpoint, openCheckpoint, parseCheckpoint } from './checkpoint.ts'
import { HASH_BYTES, requireHash } from './hash.ts'
import { verifyInclusion } from './inclusion.ts'
import { parseNote } from './note.ts'
import { ProofError, requireCount } from './proof-error.ts'

const HEADER = 'c2sp.org/tlog-proof@v1'
/** A tree of 2^53 leaves needs no more. */
const MAX_HASHES = 53

/** That one entry stands in the log: what its holder keeps, and checks without the log. C2SP tlog-proof. */
export interface Receipt {
  /** Of the entry in the log. */
  readonly index: number
  /** From the sibling of the leaf upwards. */
  readonly proof: readonly Uint8Array[]
  /** The signed note, as the log has published it. */
  readonly checkpoint: string
  /** At least one byte, of any meaning. Nothing authenticates it. */
  readonly extra?: Uint8Array
}

/** A file of the type `.tlog-proof`. */
export function formatReceipt({ index, proof, checkpoint, extra }: Receipt): string {
  requireCount(index, 'the index')
  proof.forEach(requireHash)
  if (proof.length > MAX_HASHES || extra?.length === 0) throw malformed('too many hashes, or no extra data')
  parseCheckpoint(parseNote(checkpoint).text)
  return [
    HEADER,
    ...(extra === undefined ? [] : [`extra ${encodeBase64(extra)}`]),
    `index ${index}`,
    ...proof.map(encodeBase64),
    '',
    checkpoint,
  ].join('\n')
}

/** The inverse of {@link formatReceipt}. Verifies nothing. */
export function parseReceipt(text: string): Receipt {
  const split = text.indexOf('\n\n')
  if (split < 0) throw malformed('no blank line before the checkpoint')
  const lines = text.slice(0, split).split('\n')
  if (lines.shift() !== HEADER) throw malformed('header')
  const extra = lines[0]?.startsWith('extra ') ? decodeBase64(lines.shift()!.slice('extra '.length)) : undefined
  if (extra === null || extra?.length === 0) throw malformed('extra')
  const [, digits = ''] = /^index (0|[1-9][0-9]{0,15})$/.exec(lines.shift() ?? '') ?? []
  const index = Number(digits)
  if (digits === '' || !Number.isSafeInteger(index)) throw malformed('index')
  if (lines.length > MAX_HASHES) throw malformed(`${lines.length} hashes`)
  const proof = lines.map((line) => {
    const hash = decodeBase64(line)
    if (hash?.length !== HASH_BYTES) throw malformed('hash')
    return hash
  })
  const checkpoint = text.slice(split + 2)
  parseCheckpoint(parseNote(checkpoint).text)
  return { index, proof, checkpoint, ...(extra !== undefined && { extra }) }
}

/** Throws unless the checkpoint of the receipt is one that the policy believes, and the entry with this hash stands in its tree. */
export function verifyReceipt(receipt: Receipt, leafHash: Uint8Array, policy: LogPolicy): OpenedCheckpoint {
  const opened = openCheckpoint(receipt.checkpoint, policy)
  verifyInclusion({ index: receipt.index, leafHash, ...opened.checkpoint }, receipt.proof)
  return opened
}

function malformed(detail: string): ProofError {
  return new ProofError('ERR_RECEIPT_MALFORMED', detail)
}
