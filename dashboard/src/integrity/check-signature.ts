import { type OpenedCheckpoint, openCheckpoint, ProofError, parseVerifierKey } from '../../../src/proof/index.ts'

/** What the note says, where one of the keys has signed it. Throws ProofError. */
export function openWith(note: string, keys: readonly string[]): OpenedCheckpoint {
  const parsed = keys.map(parseVerifierKey)
  const names = [...new Set(parsed.map(({ name }) => name))]
  let refused: unknown = new ProofError('ERR_NOTE_SIGNATURE')
  for (const origin of names) {
    try {
      return openCheckpoint(note, { origin, logKeys: parsed.filter(({ name }) => name === origin) })
    } catch (error) {
      refused = error
    }
  }
  throw refused
}

export function isSignedBy(note: string, keys: readonly string[]): boolean {
  try {
    openWith(note, keys)
    return true
  } catch (error) {
    if (error instanceof ProofError) return false
    throw error
  }
}

/** False for what is no public key of a log. */
export function isVerifierKey(text: string): boolean {
  try {
    parseVerifierKey(text)
    return true
  } catch (error) {
    if (error instanceof ProofError) return false
    throw error
  }
}
