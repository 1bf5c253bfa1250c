import { HASH_BYTES } from '../../proof/hash.ts'
import { TILE_WIDTH, tileWidth } from '../../proof/tile.ts'
import type { TileHash } from '../../proof/tree.ts'
import type { Store } from '../../store/store.ts'
import { decodeBase64, encodeBase64 } from '../../util/base64.ts'
import { equalBytes } from '../../util/bytes.ts'
import type { AuditState, GrowingTile } from './audit-state.ts'
import type { Report } from './report.ts'

const PAGE = 100
/** The least that the column takes on every engine. */
const LEAST_LEVEL = -(2 ** 31)

export interface TileCheck {
  /** Compares the tiles that are full by these. */
  append(hashes: readonly TileHash[]): Promise<void>
  /** Compares those at the right edge, and looks for some that there must not be. Pauses where findings can be taken. */
  finish(): AsyncGenerator<void, void, void>
}

/** The rows of `gatebook_tile` against what the walk over the entries gives. It holds one tile of each level. */
export function createTileCheck(store: Store, state: AuditState, report: Report): TileCheck {
  async function compare(level: number, { place, first, hashes }: GrowingTile): Promise<void> {
    const row = await store.read((db) =>
      db
        .selectFrom('gatebook_tile')
        .select('hashes')
        .where('level', '=', level)
        .where('place', '=', place)
        .executeTakeFirst(),
    )
    const at = `level ${level}, place ${place}`
    const demanded = tileWidth(level, place, state.recorded)
    if (row === undefined) {
      if (demanded > 0) report.add('tile-missing', at)
      return
    }
    const bytes = row.hashes instanceof Uint8Array ? row.hashes : new Uint8Array()
    if (bytes.length < demanded * HASH_BYTES) report.add('tile-missing', `${at}: ${bytes.length} bytes`)
    if (bytes.length % HASH_BYTES !== 0 || bytes.length > TILE_WIDTH * HASH_BYTES) {
      report.add('tile-differs', `${at}: ${bytes.length} bytes`)
      return
    }
    for (const [slot, hash] of hashes.entries()) {
      const from = (first + slot) * HASH_BYTES
      if (from >= bytes.length) return
      if (equalBytes(bytes.subarray(from, from + HASH_BYTES), decodeBase64(hash)!)) continue
      report.add('tile-differs', `${at}, from hash ${first + slot} on`)
      return
    }
  }

  async function* findSuperfluous(): AsyncGenerator<void, void, void> {
    for (let after = { level: LEAST_LEVEL, place: 0 }; ; ) {
      const rows = await store.read((db) =>
        db
          .selectFrom('gatebook_tile')
          .select(['level', 'place', 'hashes'])
          .where(({ eb, and, or }) =>
            or([eb('level', '>', after.level), and([eb('level', '=', after.level), eb('place', '>', after.place)])]),
          )
          .orderBy('level')
          .orderBy('place')
          .limit(PAGE)
          .execute(),
      )
      if (rows.length === 0) return
      // Asked for behind the rows: the log grows, and its tiles with it.
      const { size } = await store.read((db) =>
        db.selectFrom('gatebook_log_state').select('size').where('id', '=', 1).executeTakeFirstOrThrow(),
      )
      const most = Math.max(Number(size), state.size)
      for (const row of rows) {
        const [level, place] = [Number(row.level), Number(row.place)]
        const width = level < 1 || place < 0 ? 0 : tileWidth(level, place, most)
        if (row.hashes.length > width * HASH_BYTES) report.add('tile-superfluous', `level ${level}, place ${place}`)
      }
      after = { level: Number(rows.at(-1)!.level), place: Number(rows.at(-1)!.place) }
      yield
    }
  }

  return {
    async append(hashes) {
      for (const { level, index, hash } of hashes) {
        if (level === 0) continue
        const place = Math.floor(index / TILE_WIDTH)
        const slot = index % TILE_WIDTH
        state.tiles[level] ??= { place, first: slot, hashes: [] }
        const tile = state.tiles[level]
        tile.hashes.push(encodeBase64(hash))
        if (slot < TILE_WIDTH - 1) continue
        await compare(level, tile)
        state.tiles[level] = null
      }
    },
    async *finish() {
      for (const [level, tile] of state.tiles.entries()) if (tile) await compare(level, tile)
      yield* findSuperfluous()
    },
  }
}
