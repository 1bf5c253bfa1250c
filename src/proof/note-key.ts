import { decodeBase64, encodeBase64 } from '../util/base64.ts'
import { concatBytes, encodeUtf8 } from '../util/bytes.ts'
import { createEd25519Signer, isEd25519Signature, randomBytes, sha256 } from './platform.ts'
import { ProofError } from './proof-error.ts'

/** `ed25519` signs the text of a note, `cosignature` the text and the instant (C2SP tlog-cosignature, `cosignature/v1`). */
export type NoteKeyType = 'ed25519' | 'cosignature'

const TYPE_BYTES: Readonly<Record<NoteKeyType, number>> = { ed25519: 0x01, cosignature: 0x04 }
const SEED_BYTES = 32
const PUBLIC_KEY_BYTES = 32

/** What a signature is verified with: C2SP signed-note's `<name>+<key id>+<base64 of type and public key>`. */
export interface VerifierKey {
  readonly name: string
  /** An unsigned number of 32 bits. It tells keys apart, and proves nothing. */
  readonly keyId: number
  readonly type: NoteKeyType
  /** 32 bytes, RFC 8032. */
  readonly publicKey: Uint8Array
}

/** What a log signs with. The private key cannot be read out of it. */
export interface SigningKey {
  readonly name: string
  readonly keyId: number
  readonly verifierKey: VerifierKey
  /** 64 bytes, RFC 8032. */
  sign(message: Uint8Array): Uint8Array
}

export interface GeneratedLogKey {
  /** `PRIVATE+KEY+…`, for {@link parseSigningKey}. A secret. */
  readonly signingKey: string
  /** For {@link parseVerifierKey}, and for everybody. */
  readonly verifierKey: string
}

/** A name of a key has at least one character, no white space, no control character and no `+`. */
export function isKeyName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a note must not contain
  return name !== '' && name.isWellFormed() && !/[\p{White_Space}+\u0000-\u001f]/u.test(name)
}

/** The key that belongs to a public key. `type`: what it signs. */
export function createVerifierKey(name: string, publicKey: Uint8Array, type: NoteKeyType = 'ed25519'): VerifierKey {
  if (!isKeyName(name)) throw new ProofError('ERR_NOTE_KEY', 'name')
  if (publicKey.length !== PUBLIC_KEY_BYTES) throw new ProofError('ERR_NOTE_KEY', 'length')
  return { name, keyId: computeKeyId(name, type, publicKey), type, publicKey }
}

/** The inverse of {@link formatVerifierKey}. The base64 part may contain a `+`, the name may not. */
export function parseVerifierKey(vkey: string): VerifierKey {
  const { name, keyId, type, key } = parseKey(vkey, '')
  const found = createVerifierKey(name, key, type)
  if (found.keyId !== keyId) throw new ProofError('ERR_NOTE_KEY', 'key id')
  return found
}

export function formatVerifierKey({ name, keyId, type, publicKey }: VerifierKey): string {
  return formatKey(name, keyId, type, publicKey)
}

/** A new Ed25519 key by the name of the log's origin, in the encoding of Go's `note` package. */
export function generateLogKey(name: string): GeneratedLogKey {
  const seed = randomBytes(SEED_BYTES)
  const key = createVerifierKey(name, createEd25519Signer(seed).publicKey)
  return {
    signingKey: `${SECRET_PREFIX}${formatKey(name, key.keyId, key.type, seed)}`,
    verifierKey: formatVerifierKey(key),
  }
}

const SECRET_PREFIX = 'PRIVATE+KEY+'

/** Reads `PRIVATE+KEY+<name>+<key id>+<base64 of type and seed>`. What is wrong with it is never told with a part of it. */
export function parseSigningKey(text: string): SigningKey {
  const { name, keyId, type, key: seed } = parseKey(text, SECRET_PREFIX)
  if (type !== 'ed25519') throw new ProofError('ERR_NOTE_KEY', 'type')
  if (seed.length !== SEED_BYTES) throw new ProofError('ERR_NOTE_KEY', 'length')
  const signer = createEd25519Signer(seed)
  const verifierKey = createVerifierKey(name, signer.publicKey)
  if (verifierKey.keyId !== keyId) throw new ProofError('ERR_NOTE_KEY', 'key id')
  return { name, keyId, verifierKey, sign: (message) => signer.sign(message) }
}

/** Whether this is the signature of this message by this key. */
export function isSignedBy(key: VerifierKey, message: Uint8Array, signature: Uint8Array): boolean {
  return isEd25519Signature(key.publicKey, message, signature)
}

/** The first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key). */
function computeKeyId(name: string, type: NoteKeyType, publicKey: Uint8Array): number {
  const hash = sha256(concatBytes(encodeUtf8(name), Uint8Array.of(0x0a, TYPE_BYTES[type]), publicKey))
  return decodeKeyId(hash)
}

export function decodeKeyId(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
}

export function encodeKeyId(keyId: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, keyId)
  return bytes
}

function formatKey(name: string, keyId: number, type: NoteKeyType, key: Uint8Array): string {
  const id = keyId.toString(16).padStart(8, '0')
  return `${name}+${id}+${encodeBase64(concatBytes(Uint8Array.of(TYPE_BYTES[type]), key))}`
}

function parseKey(text: string, prefix: string): { name: string; keyId: number; type: NoteKeyType; key: Uint8Array } {
  const parts = text.startsWith(prefix) ? /^([^+]+)\+([0-9a-f]{8})\+(.+)$/su.exec(text.slice(prefix.length)) : null
  const [, name = '', id = '', encoded = ''] = parts ?? []
  const bytes = decodeBase64(encoded)
  if (parts === null || bytes === null || bytes.length === 0) throw new ProofError('ERR_NOTE_KEY', 'form')
  const type = (Object.keys(TYPE_BYTES) as NoteKeyType[]).find((candidate) => TYPE_BYTES[candidate] === bytes[0])
  if (type === undefined) throw new ProofError('ERR_NOTE_KEY', 'type')
  return { name, keyId: Number.parseInt(id, 16), type, key: bytes.slice(1) }
}

/** The same private key by another name, e.g. of another epoch of a log. Throws ERR_NOTE_KEY. */
export function renameSigningKey(text: string, name: string): string {
  const { type, key: seed } = parseKey(text, SECRET_PREFIX)
  parseSigningKey(text)
  const { keyId } = createVerifierKey(name, createEd25519Signer(seed).publicKey)
  return `${SECRET_PREFIX}${formatKey(name, keyId, type, seed)}`
}
