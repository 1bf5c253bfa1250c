import { sql } from 'kysely'
import type { Diagnostics } from '../options.ts'
import type { Checkpoint } from '../proof/checkpoint.ts'
import type { HashReader } from '../proof/hash-reader.ts'
import { computeInclusionProof, verifyInclusion } from '../proof/inclusion.ts'
import { ProofError } from '../proof/proof-error.ts'
import { chunks } from '../store/chunks.ts'
import type { Store } from '../store/store.ts'
import { equalBytes } from '../util/bytes.ts'
import type { Clock } from '../util/clock.ts'
import type { WalkedEntry } from './entry-walk.ts'
import { createTreeReader } from './tree-reader.ts'

/** So many are remembered; more than that are committed in a minute by hardly any process, and are not looked for. */
const REMEMBERED = 20_000
/** So many are looked for at once. */
const LOOKED_FOR = 2048
/** An event that is younger is on its way. */
const PATIENCE_MILLISECONDS = 5000
/** So long after a checkpoint that is newer than a late event: after an outage, one batch follows another. */
const MISSING_MILLISECONDS = 5000

/**
 * What this process has committed, until it stands under a checkpoint that was signed. Whoever deletes an event that waits for
 * its place, or holds it back, is found out here: nothing in the database tells of it any more.
 *
 * Nothing that the database says is believed for it: a checkpoint counts when it is signed, and the time when this process
 * sees it.
 */
export interface OwnEvents {
  /** After their commit. */
  remember(events: readonly { readonly id: string; readonly leafHash: Uint8Array }[]): void
  /** What this process has signed itself. */
  cover(entries: readonly WalkedEntry[]): void
  /** Looks for those that others should have signed, and raises the alarm for what does not come. */
  check(): Promise<void>
  status(): { readonly waiting: number; readonly missing: number }
}

interface Remembered {
  readonly leafHash: Uint8Array
  readonly at: number
  /** When a checkpoint has to cover it; null until one is signed after it was late. */
  due: number | null
  told: boolean
}

export interface OwnEventsParts {
  readonly store: Store
  readonly clock: Clock
  readonly diagnostics: Diagnostics
  /** The newest checkpoint, as verified; null before the first one. Throws a ProofError for one that the log has not signed. */
  readonly findSigned: () => Promise<Checkpoint | null>
}

export function createOwnEvents({ store, clock, diagnostics, findSigned }: OwnEventsParts): OwnEvents {
  const waiting = new Map<string, Remembered>()
  let newest: string | null = null
  let overflowed = false
  let unreadable = ''

  async function check(): Promise<void> {
    // What is newer than at the start counts.
    if (newest === null) await findNewest()
    const now = clock.now()
    const late = [...waiting].filter(([, { at }]) => now - at >= PATIENCE_MILLISECONDS)
    if (late.length === 0) return
    // Those that are known to be missing, last: they may come, but must not be in the way of others.
    const looked = [...late.filter(([, { told }]) => !told), ...late.filter(([, { told }]) => told)].slice(
      0,
      LOOKED_FOR,
    )
    const { signed, advanced } = await findNewest()
    if (signed !== null) for (const id of await findCovered(signed, new Map(looked))) waiting.delete(id)
    if (advanced) for (const [, event] of late) event.due ??= now + MISSING_MILLISECONDS
    const fresh = looked.filter(([id, { due, told }]) => !told && waiting.has(id) && due !== null && now >= due)
    if (fresh.length === 0) return
    for (const [, event] of fresh) event.told = true
    diagnostics.error(
      { events: fresh.map(([id]) => id) },
      'Events that this process has committed are not in the log that was signed since. Somebody has taken them out of the database, or keeps them back.',
    )
  }

  async function findNewest(): Promise<{ readonly signed: Checkpoint | null; readonly advanced: boolean }> {
    try {
      const signed = await findSigned()
      const name = signed === null ? '' : `${signed.origin} ${signed.size}`
      const advanced = newest !== null && name !== newest
      newest = name
      return { signed, advanced }
    } catch (error) {
      if (!(error instanceof ProofError)) throw error
      if (error.message !== unreadable) {
        diagnostics.error(
          { code: error.code },
          'The newest checkpoint in the database is not one that the log has signed: somebody has written it there. Run gatebook log audit.',
        )
      }
      unreadable = error.message
      // It hides those that are signed, and so whether they cover what waits.
      return { signed: null, advanced: true }
    }
  }

  /** Those that are proven to be under this checkpoint. */
  async function findCovered(
    checkpoint: Checkpoint,
    late: ReadonlyMap<string, Remembered>,
  ): Promise<readonly string[]> {
    const reader = remember(createTreeReader(store.read))
    const covered: string[] = []
    for (const chunk of chunks([...late.keys()])) {
      const rows = await store.read((db) =>
        db
          .selectFrom('gatebook_entry')
          .select(['event_id', 'log_index'])
          .where('event_id', 'in', chunk)
          .limit(sql.lit(LOOKED_FOR))
          .execute(),
      )
      for (const { event_id: id, log_index: at } of rows) {
        const index = Number(at)
        if (index < checkpoint.size && (await isIncluded(reader, index, late.get(id)!.leafHash, checkpoint)))
          covered.push(id)
      }
    }
    return covered
  }

  return {
    remember(events) {
      const at = clock.now()
      for (const { id, leafHash } of events) {
        if (waiting.size < REMEMBERED) waiting.set(id, { leafHash, at, due: null, told: false })
        else if (!overflowed) {
          overflowed = true
          diagnostics.warn(
            { waiting: waiting.size },
            'More events wait for a signed checkpoint than this process can remember: it will not miss the newer ones.',
          )
        }
      }
    },
    cover(entries) {
      for (const { eventId, leafHash } of entries) {
        const known = waiting.get(eventId)
        // Another leaf by the same id is not what was committed.
        if (known !== undefined && equalBytes(known.leafHash, leafHash)) waiting.delete(eventId)
      }
      if (waiting.size < REMEMBERED / 2) overflowed = false
    },
    check,
    status: () => ({
      waiting: waiting.size,
      missing: [...waiting.values()].filter(({ told }) => told).length,
    }),
  }
}

async function isIncluded(
  reader: HashReader,
  index: number,
  leafHash: Uint8Array,
  { size, rootHash }: Checkpoint,
): Promise<boolean> {
  try {
    const proof = await computeInclusionProof(reader, index, size)
    verifyInclusion({ index, leafHash, size, rootHash }, proof)
    return true
  } catch (error) {
    if (error instanceof ProofError) return false
    throw error
  }
}

/** Events of one time share most of their tiles. */
function remember(reader: HashReader): HashReader {
  const tiles = new Map<string, Promise<Uint8Array>>()
  return {
    readTile(level, index, width) {
      const key = `${level}/${index}/${width}`
      const tile = tiles.get(key) ?? reader.readTile(level, index, width)
      tiles.set(key, tile)
      return tile
    },
  }
}
