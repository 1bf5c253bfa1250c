import { decodeBase64, encodeBase64 } from '../util/base64.ts'
import { concatBytes, encodeUtf8 } from '../util/bytes.ts'
import { readCosignature } from './cosignature.ts'
import { decodeKeyId, encodeKeyId, isKeyName, isSignedBy, type SigningKey, type VerifierKey } from './note-key.ts'
import { ProofError } from './proof-error.ts'

/** C2SP signed-note demands that 16 are accepted; Go's `note` package accepts so many. */
const MAX_SIGNATURES = 100
const KEY_ID_BYTES = 4
const DASH = '— '

/** One line below a note. Says nothing before it is verified. */
export interface NoteSignature {
  readonly name: string
  readonly keyId: number
  /** What stands behind the key id, at least one byte. */
  readonly signature: Uint8Array
}

export interface Note {
  /** Ends with a newline. */
  readonly text: string
  /** At least one. */
  readonly signatures: readonly NoteSignature[]
}

/** A signature that was verified. */
export interface VerifiedSignature {
  readonly key: VerifierKey
  /** Epoch milliseconds by the clock of the witness; null for a signature without an instant. */
  readonly signedAt: number | null
}

export interface OpenedNote {
  readonly text: string
  /** At least one, each by another key, in the order of the note. */
  readonly signatures: readonly VerifiedSignature[]
}

/** Text and signatures as C2SP signed-note writes them. Throws ERR_NOTE_MALFORMED for what could not be parsed again. */
export function formatNote({ text, signatures }: Note): string {
  requireText(text)
  if (signatures.length === 0 || signatures.length > MAX_SIGNATURES) throw malformed(`${signatures.length} signatures`)
  return `${text}\n${signatures.map(formatSignature).join('')}`
}

/** The inverse of {@link formatNote}. Verifies nothing. */
export function parseNote(note: string): Note {
  const split = note.lastIndexOf('\n\n')
  if (split < 0) throw malformed('no blank line before the signatures')
  const text = note.slice(0, split + 1)
  requireText(text)
  return { text, signatures: parseSignatures(note.slice(split + 2)) }
}

/** Lines of signatures, as they stand below a note and as a witness answers with them. */
export function parseSignatures(lines: string): NoteSignature[] {
  if (!lines.endsWith('\n')) throw malformed('no newline at the end')
  const signatures = lines.slice(0, -1).split('\n')
  if (signatures.length > MAX_SIGNATURES) throw malformed(`${signatures.length} signatures`)
  return signatures.map(parseSignature)
}

/** Signs with each of the keys, in their order. `text` ends with a newline. */
export function signNote(text: string, ...keys: readonly SigningKey[]): string {
  requireText(text)
  const message = encodeUtf8(text)
  return formatNote({
    text,
    signatures: keys.map((key) => ({ name: key.name, keyId: key.keyId, signature: key.sign(message) })),
  })
}

/**
 * Verifies each signature by one of `verifierKeys`, and ignores those by others; of several by one key, all but the first.
 * Throws ERR_NOTE_SIGNATURE when one of them is wrong, and ERR_NOTE_UNSIGNED when there is none. C2SP signed-note.
 */
export function openNote(note: string, verifierKeys: readonly VerifierKey[]): OpenedNote {
  const { text, signatures } = parseNote(note)
  const verified = new Map<VerifierKey, VerifiedSignature>()
  for (const signature of signatures) {
    const key = findKey(verifierKeys, signature)
    if (key !== null && !verified.has(key)) verified.set(key, verifySignature(text, signature, key))
  }
  if (verified.size === 0) throw new ProofError('ERR_NOTE_UNSIGNED')
  return { text, signatures: [...verified.values()] }
}

/** Throws ERR_NOTE_SIGNATURE unless `key` has signed this text with it. */
export function verifySignature(text: string, { signature }: NoteSignature, key: VerifierKey): VerifiedSignature {
  const [message, bytes, signedAt] =
    key.type === 'cosignature' ? readCosignature(text, signature) : [encodeUtf8(text), signature, null]
  if (!isSignedBy(key, message, bytes)) throw new ProofError('ERR_NOTE_SIGNATURE', key.name)
  return { key, signedAt }
}

function findKey(keys: readonly VerifierKey[], { name, keyId }: NoteSignature): VerifierKey | null {
  const found = keys.filter((key) => key.name === name && key.keyId === keyId)
  if (found.length > 1) throw new ProofError('ERR_NOTE_KEY', `two keys have the name and the id of ${name}`)
  return found[0] ?? null
}

function formatSignature({ name, keyId, signature }: NoteSignature): string {
  if (!isKeyName(name) || signature.length === 0) throw malformed('signature')
  return `${DASH}${name} ${encodeBase64(concatBytes(encodeKeyId(keyId), signature))}\n`
}

function parseSignature(line: string): NoteSignature {
  const parts = /^— ([^ ]+) ([A-Za-z0-9+/]+=*)$/u.exec(line)
  const [, name = '', encoded = ''] = parts ?? []
  const bytes = decodeBase64(encoded)
  if (!isKeyName(name) || bytes === null || bytes.length <= KEY_ID_BYTES) throw malformed('signature line')
  return { name, keyId: decodeKeyId(bytes), signature: bytes.slice(KEY_ID_BYTES) }
}

function requireText(text: string): void {
  if (!text.endsWith('\n')) throw malformed('the text does not end with a newline')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a note must not contain
  if (!text.isWellFormed() || /[\u0000-\u0009\u000b-\u001f]/.test(text)) throw malformed('control character')
}

function malformed(detail: string): ProofError {
  return new ProofError('ERR_NOTE_MALFORMED', detail)
}
