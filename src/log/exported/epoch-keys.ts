import type { Checkpoint } from '../../proof/checkpoint.ts'
import { type LogPolicy, openCheckpoint, parseCheckpoint } from '../../proof/checkpoint.ts'
import { parseNote } from '../../proof/note.ts'
import { createVerifierKey, parseVerifierKey, type VerifierKey } from '../../proof/note-key.ts'
import { ProofError } from '../../proof/proof-error.ts'
import { decodeUtf8 } from '../../util/bytes.ts'

/** Epoch and name without it: `app.example/log` is the first epoch, `app.example/log/e2` the second one. */
export function splitOrigin(origin: string): { readonly name: string; readonly epoch: number } {
  const [, name = origin, digits = '1'] = /^(.+)\/e([2-9]|[1-9][0-9]{1,5})$/.exec(origin) ?? []
  return { name, epoch: Number(digits) }
}

/** Lines as `vkey` files have them. Throws a ProofError for what is no key, and for keys of several logs. */
export function parseVerifierKeys(text: string): readonly VerifierKey[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const keys = lines.map((line) => parseVerifierKey(line.trim()))
  if (keys.length === 0) throw new ProofError('ERR_NOTE_KEY', 'none')
  const names = new Set(keys.map(({ name }) => splitOrigin(name).name))
  if (names.size > 1) throw new ProofError('ERR_NOTE_KEY', `of several logs: ${[...names].join(', ')}`)
  return keys
}

/**
 * Reads a note of any epoch: the key of a log signs them all, under the name of each. Throws a ProofError unless one of these keys
 * has signed it.
 */
export function openByKeys(note: string, keys: readonly VerifierKey[]): Checkpoint {
  const { origin } = parseCheckpoint(parseNote(note).text)
  const { name } = splitOrigin(origin)
  const own = keys.filter((key) => splitOrigin(key.name).name === name)
  const named = own.map(({ publicKey, type }) => createVerifierKey(origin, publicKey, type))
  const logKeys = [...new Map(named.map((key) => [key.keyId, key])).values()]
  if (logKeys.length === 0) {
    const known = [...new Set(keys.map((key) => splitOrigin(key.name).name))].join(', ')
    throw new ProofError('ERR_CHECKPOINT_ORIGIN', `${origin}, not ${known}`)
  }
  const policy: LogPolicy = { origin, logKeys }
  return openCheckpoint(note, policy).checkpoint
}

/** Throws a ProofError for what is not UTF-8. */
export function decodeNote(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes)
  } catch {
    throw new ProofError('ERR_NOTE_MALFORMED', 'not UTF-8')
  }
}
