import { isGatebookError } from '../errors.ts'
import type { Checkpoint } from '../proof/checkpoint.ts'
import type { Frontier } from '../proof/tree.ts'
import type { Store } from '../store/store.ts'
import { equalBytes } from '../util/bytes.ts'
import { extendTree, readPrunedTree, type TileRow } from './log-tree.ts'

/** The entries that a checkpoint proves, whatever stands behind them. */
export interface ProvenPrefix {
  readonly checkpoint: Checkpoint
  readonly frontier: Frontier
  /** As they have to be, but for those of what was pruned. */
  readonly tiles: readonly TileRow[]
}

/** By the largest of these checkpoints that the entries give, and which of them they give; null where they give none. Believes no tile but those of what was pruned. */
export async function findProvenPrefix(
  store: Pick<Store, 'read'>,
  checkpoints: readonly Checkpoint[],
): Promise<{ readonly proven: ProvenPrefix | null; readonly held: ReadonlySet<Checkpoint> }> {
  const tree = await readPrunedTree(store)
  const tiles = new Map<string, TileRow>()
  const held = new Set<Checkpoint>()
  let proven: Omit<ProvenPrefix, 'tiles'> | null = null
  for (const checkpoint of [...checkpoints].sort((a, b) => a.size - b.size)) {
    if (checkpoint.size < tree.size()) continue
    try {
      await extendTree(store, tree, checkpoint.size)
    } catch (error) {
      // Here it ends.
      if (isGatebookError(error, 'ERR_LOG_DIVERGED')) break
      throw error
    }
    if (!equalBytes(tree.root(), checkpoint.rootHash)) continue
    held.add(checkpoint)
    for (const row of tree.takeTiles()) tiles.set(`${row.level}/${row.place}`, row)
    proven = { checkpoint, frontier: tree.frontier() }
  }
  return { proven: proven === null ? null : { ...proven, tiles: [...tiles.values()] }, held }
}
