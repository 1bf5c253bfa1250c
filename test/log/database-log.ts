import { onTestFinished } from 'vitest'
import type { PublishedCheckpoint } from '../../src/log/anchoring.ts'
import {
  computeLeafHash,
  createTileRows,
  createTreeBuilder,
  formatCheckpoint,
  formatNote,
  generateLogKey,
  type LogPolicy,
  parseSigningKey,
  signNote,
} from '../../src/proof/index.ts'
import { migrateOpen } from '../../src/store/migrations/migrate.ts'
import { createSqlStore } from '../../src/store/sql/sql-store.ts'
import type { Store } from '../../src/store/store.ts'
import type { AnchorTable, CheckpointTable } from '../../src/store/tables.ts'
import { encodeUtf8 } from '../../src/util/bytes.ts'
import type { Engine } from '../support/engines.ts'
import { dialectOf } from '../support/gate.ts'

export interface DatabaseLog {
  readonly store: Store
  readonly policy: (epoch: number) => LogPolicy
  /** Grows the tree by so many entries, and publishes a checkpoint of it. */
  publish(entries: number): Promise<PublishedCheckpoint>
  /** The same for the checkpoint, with nobody's signature. */
  forge(): Promise<void>
  checkpoints(): Promise<CheckpointTable[]>
  anchors(): Promise<AnchorTable[]>
  /** A store of its own, as another process would have it. */
  another(): Promise<Store>
}

const ORIGIN = 'log.example/database'

/** A database with a log in it, as far as anchors look at it: entries, tiles and published checkpoints. No process signs it. */
export async function openDatabaseLog(engine: Engine): Promise<DatabaseLog> {
  const database = await engine.createDatabase()
  onTestFinished(() => database.drop())
  async function another(): Promise<Store> {
    const opened = await dialectOf(database.url).connect()
    await migrateOpen(opened)
    const store = createSqlStore(opened)
    // A test may have closed it.
    onTestFinished(() => store.close().catch(() => undefined))
    return store
  }
  const store = await another()
  const signer = parseSigningKey(generateLogKey(ORIGIN).signingKey)
  const builder = createTreeBuilder()
  const rows = createTileRows()

  async function grow(count: number): Promise<void> {
    const start = builder.size()
    const leaves = Array.from({ length: count }, (_, at) => encodeUtf8(`{"entry":${start + at}}`))
    const hashes = leaves.map(computeLeafHash)
    const full = rows.append(builder.append(hashes))
    const entries = leaves.map((leaf, at) => ({
      log_index: start + at,
      event_id: `evt_${String(start + at).padStart(26, '0')}`,
      leaf,
      leaf_hash: hashes[at]!,
      mac: null,
    }))
    await store.transaction(async ({ db }) => {
      for (let at = 0; at < count; at += 100) {
        await db
          .insertInto('gatebook_entry')
          .values(entries.slice(at, at + 100))
          .execute()
      }
      for (const { tile, bytes } of [...full, ...rows.partial()]) {
        if (tile.level === 0) continue
        await db.deleteFrom('gatebook_tile').where('level', '=', tile.level).where('place', '=', tile.index).execute()
        await db.insertInto('gatebook_tile').values({ level: tile.level, place: tile.index, hashes: bytes }).execute()
      }
    })
  }

  async function insert(size: number, note: string): Promise<PublishedCheckpoint> {
    const row = { epoch: 1, size, note, signed_at: 1, published_at: 2, proof: null }
    await store.transaction(({ db }) => db.insertInto('gatebook_checkpoint').values(row).execute())
    return { epoch: 1, size, note }
  }

  return {
    store,
    another,
    policy: () => ({ origin: ORIGIN, logKeys: [signer.verifierKey] }),
    async publish(entries) {
      await grow(entries)
      const size = builder.size()
      return insert(size, signNote(formatCheckpoint({ origin: ORIGIN, size, rootHash: builder.root() }), signer))
    },
    async forge() {
      const size = builder.size() + 1000
      const text = formatCheckpoint({ origin: ORIGIN, size, rootHash: new Uint8Array(32) })
      const { name, keyId } = signer
      await insert(size, formatNote({ text, signatures: [{ name, keyId, signature: new Uint8Array(64) }] }))
    },
    checkpoints: () => store.read((db) => db.selectFrom('gatebook_checkpoint').selectAll().orderBy('size').execute()),
    anchors: () => store.read((db) => db.selectFrom('gatebook_anchor').selectAll().orderBy('name').execute()),
  }
}
