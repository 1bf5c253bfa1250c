export type ProofErrorCode =
  | 'ERR_PROOF_SIZE'
  | 'ERR_PROOF_HASH'
  | 'ERR_PROOF_LENGTH'
  | 'ERR_PROOF_ROOT'
  | 'ERR_PROOF_OLD_ROOT'
  | 'ERR_FRONTIER_MALFORMED'
  | 'ERR_NOTE_MALFORMED'
  | 'ERR_NOTE_UNSIGNED'
  | 'ERR_NOTE_SIGNATURE'
  | 'ERR_NOTE_KEY'
  | 'ERR_CHECKPOINT_MALFORMED'
  | 'ERR_CHECKPOINT_ORIGIN'
  | 'ERR_CHECKPOINT_WITNESSES'
  | 'ERR_TILE_PATH'
  | 'ERR_TILE_LENGTH'
  | 'ERR_TILE_HASH'
  | 'ERR_BUNDLE_MALFORMED'
  | 'ERR_ENTRY_TOO_LONG'
  | 'ERR_RECEIPT_MALFORMED'
  | 'ERR_LOG_SIZE'
  | 'ERR_LOG_ROOT'

/** What can be wrong with a proof, a note or a file of a log. The codes are stable; `spec/checkpoint.md` lists them. */
export const PROOF_ERRORS: Readonly<Record<ProofErrorCode, string>> = {
  ERR_PROOF_SIZE: 'A size or an index is no whole number from 0 to 2^53 − 1, or the index is not below the size.',
  ERR_PROOF_HASH: 'A hash does not have 32 bytes.',
  ERR_PROOF_LENGTH: 'The proof has more or fewer hashes than one for this index and size has.',
  ERR_PROOF_ROOT: 'The proof does not lead to the root hash.',
  ERR_PROOF_OLD_ROOT: 'The proof does not lead to the root hash of the older tree.',
  ERR_FRONTIER_MALFORMED: 'The frontier does not have one hash for each bit that is set in its size.',
  ERR_NOTE_MALFORMED: 'The note is not in the form of a signed note.',
  ERR_NOTE_UNSIGNED: 'The note has no signature by a key that is known.',
  ERR_NOTE_SIGNATURE: 'A signature by a key that is known is wrong.',
  ERR_NOTE_KEY: 'The verifier key or signing key is malformed, or its id is not that of its name and key.',
  ERR_CHECKPOINT_MALFORMED: 'The text is not in the form of a checkpoint.',
  ERR_CHECKPOINT_ORIGIN: 'The checkpoint is of another log.',
  ERR_CHECKPOINT_WITNESSES: 'Too few witnesses have signed the checkpoint.',
  ERR_TILE_PATH: 'The path is not that of a tile or an entry bundle.',
  ERR_TILE_LENGTH: 'The tile does not have 32 bytes for each hash of its width.',
  ERR_TILE_HASH: 'A hash of the tile is not that of the entries below it.',
  ERR_BUNDLE_MALFORMED: 'The entry bundle is cut off, has bytes behind its last entry, or another number of entries.',
  ERR_ENTRY_TOO_LONG: 'An entry has more than 65,535 bytes.',
  ERR_RECEIPT_MALFORMED: 'The text is not in the form of a receipt.',
  ERR_LOG_SIZE: 'The log has fewer entries than its checkpoint says.',
  ERR_LOG_ROOT: 'The entries do not give the root hash of the checkpoint.',
}

/** Thrown by everything in `proof/` that verifies, parses or decodes. `detail` says where. */
export class ProofError extends Error {
  override readonly name = 'ProofError'
  readonly code: ProofErrorCode
  readonly detail: string

  constructor(code: ProofErrorCode, detail = '') {
    super(detail === '' ? PROOF_ERRORS[code] : `${PROOF_ERRORS[code]} (${detail})`)
    this.code = code
    this.detail = detail
  }
}

/** Throws ERR_PROOF_SIZE unless `value` is a whole number from 0 to 2^53 − 1. */
export function requireCount(value: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new ProofError('ERR_PROOF_SIZE', `${what} is ${value}`)
}
