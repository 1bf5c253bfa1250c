import { ProofError } from './proof-error.ts'

const LENGTH_BYTES = 2
const MAX_ENTRY_BYTES = 65_535

/** C2SP tlog-tiles: each entry behind its length, in 16 bits. Throws ERR_ENTRY_TOO_LONG. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(entries.reduce((size, entry) => size + LENGTH_BYTES + entry.length, 0))
  let at = 0
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_BYTES) throw new ProofError('ERR_ENTRY_TOO_LONG', `${entry.length} bytes`)
    bytes[at] = entry.length >> 8
    bytes[at + 1] = entry.length & 255
    bytes.set(entry, at + LENGTH_BYTES)
    at += LENGTH_BYTES + entry.length
  }
  return bytes
}

/** The `width` entries of a bundle, as parts of `bytes`. Throws ERR_BUNDLE_MALFORMED unless these are all, and whole. */
export function decodeBundle(bytes: Uint8Array, width: number): Uint8Array[] {
  const entries: Uint8Array[] = []
  let at = 0
  while (at < bytes.length) {
    const start = at + LENGTH_BYTES
    const end = start + (bytes[at]! << 8) + (bytes[at + 1] ?? 0)
    if (start > bytes.length || end > bytes.length) throw new ProofError('ERR_BUNDLE_MALFORMED', 'cut off')
    entries.push(bytes.subarray(start, end))
    at = end
  }
  if (entries.length !== width) throw new ProofError('ERR_BUNDLE_MALFORMED', `${entries.length} entries, not ${width}`)
  return entries
}
