import { sql } from 'kysely'
import { ProofError } from '../../proof/proof-error.ts'
import type { Store } from '../../store/store.ts'
import type { LogVerifier, SignedHead } from './log-verifier.ts'
import type { Report } from './report.ts'

/** A checkpoint that the log has signed, and where it was found. */
export interface KnownHead extends SignedHead {
  readonly source: 'database' | 'guard' | 'file'
  /** For people. */
  readonly place: string
  /** Of a log that was pruned beyond it: what was kept of the way to what is left. */
  readonly proof?: Uint8Array | null
}

const PAGE = 500

/** All known checkpoints, by size: those that were given, and the rows of the database, a page of each epoch at a time. */
export interface CheckpointStream {
  /** The next size for which there is one; null at the end. */
  nextSize(): Promise<number | null>
  /** All of that size. */
  take(): Promise<readonly KnownHead[]>
}

export interface CheckpointStreamParts {
  readonly store: Store
  readonly verifier: LogVerifier | null
  readonly report: Report
  /** By size. */
  readonly given: readonly KnownHead[]
  /** The newest size of each epoch in the database: what is newer was signed since. */
  readonly epochs: readonly (readonly [epoch: number, size: number])[]
  /** Up to this size they have been taken before; -1 for none. */
  readonly after: number
}

interface Lane {
  readonly epoch: number
  readonly until: number
  after: number
  heads: KnownHead[]
  done: boolean
}

export function createCheckpointStream(parts: CheckpointStreamParts): CheckpointStream {
  const { store, verifier, report, epochs } = parts
  const given = parts.given.filter(({ size }) => size > parts.after)
  let at = 0
  let lanes: Lane[] =
    verifier === null
      ? []
      : epochs.map(([epoch, until]) => ({ epoch, until, after: parts.after, heads: [], done: false }))

  async function fill(lane: Lane): Promise<void> {
    while (lane.heads.length === 0 && !lane.done) {
      const rows = await store.read((db) =>
        db
          .selectFrom('gatebook_checkpoint')
          .select(['epoch', 'size', 'note', 'proof'])
          .where('epoch', '=', lane.epoch)
          .where('size', '>', lane.after)
          .where('size', '<=', lane.until)
          .orderBy('size')
          .limit(sql.lit(PAGE))
          .execute(),
      )
      lane.done = rows.length < PAGE
      for (const row of rows) {
        lane.after = Number(row.size)
        const head = openRow(row, verifier!, report)
        if (head !== null) lane.heads.push(head)
      }
    }
  }

  async function nextSize(): Promise<number | null> {
    for (const lane of lanes) await fill(lane)
    // Whoever can write to the database can make up any number of epochs, with nothing in them that was signed.
    lanes = lanes.filter(({ heads }) => heads.length > 0)
    let least = given[at]?.size ?? Number.POSITIVE_INFINITY
    for (const { heads } of lanes) least = Math.min(least, heads[0]!.size)
    return least === Number.POSITIVE_INFINITY ? null : least
  }

  return {
    nextSize,
    async take() {
      const size = await nextSize()
      const taken: KnownHead[] = []
      for (const { heads } of lanes) while (heads[0]?.size === size) taken.push(heads.shift()!)
      for (; given[at] !== undefined && given[at]!.size === size; at++) taken.push(given[at]!)
      return taken
    },
  }
}

interface Row {
  readonly epoch: number
  readonly size: number
  readonly note: string
  readonly proof: Uint8Array | null
}

/** Null for one that proves nothing, which is reported. */
export function openRow(row: Row, verifier: LogVerifier, report: Pick<Report, 'add'>): KnownHead | null {
  const place = `row of epoch ${row.epoch}, size ${row.size}`
  try {
    const head = verifier.open(String(row.note))
    if (head.epoch === Number(row.epoch) && head.size === Number(row.size)) {
      return { ...head, source: 'database', place, proof: row.proof }
    }
    report.add('checkpoint-forged', `${place}: the note is of epoch ${head.epoch}, size ${head.size}`)
  } catch (error) {
    if (!(error instanceof ProofError)) throw error
    report.add('checkpoint-forged', `${place}: ${error.code}`)
  }
  return null
}

/** The newest row of each epoch. */
export async function readNewestRows(store: Store): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (let before: number | null = null; ; ) {
    const row: Row | undefined = await store.read((db) => {
      const query = db.selectFrom('gatebook_checkpoint').select(['epoch', 'size', 'note', 'proof'])
      return (before === null ? query : query.where('epoch', '<', before))
        .orderBy('epoch', 'desc')
        .orderBy('size', 'desc')
        .limit(sql.lit(1))
        .executeTakeFirst()
    })
    if (row === undefined) return rows
    rows.push(row)
    before = Number(row.epoch)
  }
}
