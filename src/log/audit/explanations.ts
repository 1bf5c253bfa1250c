import { sql } from 'kysely'
import { type EventTypeName, findEventType } from '../../event/catalogue.ts'
import type { CommitmentClass } from '../../event/commitment.ts'
import type { EventData } from '../../event/event.ts'
import { isLasting } from '../../event/lasting.ts'
import { findLeaf, type Leaf } from '../../event/parse-leaf.ts'
import { computeLeafHash } from '../../proof/hash.ts'
import { chunks } from '../../store/chunks.ts'
import type { Store } from '../../store/store.ts'
import type { MacCheck } from '../entry-walk.ts'
import type { ActorClass } from '../retention-policy.ts'

/** A backup that was restored: the log goes on from its size, in a new epoch. */
export interface RestoredEpoch {
  readonly epoch: number
  readonly size: number
  /** Of the log that was lost; null when the event does not say it. */
  readonly previousSize: number | null
}

/** An erasure, with how many openings it has taken. */
export interface Erasure {
  /** Its place; beyond all places while it waits for one. */
  readonly index: number
  readonly id: number
  readonly net: number
}

/** An erasure that is not finished. */
export interface PendingErasure {
  readonly erasure: string
  readonly id: number
  readonly net: number
}

/**
 * What the log itself says about what is missing in the tables. Believed are the leaves, which the audit verifies, and never
 * the rows by which they are found.
 */
export interface Explanations {
  /** Reads what has come since. An erasure or expiry may run while the audit does. */
  refresh(): Promise<void>
  /** Whether the period of this event (`event`), or of its network data, is over by what the log announced. */
  isExpired(kind: 'event' | 'net', leaf: Leaf): boolean
  /** By place. */
  erasures(): readonly Erasure[]
  /** What those have taken that are not told yet. A row that was put back when it was is not one of them. */
  sumPending(items: readonly PendingErasure[]): Record<CommitmentClass, number>
  restored(): readonly RestoredEpoch[]
  /** Whether the log says that it was pruned up to this entry. */
  wasPruned(size: number): boolean
  /** Why there may be no event of this type, of this instant, whoever has caused it; null where there has to be one. */
  explainAbsence(type: EventTypeName, at: number): 'event-expired' | 'event-pruned' | null
}

const TYPES = ['log.expired', 'log.erased', 'log.epoch', 'log.pruned'] as const
const PAGE = 256
/** An event with a smaller number may commit later. */
const OVERLAP = 1000

export interface ExplanationParts {
  readonly store: Store
  readonly isGenuine: MacCheck
  /** Entries from here on have to carry the MAC of a writer. */
  readonly covered: number
}

