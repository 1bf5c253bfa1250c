import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import { HASH_BYTES } from '../proof/hash.ts'
import type { HashReader } from '../proof/hash-reader.ts'
import { encodeTile, TILE_WIDTH } from '../proof/tile.ts'
import type { Tables } from '../store/tables.ts'

/**
 * The hashes of the tree as the database has them: of its leaves out of `gatebook_entry`, above them out of `gatebook_tile`.
 * Nothing is believed by that; a root that was signed elsewhere tells whether they are right. One tile is one look-up by key.
 */
export function createTreeReader(read: <T>(work: (db: Kysely<Tables>) => Promise<T>) => Promise<T>): HashReader {
  return {
    async readTile(level, index, width) {
      if (level === 0) {
        const rows = await read((db) =>
          db
            .selectFrom('gatebook_entry')
            .select('leaf_hash')
            .where('log_index', '>=', index * TILE_WIDTH)
            .where('log_index', '<', index * TILE_WIDTH + width)
            .orderBy('log_index')
            .limit(sql.lit(TILE_WIDTH))
            .execute(),
        )
        return encodeTile(rows.map(({ leaf_hash: hash }) => hash))
      }
      const row = await read((db) =>
        db
          .selectFrom('gatebook_tile')
          .select('hashes')
          .where('level', '=', level)
          .where('place', '=', index)
          .executeTakeFirst(),
      )
      return (row?.hashes ?? new Uint8Array()).subarray(0, width * HASH_BYTES)
    },
  }
}
