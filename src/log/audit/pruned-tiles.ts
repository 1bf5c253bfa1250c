import { HASH_BYTES, splitHashes } from '../../proof/hash.ts'
import { hashRow } from '../../proof/hash-reader.ts'
import { TILE_WIDTH, tileWidth } from '../../proof/tile.ts'
import type { Store } from '../../store/store.ts'
import { equalBytes } from '../../util/bytes.ts'
import { createTreeReader } from '../tree-reader.ts'
import type { Report } from './report.ts'

/**
 * The tiles over what was pruned, which nothing else is left of: each full one has to give its hash in the tile above. Those at
 * the right edge give the frontier, from which the walk begins, and which the roots of checkpoints tell to be right.
 */
export async function checkPrunedTiles(store: Store, pruned: number, report: Pick<Report, 'add'>): Promise<void> {
  const reader = createTreeReader(store.read)
  for (let level = 1; TILE_WIDTH ** (level + 1) <= pruned; level++) {
    const full = Math.floor(pruned / TILE_WIDTH ** (level + 1))
    for (let place = 0; place < full; place++) {
      const at = `level ${level}, place ${place}`
      const bytes = await reader.readTile(level, place, TILE_WIDTH)
      if (bytes.length !== TILE_WIDTH * HASH_BYTES) {
        report.add('tile-missing', at)
        continue
      }
      const [above, slot] = [Math.floor(place / TILE_WIDTH), place % TILE_WIDTH]
      const row = await reader.readTile(level + 1, above, tileWidth(level + 1, above, pruned))
      const hash = row.subarray(slot * HASH_BYTES, (slot + 1) * HASH_BYTES)
      if (!equalBytes(hashRow(splitHashes(bytes)), hash)) report.add('tile-differs', at)
    }
  }
}
