import { computeConsistencyProof, extendConsistencyProof } from '../proof/consistency.ts'
import { splitHashes } from '../proof/hash.ts'
import type { HashReader } from '../proof/hash-reader.ts'
import type { Store } from '../store/store.ts'
import type { CheckpointPlace } from './checkpoint-row.ts'

/** Tiles that are kept in memory: a walk over checkpoints by size asks for the same few of each level. */
const REMEMBERED = 16

/**
 * Consistency proofs from checkpoints whose entries were pruned. What lies in the tile of level 0 that a checkpoint ends in was
 * kept in its row before the entries went; everything above follows from the tiles, which are never pruned. So a proof can be
 * had to any size behind, however often the log is pruned.
 */
export interface KeptProofs {
  /** Null where nothing was kept. Throws a ProofError where tiles are missing. It is not verified. */
  prove(
    row: { readonly size: number; readonly proof?: Uint8Array | null },
    newSize: number,
  ): Promise<Uint8Array[] | null>
}

export function createKeptProofs(reader: HashReader): KeptProofs {
  const remembering = rememberTiles(reader)
  return {
    async prove({ size, proof }, newSize) {
      return proof == null ? null : extendConsistencyProof(remembering, size, newSize, splitHashes(proof))
    },
  }
}

/** For whoever has an old checkpoint and asks for the way to a new one: a witness. */
export async function proveConsistency(
  store: Pick<Store, 'read'>,
  reader: HashReader,
  oldSize: number,
  { epoch, size }: CheckpointPlace,
): Promise<Uint8Array[]> {
  const { pruned } = await store.read((db) =>
    db.selectFrom('gatebook_log_state').select('pruned').where('id', '=', 1).executeTakeFirstOrThrow(),
  )
  if (oldSize >= Number(pruned)) return computeConsistencyProof(reader, oldSize, size)
  const row = await store.read((db) =>
    db
      .selectFrom('gatebook_checkpoint')
      .select('proof')
      .where('epoch', '=', epoch)
      .where('size', '=', oldSize)
      .where('proof', 'is not', null)
      .executeTakeFirst(),
  )
  return extendConsistencyProof(reader, oldSize, size, row === undefined ? [] : splitHashes(row.proof!))
}

/** Of a log that is not changed meanwhile. */
export function rememberTiles(reader: HashReader): HashReader {
  const tiles = new Map<string, Promise<Uint8Array>>()
  return {
    readTile(level, index, width) {
      const key = `${level}/${index}/${width}`
      const bytes = tiles.get(key) ?? reader.readTile(level, index, width)
      tiles.delete(key)
      tiles.set(key, bytes)
      if (tiles.size > REMEMBERED) tiles.delete(tiles.keys().next().value!)
      return bytes
    },
  }
}