export function createExplanations({ store, isGenuine, covered }: ExplanationParts): Explanations {
  const reached = new Map<string, number>()
  const boundaries = new Map<string, number>()
  const erasures = new Map<string, Erasure>()
  const restored = new Map<number, RestoredEpoch>()
  const pruned = new Set<number>()
  let prunedBefore = 0
  let sorted: readonly Erasure[] = []

  async function readType(type: (typeof TYPES)[number]): Promise<void> {
    let after = Math.max(0, (reached.get(type) ?? 0) - OVERLAP)
    for (;;) {
      const rows = await store.read((db) =>
        db
          .selectFrom('gatebook_event')
          .select(['number', 'id'])
          .where('type', '=', type)
          .where('number', '>', after)
          .orderBy('number')
          .limit(sql.lit(PAGE))
          .execute(),
      )
      if (rows.length === 0) return
      const leaves = await readLeaves(rows.map(({ id }) => id))
      for (const { index, leaf } of leaves) if (leaf.type === type) note(leaf, index)
      after = Number(rows.at(-1)!.number)
      reached.set(type, after)
    }
  }

  async function readLeaves(ids: readonly string[]): Promise<readonly { index: number; leaf: Leaf }[]> {
    const found = new Map<string, { index: number; leaf: Leaf }>()
    for (const chunk of chunks(ids)) {
      const entries = await store.read((db) =>
        db
          .selectFrom('gatebook_entry')
          .select(['log_index', 'event_id', 'leaf', 'mac'])
          .where('event_id', 'in', chunk)
          .execute(),
      )
      for (const { log_index: at, event_id: id, leaf, mac } of entries) {
        const index = Number(at)
        const read = readLeaf(id, leaf, index < covered ? undefined : mac)
        if (read !== null) found.set(id, { index, leaf: read })
      }
      const waiting = chunk.filter((id) => !found.has(id))
      if (waiting.length === 0) continue
      const queued = await store.read((db) =>
        db
          .selectFrom('gatebook_queue')
          .select(['event_id', 'leaf', 'mac'])
          .where('event_id', 'in', waiting)
          .where('rejected_at', 'is', null)
          .execute(),
      )
      for (const { event_id: id, leaf, mac } of queued) {
        const read = readLeaf(id, leaf, mac)
        if (read !== null) found.set(id, { index: Number.MAX_SAFE_INTEGER, leaf: read })
      }
    }
    return [...found.values()].sort((a, b) => a.index - b.index)
  }

  /** `mac`: undefined where a checkpoint vouches for it. */
  function readLeaf(id: string, bytes: Uint8Array, mac: Uint8Array | null | undefined): Leaf | null {
    if (!(bytes instanceof Uint8Array)) return null
    if (mac !== undefined && !isGenuine(id, computeLeafHash(bytes), mac)) return null
    const leaf = findLeaf(bytes)
    return leaf?.id === id ? leaf : null
  }

  function note({ id, type, reason, data }: Leaf, index: number): void {
    const integer = (name: string): number | null =>
      typeof data?.[name] === 'number' && Number.isSafeInteger(data[name]) ? (data[name] as number) : null
    if (type === 'log.expired') {
      const rule = `${data?.class} ${data?.actors} ${data?.volume ?? ''}`
      boundaries.set(rule, Math.max(boundaries.get(rule) ?? 0, integer('before') ?? 0))
    } else if (type === 'log.erased') {
      // Told twice, somebody has put the row back: the second one has counted what the first one took.
      const name = typeof data?.erasure === 'string' ? data.erasure : id
      const known = erasures.get(name)
      if (known !== undefined && known.index < index) return
      erasures.set(name, { index, id: integer('events') ?? 0, net: integer('networks') ?? 0 })
    } else if (type === 'log.epoch') {
      // No epoch begins with it, and it would stand in the place of the event that began this one.
      if (reason === 'guard-adopted') return
      const [epoch, size] = [integer('epoch'), integer('size') ?? integer('restored_size')]
      if (epoch !== null && size !== null) restored.set(epoch, { epoch, size, previousSize: integer('previous_size') })
    } else {
      pruned.add(integer('first') ?? 0)
      prunedBefore = Math.max(prunedBefore, integer('before') ?? 0)
    }
  }

  function isEventExpired(type: string, data: EventData | null, actors: ActorClass, at: number): boolean {
    const row = findEventType(type)
    if (row === null || isLasting(type, data)) return false
    return at < (boundaries.get(`event ${actors} ${row.volume}`) ?? 0)
  }

  return {
    async refresh() {
      for (const type of TYPES) await readType(type)
      sorted = [...erasures.values()].sort((a, b) => a.index - b.index)
    },
    isExpired(kind, { type, actor, at, data }) {
      const actors = actor === 'admin' || actor === 'system' ? 'admins' : 'users'
      return kind === 'net' ? at < (boundaries.get(`net ${actors} `) ?? 0) : isEventExpired(type, data, actors, at)
    },
    explainAbsence(type, at) {
      if (at < prunedBefore) return 'event-pruned'
      return isEventExpired(type, null, 'users', at) || isEventExpired(type, null, 'admins', at)
        ? 'event-expired'
        : null
    },
    erasures: () => sorted,
    sumPending(items) {
      const waiting = items.filter(({ erasure }) => !erasures.has(erasure))
      return {
        id: waiting.reduce((sum, { id }) => sum + id, 0),
        net: waiting.reduce((sum, { net }) => sum + net, 0),
      }
    },
    restored: () => [...restored.values()],
    wasPruned: (size) => pruned.has(size),
  }
}
