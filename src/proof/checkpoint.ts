import { decodeBase64, encodeBase64 } from '../util/base64.ts'
import { requireHash } from './hash.ts'
import { openNote, type VerifiedSignature } from './note.ts'
import type { VerifierKey } from './note-key.ts'
import { ProofError, requireCount } from './proof-error.ts'

/** What a log commits to. C2SP tlog-checkpoint. */
export interface Checkpoint {
  /** Which log. Not empty. */
  readonly origin: string
  /** How many leaves. */
  readonly size: number
  /** 32 bytes. */
  readonly rootHash: Uint8Array
  /** Lines that other logs may add. Ours do not. */
  readonly extensions?: readonly string[]
}

/** Whose checkpoints are believed. */
export interface LogPolicy {
  readonly origin: string
  /** Of these, one has to have signed; more than one while a key is changed. */
  readonly logKeys: readonly VerifierKey[]
  readonly witnesses?: readonly VerifierKey[]
  /** How many of the witnesses have to have signed; 0 unless it is set. */
  readonly quorum?: number
}

export interface OpenedCheckpoint {
  readonly checkpoint: Checkpoint
  readonly logSignatures: readonly VerifiedSignature[]
  readonly cosignatures: readonly VerifiedSignature[]
}

/** The text of the note: three lines, and one for each extension. */
export function formatCheckpoint({ origin, size, rootHash, extensions = [] }: Checkpoint): string {
  requireCount(size, 'the size of the checkpoint')
  requireHash(rootHash)
  requireLines([origin, ...extensions])
  return [origin, String(size), encodeBase64(rootHash), ...extensions, ''].join('\n')
}

/** The inverse of {@link formatCheckpoint}: one checkpoint has one text. */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split('\n')
  const [origin = '', digits = '', root = '', ...rest] = lines
  if (lines.length < 4 || rest.pop() !== '') throw malformed('not three lines, each with a newline')
  requireLines([origin, ...rest])
  const size = Number(digits)
  if (!/^(0|[1-9][0-9]{0,15})$/.test(digits) || !Number.isSafeInteger(size)) throw malformed('size')
  const rootHash = decodeBase64(root)
  if (rootHash?.length !== 32) throw malformed('root hash')
  return { origin, size, rootHash, ...(rest.length > 0 && { extensions: rest }) }
}

/**
 * Verifies the signatures of a checkpoint and reads it. Throws ERR_NOTE_… unless a key of the log has signed it and every
 * signature by a known key is right, ERR_CHECKPOINT_ORIGIN when it is of another log, and ERR_CHECKPOINT_WITNESSES when
 * fewer witnesses than demanded have signed.
 */
export function openCheckpoint(note: string, policy: LogPolicy): OpenedCheckpoint {
  const { origin, logKeys, witnesses = [], quorum = 0 } = policy
  const { text, signatures } = openNote(note, [...logKeys, ...witnesses])
  const logSignatures = signatures.filter(({ key }) => logKeys.includes(key))
  const cosignatures = signatures.filter(({ key }) => !logKeys.includes(key))
  if (logSignatures.length === 0) throw new ProofError('ERR_NOTE_UNSIGNED', 'by the log')
  const checkpoint = parseCheckpoint(text)
  if (checkpoint.origin !== origin) throw new ProofError('ERR_CHECKPOINT_ORIGIN', `${checkpoint.origin}, not ${origin}`)
  if (cosignatures.length < quorum) {
    throw new ProofError('ERR_CHECKPOINT_WITNESSES', `${cosignatures.length} of ${quorum}`)
  }
  return { checkpoint, logSignatures, cosignatures }
}

function requireLines(lines: readonly string[]): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a note must not contain them
  const wrong = lines.some((line) => line === '' || !line.isWellFormed() || /[\u0000-\u001f]/.test(line))
  if (wrong) throw malformed('a line that is empty or has a control character')
}

function malformed(detail: string): ProofError {
  return new ProofError('ERR_CHECKPOINT_MALFORMED', detail)
}
