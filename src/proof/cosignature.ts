import { encodeUtf8 } from '../util/bytes.ts'
import { ProofError } from './proof-error.ts'

const TIMESTAMP_BYTES = 8
/** In seconds, so that milliseconds are still exact. */
const LAST_TIMESTAMP = BigInt(Math.floor(Number.MAX_SAFE_INTEGER / 1000))

/**
 * Takes the signature of a witness apart: what it has signed, the Ed25519 signature, and when, in epoch milliseconds.
 * C2SP tlog-cosignature, `cosignature/v1`: 64 bits of seconds stand in front of the signature.
 */
export function readCosignature(text: string, signature: Uint8Array): [Uint8Array, Uint8Array, number] {
  if (signature.length !== TIMESTAMP_BYTES + 64) throw new ProofError('ERR_NOTE_SIGNATURE', 'length of a cosignature')
  const seconds = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0)
  if (seconds > LAST_TIMESTAMP) throw new ProofError('ERR_NOTE_SIGNATURE', 'timestamp of a cosignature')
  return [
    encodeUtf8(`cosignature/v1\ntime ${seconds}\n${text}`),
    signature.subarray(TIMESTAMP_BYTES),
    Number(seconds) * 1000,
  ]
}
