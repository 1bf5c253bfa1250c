import { GatebookError } from '../../errors.ts'
import { type Checkpoint, openCheckpoint, parseCheckpoint } from '../../proof/checkpoint.ts'
import { parseNote } from '../../proof/note.ts'
import { createVerifierKey, parseVerifierKey, type VerifierKey } from '../../proof/note-key.ts'
import { ProofError } from '../../proof/proof-error.ts'
import { formatOrigin } from '../log-key.ts'

/** A checkpoint that the log has signed. */
export interface SignedHead extends Checkpoint {
  readonly epoch: number
}

/** What believes checkpoints of one log, of whatever epoch, by its public keys alone. */
export interface LogVerifier {
  readonly origin: string
  /** Throws ProofError. */
  open(note: string): SignedHead
}

/** `vkeys`: those of the first epoch; one of them has to have signed. Throws ERR_AUDIT_INPUT. */
export function createLogVerifier(vkeys: readonly string[]): LogVerifier {
  const keys = vkeys.map(parseKey)
  const [first] = keys
  if (first === undefined) throw new GatebookError('ERR_AUDIT_INPUT', { detail: 'There is no verifier key.' })
  if (keys.some(({ name }) => name !== first.name))
    throw new GatebookError('ERR_AUDIT_INPUT', { detail: 'The verifier keys are of different logs.' })
  const { name: origin } = first
  const epochs = new Map<number, readonly VerifierKey[]>()

  function keysOf(epoch: number): readonly VerifierKey[] {
    const known = epochs.get(epoch)
    if (known !== undefined) return known
    const name = formatOrigin(origin, epoch)
    const named = keys.map(({ publicKey, type }) => createVerifierKey(name, publicKey, type))
    // Of a log there are a few epochs; of notes that somebody has made up there may be any number.
    if (epochs.size < 64) epochs.set(epoch, named)
    return named
  }

  return {
    origin,
    open(note) {
      const claimed = parseCheckpoint(parseNote(note).text).origin
      const epoch = epochOf(origin, claimed)
      if (epoch === null) throw new ProofError('ERR_CHECKPOINT_ORIGIN', `${claimed}, not ${origin}`)
      const policy = { origin: claimed, logKeys: keysOf(epoch) }
      return { ...openCheckpoint(note, policy).checkpoint, epoch }
    },
  }
}

function epochOf(origin: string, claimed: string): number | null {
  if (claimed === origin) return 1
  const [, digits = ''] = /\/e([1-9][0-9]{0,5})$/.exec(claimed) ?? []
  const epoch = Number(digits)
  return epoch > 1 && formatOrigin(origin, epoch) === claimed ? epoch : null
}

function parseKey(vkey: string): VerifierKey {
  try {
    return parseVerifierKey(vkey)
  } catch (error) {
    if (!(error instanceof ProofError)) throw error
    throw new GatebookError('ERR_AUDIT_INPUT', { detail: `A verifier key cannot be read (${error.detail}).` })
  }
}
