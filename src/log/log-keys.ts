import { type Checkpoint, type LogPolicy, openCheckpoint } from '../proof/checkpoint.ts'
import { createVerifierKey, formatVerifierKey, parseVerifierKey } from '../proof/note-key.ts'
import { ProofError } from '../proof/proof-error.ts'
import type { Store } from '../store/store.ts'
import type { CheckpointTable } from '../store/tables.ts'
import { formatOrigin, type LogKey, readKnownKeys } from './log-key.ts'

/** Checkpoints whose signature need not be verified again: the newest rows are asked for again and again. */
const REMEMBERED = 16

/** What checkpoints of this log are opened with. */
export interface LogKeys {
  /** One line for each key of each epoch up to this one, as `vkey` files have them. */
  list(epoch: number): Promise<readonly string[]>
  /** Throws a ProofError unless the log has signed this note, of the epoch and size that the row says. */
  open(row: Pick<CheckpointTable, 'epoch' | 'size' | 'note'>): Promise<Checkpoint>
}

/**
 * `key`: what this process has from outside of the database; nothing else is believed then. Without it, the key that the
 * database names shows whether the database agrees with itself, and no more than that.
 */
export function createLogKeys(store: Pick<Store, 'read'>, key: Pick<LogKey, 'policy'> | null): LogKeys {
  async function policyOf(epoch: number): Promise<LogPolicy> {
    if (key !== null) return key.policy(epoch)
    const known = (await readKnownKeys(store)).flatMap(tryParse)
    const logKeys = known.map(({ name, publicKey }) => createVerifierKey(formatOrigin(name, epoch), publicKey))
    return { origin: logKeys[0]?.name ?? '', logKeys }
  }

  const opened = new Map<string, Checkpoint>()

  return {
    async list(epoch) {
      const policies = await Promise.all(Array.from({ length: epoch }, (_, at) => policyOf(at + 1)))
      return policies.flatMap(({ logKeys }) => logKeys.map(formatVerifierKey))
    },
    async open({ epoch, size, note }) {
      const policy = await policyOf(epoch)
      const about = [note, ...policy.logKeys.map(formatVerifierKey)].join('\n')
      const checkpoint = opened.get(about) ?? openCheckpoint(note, policy).checkpoint
      if (opened.size >= REMEMBERED) opened.clear()
      opened.set(about, checkpoint)
      if (checkpoint.size !== size) throw new ProofError('ERR_LOG_SIZE', `${checkpoint.size} in the row of ${size}`)
      return checkpoint
    },
  }
}

/** A line that somebody has spoilt is no key; what it should have opened is reported then. */
function tryParse(vkey: string): ReturnType<typeof parseVerifierKey>[] {
  try {
    return [parseVerifierKey(vkey)]
  } catch {
    return []
  }
}
