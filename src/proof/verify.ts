import { equalBytes } from '../util/bytes.ts'
import type { Checkpoint } from './checkpoint.ts'
import { ProofError } from './proof-error.ts'
import { createTreeBuilder, EMPTY_FRONTIER, type Frontier, type TileHash } from './tree.ts'

/** What became of a checkpoint when the leaves of the log were walked. */
export interface CheckedHead {
  readonly checkpoint: Checkpoint
  /** Of the leaves that were seen; null when there were fewer than the checkpoint says. */
  readonly rootHash: Uint8Array | null
  readonly matches: boolean
}

/**
 * Walks the leaves of a log once, in order, and compares the root at the size of each checkpoint with what that says. So it
 * needs no consistency proofs, and memory for nothing but the frontier and the checkpoints.
 */
export interface LogWalk {
  /** What has become complete by these, for comparing tiles. */
  append(leafHashes: readonly Uint8Array[]): TileHash[]
  /** One for each checkpoint, by size. Those of one size and different roots are a fork, and at most one matches. */
  results(): CheckedHead[]
  /** Throws ERR_LOG_ROOT or ERR_LOG_SIZE for the first checkpoint that does not match. */
  finish(): void
}

/**
 * `start`: of a log whose older entries are gone, the frontier at the first one that is left. Throws ERR_PROOF_SIZE for a
 * checkpoint before that, since nothing is left to compare it with.
 */
export function createLogWalk(checkpoints: readonly Checkpoint[], start: Frontier = EMPTY_FRONTIER): LogWalk {
  const builder = createTreeBuilder(start)
  const due = checkpoints.toSorted((a, b) => a.size - b.size)
  const roots = new Map<Checkpoint, Uint8Array>()
  if (due[0] !== undefined && due[0].size < start.size) {
    throw new ProofError('ERR_PROOF_SIZE', `a checkpoint of size ${due[0].size}, before the first entry, ${start.size}`)
  }
  let next = 0
  const takeRoots = (): void => {
    for (; due[next]?.size === builder.size(); next++) roots.set(due[next]!, builder.root())
  }
  takeRoots()
  const results = (): CheckedHead[] =>
    due.map((checkpoint) => {
      const rootHash = roots.get(checkpoint) ?? null
      return { checkpoint, rootHash, matches: rootHash !== null && equalBytes(rootHash, checkpoint.rootHash) }
    })
  return {
    append(leafHashes) {
      const complete: TileHash[] = []
      for (let at = 0; at < leafHashes.length; ) {
        const until = Math.min(leafHashes.length, at + (due[next]?.size ?? Number.POSITIVE_INFINITY) - builder.size())
        for (const hash of builder.append(leafHashes.slice(at, until))) complete.push(hash)
        takeRoots()
        at = until
      }
      return complete
    },
    results,
    finish() {
      const wrong = results().find(({ matches }) => !matches)
      if (wrong === undefined) return
      const detail = `checkpoint of size ${wrong.checkpoint.size}`
      throw new ProofError(wrong.rootHash === null ? 'ERR_LOG_SIZE' : 'ERR_LOG_ROOT', detail)
    },
  }
}
