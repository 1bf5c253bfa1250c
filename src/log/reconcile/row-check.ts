import { setImmediate as letOthers, setTimeout as sleep } from 'node:timers/promises'
import type { EventTypeName } from '../../event/catalogue.ts'
import type { CommittedFields } from '../../event/commitment.ts'
import { computeStateDigest, type StateKind } from '../../event/state.ts'
import type { Store } from '../../store/store.ts'
import { tampered } from '../tampered.ts'
import { type Checked, type Discrepancy, type DiscrepancyCode, isForgery, type RowKind } from './discrepancies.ts'
import type { FoundEntry, Proven, Unproven } from './evidence.ts'

/** Rows that are looked at together: memory is bounded by this many and their events. A power of two, for the statements. */
export const BATCH = 128

export interface CheckParts {
  readonly store: Store
  /** Whether an entry may be believed: a checkpoint that was verified covers it, or its writer's MAC is right. */
  readonly isAuthentic: (entry: FoundEntry) => boolean
  /** Why there may be no event of this type, of this instant, by what the log itself says; null where there has to be one. */
  readonly explainAbsence: (type: EventTypeName, at: number) => 'event-expired' | 'event-pruned' | null
}

export interface Problem {
  readonly code: DiscrepancyCode
  readonly detail: string
}

/** How the rows of one table are compared with their events. */
export interface RowCheck<Row> {
  readonly kind: RowKind
  idOf(row: Row): string
  /** Where it is not the id that the rows are ordered by. */
  keyOf?(row: Row): readonly string[]
  /** The next rows behind this one in the order of their key, at most {@link BATCH}. */
  read(after: Row | null): Promise<readonly Row[]>
  /** The row as it is now; nothing but what is judged, so that two readings can be compared. */
  find(row: Row): Promise<Row | undefined>
  /** What is wrong with each, in this order. MUST read the events after the rows were read. */
  judge(rows: readonly Row[]): Promise<readonly (readonly Problem[])[]>
}

const TRIES = 8

export async function* checkRows<Row>(
  check: RowCheck<Row>,
  signal?: AbortSignal,
): AsyncGenerator<Discrepancy | Checked, void> {
  for (let after: Row | null = null; ; ) {
    // On SQLite a read is done before it returns: without this nobody else in the process would have a turn.
    await letOthers()
    signal?.throwIfAborted()
    const rows: readonly Row[] = await check.read(after)
    const last = rows.at(-1)
    if (last === undefined) return
    requireProgress(check, after, rows[0]!)
    const found = await check.judge(rows)
    for (const [place, row] of rows.entries()) {
      if (found[place]!.length === 0) continue
      for (const { code, detail } of await confirm(check, row)) {
        const verdict = isForgery(code) ? 'finding' : 'unverifiable'
        yield { verdict, code, kind: check.kind, id: check.idOf(row), detail }
      }
    }
    yield { verdict: 'checked', kind: check.kind, rows: rows.length }
    // Who comes meanwhile is left to the next run: this one must come to an end.
    if (rows.length < BATCH) return
    after = last
  }
}

/**
 * SQLite keeps any bytes as a text, and what is read of them may stand before them: then the same rows would come for ever. Throws
 * ERR_LOG_TAMPERED, since no flow has written such a key.
 */
function requireProgress<Row>(
  { kind, idOf, keyOf = (row) => [idOf(row)] }: RowCheck<Row>,
  after: Row | null,
  next: Row,
): void {
  if (after === null) return
  const [before, behind] = [keyOf(after), keyOf(next)]
  const at = before.findIndex((part, place) => part !== behind[place])
  if (at >= 0 && Buffer.compare(Buffer.from(before[at]!), Buffer.from(behind[at]!)) < 0) return
  throw tampered(`A row of kind ${kind} has a key that is no text.`)
}

/**
 * Log-ins go on meanwhile: an event that is younger than the row that was read looks like a contradiction. So a row that
 * looks odd is read, judged, and both once more; what counts is what was the same twice. No snapshot is needed, which not
 * every engine has under READ COMMITTED.
 */
async function confirm<Row>(check: RowCheck<Row>, row: Row): Promise<readonly Problem[]> {
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const before = await check.find(row)
    if (before === undefined) return []
    const [first] = await check.judge([before])
    if (first!.length === 0) return []
    const after = await check.find(row)
    if (after === undefined) return []
    const [second] = await check.judge([after])
    if (second!.length === 0) return []
    if (JSON.stringify([before, first]) === JSON.stringify([after, second])) return unique(second!)
    await sleep(5 * 2 ** attempt)
  }
  return [{ code: 'row-in-motion', detail: `looked at ${TRIES} times` }]
}

/** What there has to be no event for, or a forgery. `at`: when the row says that it happened. */
export function absenceProblem(
  { explainAbsence }: CheckParts,
  type: EventTypeName,
  at: number | string,
  forgery: Problem,
): Problem {
  const explained = explainAbsence(type, Number(at))
  return explained === null ? forgery : { code: explained, detail: forgery.detail }
}

/** Two things that rest on one event have the same to say about it. */
function unique(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [`${problem.code} ${problem.detail}`, problem])).values()]
}

export function unprovenProblem({ code, detail }: Unproven): Problem {
  return { code, detail }
}

/** Whether the row is the one whose digest the event holds. The opening of the event MUST be there. */
export function holdsState({ leaf, columns }: Proven, kind: StateKind, fields: () => CommittedFields): boolean {
  const digest = leaf.state[kind]
  if (digest === undefined || columns.salt_id === null) return false
  try {
    return computeStateDigest(kind, columns.salt_id, fields()) === digest
  } catch {
    // A row with values that no flow can have handed to an event.
    return false
  }
}
