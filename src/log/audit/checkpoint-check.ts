import { verifyConsistency } from '../../proof/consistency.ts'
import { HASH_BYTES } from '../../proof/hash.ts'
import { ProofError } from '../../proof/proof-error.ts'
import type { TreeBuilder } from '../../proof/tree.ts'
import { equalBytes } from '../../util/bytes.ts'
import { largest } from '../../util/largest.ts'
import type { KeptProofs } from '../kept-proof.ts'
import type { AuditState, Misfits } from './audit-state.ts'
import type { CheckpointStream, KnownHead } from './checkpoint-stream.ts'
import type { RestoredEpoch } from './explanations.ts'
import type { Report } from './report.ts'

/** That no checkpoint has. */
const NO_ROOT = new Uint8Array(HASH_BYTES)

export interface CheckpointCheck {
  /** The entries up to the size of the tree were walked: judges the checkpoints that have it. */
  judgeReached(): Promise<void>
  /** How many entries may be walked before the tree has the size of the next one. */
  distance(): Promise<number>
  /** Judges what is left: larger than the log, or behind a gap. Pauses where findings can be taken. */
  judgeRest(): AsyncGenerator<void, void, void>
}

/** Compares the root at the size of each known checkpoint with what that says. */
export function createCheckpointCheck(
  stream: CheckpointStream,
  { builder, kept }: { readonly builder: Pick<TreeBuilder, 'size' | 'root'>; readonly kept: KeptProofs },
  state: AuditState,
  report: Report,
): CheckpointCheck {
  const newest = largest(state.epochs.map(([epoch]) => epoch))
  const hasRows = state.epochs.length > 0

  function judge(heads: readonly KnownHead[], rootHash: Uint8Array | null): void {
    state.checkpoints += heads.length
    findForks(heads, report)
    for (const head of heads) {
      if (rootHash !== null && equalBytes(rootHash, head.rootHash)) {
        state.fits = Math.max(state.fits, head.size)
        if (head.source === 'file') state.anchored = Math.max(state.anchored, head.size)
      } else {
        // Of another history: its row may well have gone with a backup that was restored.
        note(head)
        continue
      }
      // What is given to anchors is published, and stays.
      if (head.source !== 'file' || head.size === 0 || head.size > state.size || !hasRows) continue
      if (heads.some(({ source, epoch }) => source === 'database' && epoch === head.epoch)) continue
      report.add('checkpoint-missing', `epoch ${head.epoch}, size ${head.size}, which stands in ${head.place}`)
    }
  }

  function note({ epoch, size, source, place }: KnownHead): void {
    const kind = size > state.size ? 'log-truncated' : 'root-differs'
    const of = source === 'file' ? place.replace(/:\d+$/, '') : source
    const known = state.misfits.find((each) => each.kind === kind && each.epoch === epoch && each.source === of)
    if (known === undefined) {
      state.misfits.push({ kind, epoch, source: of, smallest: size, largest: size, count: 1 })
      return
    }
    known.smallest = Math.min(known.smallest, size)
    known.largest = Math.max(known.largest, size)
    known.count += 1
  }

  /** Older than what is left after pruning: nothing but a proof leads from it. */
  async function judgePruned(heads: readonly KnownHead[]): Promise<void> {
    const size = heads[0]!.size
    const root = await findLinked(heads)
    // What a restored backup has lost is not in the tree, and the event that said so may be pruned as well.
    const unlinked = heads.filter(
      ({ epoch, rootHash }) => root === null || (epoch < newest && !equalBytes(root, rootHash)),
    )
    if (unlinked.length > 0) {
      report.add('checkpoint-unlinked', `size ${size}`)
      state.checkpoints += unlinked.length
      if (root === null) findForks(heads, report)
    }
    const rest = heads.filter((head) => !unlinked.includes(head))
    if (rest.length > 0) judge(rest, root)
  }

  /** The root of the checkpoint from which a proof leads to what is left; null when nothing was kept. */
  async function findLinked(heads: readonly KnownHead[]): Promise<Uint8Array | null> {
    const newer = { size: builder.size(), rootHash: builder.root() }
    let wrong: Uint8Array | null = null
    for (const head of heads) {
      if (head.proof == null) continue
      try {
        verifyConsistency(head, newer, (await kept.prove(head, newer.size)) ?? [])
        return head.rootHash
      } catch (error) {
        if (!(error instanceof ProofError)) throw error
        wrong = NO_ROOT
      }
    }
    return wrong
  }

  return {
    async judgeReached() {
      for (
        let size = await stream.nextSize();
        size !== null && size <= builder.size();
        size = await stream.nextSize()
      ) {
        const heads = await stream.take()
        if (size < builder.size()) await judgePruned(heads)
        else judge(heads, builder.root())
      }
    },
    async distance() {
      const size = await stream.nextSize()
      return size === null ? Number.POSITIVE_INFINITY : size - builder.size()
    },
    async *judgeRest() {
      while ((await stream.nextSize()) !== null) {
        judge(await stream.take(), null)
        yield
      }
    },
  }
}

function findForks(heads: readonly KnownHead[], report: Report): void {
  for (const [at, head] of heads.entries()) {
    const other = heads
      .slice(0, at)
      .find(({ epoch, rootHash }) => epoch === head.epoch && !equalBytes(rootHash, head.rootHash))
    if (other === undefined) continue
    report.add('fork', `epoch ${head.epoch}, size ${head.size}: ${other.place}, and ${head.place}`)
  }
}

/** When the whole log is known: what a restored backup explains, and what nothing does. */
export function reportMisfits(state: AuditState, restored: readonly RestoredEpoch[], report: Report): void {
  for (const misfits of state.misfits) {
    const { kind, smallest, largest } = misfits
    if (isRestored(misfits, restored)) {
      report.add('epoch-restored', describe(misfits))
      continue
    }
    const where =
      kind === 'log-truncated'
        ? `the log has ${state.size} entries`
        : `what was changed stands behind the first ${state.fits} entries${smallest > state.fits ? ` and before the ${smallest}-th` : ''}`
    report.add(kind, `${describe(misfits)}; ${where}`, { index: Math.min(state.fits, largest) })
  }
}

function describe({ epoch, source, smallest, largest, count }: Misfits): string {
  const sizes = smallest === largest ? `size ${smallest}` : `sizes ${smallest} to ${largest}`
  return `${count === 1 ? 'a checkpoint' : `${count} checkpoints`} of epoch ${epoch} (${source}), ${sizes}`
}

/** Whether the log says that a backup was restored that ended before all of these, and that it knew of them. */
function isRestored({ epoch, smallest, largest }: Misfits, restored: readonly RestoredEpoch[]): boolean {
  const later = restored.filter((each) => each.epoch > epoch).sort((a, b) => a.epoch - b.epoch)
  const [next] = later
  if (next === undefined) return false
  const left = Math.min(...later.map(({ size }) => size))
  return smallest > left && largest <= (next.previousSize ?? Number.POSITIVE_INFINITY)
}
