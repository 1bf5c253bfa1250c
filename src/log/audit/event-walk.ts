import type { CommitmentClass } from '../../event/commitment.ts'
import type { WrongOpening } from '../../event/compare-columns.ts'
import type { Leaf } from '../../event/parse-leaf.ts'
import type { Store } from '../../store/store.ts'
import { type AuditState, NAMED_OPENINGS } from './audit-state.ts'
import { compareEvent, readEvents, type StoredEvent } from './event-check.ts'
import type { Erasure, Explanations, PendingErasure } from './explanations.ts'
import type { Report } from './report.ts'

/** A leaf whose event is to be looked at, with its place; no place yet for one that is queued. */
export interface ExpectedEvent {
  readonly index: number
  readonly leaf: Leaf
}

export interface EventWalk {
  /** Compares the events of these leaves. `rows`: as they were read before; what is odd is read again. */
  compare(expected: readonly ExpectedEvent[], rows: ReadonlyMap<string, StoredEvent>): Promise<void>
  /** When the whole log is known: whether the erasures in it explain the openings that are gone. */
  reportOpenings(pending: PendingErasures): void
}

/** What erasures have taken that are not finished, and so not in the log yet. */
export interface PendingErasures {
  readonly items: readonly PendingErasure[]
  /** Ids of rows that say so, and were written by somebody else. */
  readonly forged: readonly string[]
}

export interface EventWalkParts {
  readonly store: Store
  readonly state: AuditState
  readonly report: Report
  readonly explanations: Explanations
}

export function createEventWalk({ store, state, report, explanations }: EventWalkParts): EventWalk {
  function isExplained({ leaf }: ExpectedEvent, row: StoredEvent | undefined): boolean {
    if (row === undefined) return explanations.isExpired('event', leaf)
    const faults = compareEvent(leaf, row)
    if (faults === null) return true
    const { columns, openings, missing } = faults
    return columns.length + openings.length === 0 && missing.every((kind) => isExpired(kind, leaf))
  }

  function isExpired(kind: CommitmentClass, leaf: Leaf): boolean {
    return kind === 'net' && explanations.isExpired('net', leaf)
  }

  function judge(expected: ExpectedEvent, row: StoredEvent | undefined): void {
    const { index, leaf } = expected
    const at = index < Number.MAX_SAFE_INTEGER ? { index, eventId: leaf.id } : { eventId: leaf.id }
    if (row === undefined) {
      if (!explanations.isExpired('event', leaf)) report.add('event-missing', leaf.type, at)
      return
    }
    const faults = compareEvent(leaf, row)
    if (faults === null) return
    const { columns, openings, missing } = faults
    if (columns.length > 0) report.add('event-differs', columns.join(', '), at)
    if (openings.length > 0) report.add('opening-differs', openings.map(describe).join('; '), at)
    for (const kind of missing) if (!isExpired(kind, leaf)) noteMissing(kind, expected)
  }

  /** Which erasure took it cannot be told, since erasures name nobody; but they say how many they have taken. */
  function noteMissing(kind: CommitmentClass, { index, leaf }: ExpectedEvent): void {
    const span = String(findNext(explanations.erasures(), index) ?? '')
    state.missing[kind][span] = (state.missing[kind][span] ?? 0) + 1
    if (state.missed[kind].length < NAMED_OPENINGS) state.missed[kind].push([index, leaf.id])
  }

  return {
    async compare(expected, rows) {
      state.events += expected.filter(({ leaf }) => rows.has(leaf.id)).length
      const odd = expected.filter((each) => !isExplained(each, rows.get(each.leaf.id)))
      if (odd.length === 0) return
      // It may have been changed meanwhile, by something that the log says by now.
      await explanations.refresh()
      const again = await readEvents(
        store,
        odd.map(({ leaf }) => leaf.id),
      )
      for (const each of odd) judge(each, again.get(each.leaf.id))
    },

    reportOpenings({ items, forged }) {
      for (const erasure of forged) report.add('erasure-forged', erasure)
      const pending = explanations.sumPending(items)
      for (const kind of ['id', 'net'] as const) {
        const short = countShort(kind, pending[kind])
        if (short === 0) continue
        const total = Object.values(state.missing[kind]).reduce((sum, count) => sum + count, 0)
        if (short < total) {
          report.add('opening-missing', `class ${kind}: ${total} are gone, ${short} more than erasures have taken`)
          continue
        }
        const named = state.missed[kind]
        for (const [index, eventId] of named) report.add('opening-missing', `class ${kind}`, { index, eventId })
        if (total > named.length) report.add('opening-missing', `class ${kind}: ${total - named.length} more`)
      }
    },
  }

  /** An erasure can have taken only what was there before it: so from each place on, there must be enough of them. */
  function countShort(kind: CommitmentClass, pending: number): number {
    const spans = Object.entries(state.missing[kind])
      .map(([span, count]) => ({ from: span === '' ? state.size : Number(span), count }))
      .sort((a, b) => b.from - a.from)
    const erasures = explanations.erasures()
    let at = erasures.length
    let [gone, taken, short] = [0, pending, 0]
    for (const { from, count } of spans) {
      for (; at > 0 && erasures[at - 1]!.index >= from; at--) taken += erasures[at - 1]![kind]
      gone += count
      short = Math.max(short, gone - taken)
    }
    return short
  }
}

function describe({ kind, left }: WrongOpening): string {
  return left.length === 0 ? kind : `${kind}: forgotten, but ${left.join(', ')} left`
}

/** The place of the first erasure behind this one. */
function findNext(erasures: readonly Erasure[], index: number): number | undefined {
  let [low, high] = [0, erasures.length]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (erasures[middle]!.index > index) high = middle
    else low = middle + 1
  }
  return erasures[low]?.index
}
