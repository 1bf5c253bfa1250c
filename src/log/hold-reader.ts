import { GatebookError } from '../errors.ts'
import { LeafError, parseLeaf } from '../event/parse-leaf.ts'
import type { RowSeal, RowValues } from '../secret/row-seal.ts'
import { listChunks } from '../store/chunks.ts'
import type { Transaction } from '../store/transaction.ts'
import type { MacCheck } from './entry-walk.ts'
import { type HoldRow, readHolds } from './hold.ts'
import { computeLeafHash } from './leaf.ts'

type Db = Pick<Transaction['db'], 'selectFrom'>

/**
 * The holds, as whoever forgets something reads them. Their table alone is not believed: a row that was changed has no seal any
 * more, and one that was deleted is missed by its `log.held`, unless a `log.released` names it.
 */
export interface HoldReader {
  /** Throws ERR_HOLD_TAMPERED, and then nothing may be forgotten. */
  read(db: Db): Promise<readonly HoldRow[]>
  /** Ids of those that the log says are in force and that are not in their table. */
  findLost(db: Db): Promise<readonly string[]>
}

export function createHoldReader(parts: {
  readonly seal: RowSeal
  readonly isGenuine: MacCheck
  /** Whether entries wait for their place. */
  readonly queued: boolean
}): HoldReader {
  const { seal, isGenuine, queued } = parts
  /** Of what was released once, nothing has to be looked up again. */
  const released = new Set<string>()

  /** What the entries of these events say, as far as a writer of this installation has made them. */
  async function readNames(db: Db, type: string, eventIds: readonly string[]): Promise<ReadonlySet<string>> {
    const names = new Set<string>()
    for (const chunk of listChunks(eventIds)) {
      const entries = db.selectFrom('gatebook_entry').select(['event_id', 'leaf', 'mac']).where('event_id', 'in', chunk)
      const waiting = db
        .selectFrom('gatebook_queue')
        .select(['event_id', 'leaf', 'mac'])
        .where('event_id', 'in', chunk)
        .where('rejected_at', 'is', null)
      // In this order: what gets its place between the two stands in the second look already.
      for (const row of [...(queued ? await waiting.execute() : []), ...(await entries.execute())]) {
        if (!isGenuine(row.event_id, computeLeafHash(row.leaf), row.mac)) continue
        const name = nameIn(row.leaf, type)
        if (name !== null) names.add(name)
      }
    }
    return names
  }

  async function findLost(db: Db, present: ReadonlySet<string>): Promise<readonly string[]> {
    const events = await db
      .selectFrom('gatebook_event')
      .select(['id', 'type', 'data'])
      .where('type', 'in', ['log.held', 'log.released'])
      .orderBy('number')
      .execute()
    // By what the row of the event says only whether it has to be looked up.
    const isOpen = ({ data }: { data: string | null }): boolean => {
      const name = /"hold":"(\w+)"/.exec(data ?? '')?.[1] ?? ''
      return !present.has(name) && !released.has(name)
    }
    const open = events.filter(isOpen)
    if (open.length === 0) return []
    const idsOf = (type: string) => open.filter((event) => event.type === type).map(({ id }) => id)
    const held = await readNames(db, 'log.held', idsOf('log.held'))
    if (held.size === 0) return []
    for (const name of await readNames(db, 'log.released', idsOf('log.released'))) released.add(name)
    return [...held].filter((name) => !present.has(name) && !released.has(name))
  }

  return {
    async read(db) {
      const rows = await readHolds(db)
      const forged = rows.find((row) => !seal.isGenuine('hold', sealedValues(row), row.mac))
      if (forged !== undefined) throw tamperedHold(forged.id, 'is not what was written')
      const [lost] = await findLost(db, new Set(rows.map(({ id }) => id)))
      if (lost !== undefined) throw tamperedHold(lost, 'is not in its table any more')
      return rows
    },
    findLost: async (db) => findLost(db, new Set((await readHolds(db)).map(({ id }) => id))),
  }
}

/** In an order that never changes. */
export function sealedValues(row: Omit<HoldRow, 'mac'>): RowValues {
  const { id, subject_id, identifier, from_at, to_at, reason, reference, created_by, created_at } = row
  return [id, subject_id, identifier, from_at, to_at, reason, reference, created_by, created_at]
}

function nameIn(leaf: Uint8Array, type: string): string | null {
  try {
    const parsed = parseLeaf(leaf)
    const name = parsed.data?.hold
    return parsed.type === type && typeof name === 'string' ? name : null
  } catch (error) {
    if (!(error instanceof LeafError)) throw error
    return null
  }
}

function tamperedHold(hold: string, what: string): GatebookError {
  return new GatebookError('ERR_HOLD_TAMPERED', {
    members: { hold },
    detail: `The hold ${hold} ${what}. Find out who has changed the database; then release it, and add it again where it has to stand.`,
  })
}
