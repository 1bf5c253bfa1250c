/** Numbers from `from` to `to`, both among them. */
export interface NumberRange {
  readonly from: number
  readonly to: number
}

interface Gap extends NumberRange {
  /** When it was first missed. */
  readonly since: number
}

/**
 * Which of the numbers that a database gives to rows have been seen. It gives them before the commit, so a smaller one can
 * become visible long after a larger one, and one that was rolled back never does. What is missing below the largest is a
 * gap, and it is read again until its row shows up or could not matter any more.
 */
export interface NumberGaps {
  /** The largest number that was seen; 0 before the first one. */
  readonly last: number
  /** In the order of the numbers. */
  see(number: number, now: number): void
  /** Those that are missed since `since` or later; all of them by default. In the order of their numbers. */
  list(since?: number): readonly NumberRange[]
  /** Gives up gaps that are missed since before `since`. */
  forget(since: number): void
}

/** Then neighbours are taken together, and what is between them is read again with them. */
const GAPS_MOST = 1000

export function createNumberGaps(): NumberGaps {
  let gaps: Gap[] = []
  let last = 0

  function fill(number: number): void {
    const at = gaps.findIndex(({ from, to }) => from <= number && number <= to)
    const gap = gaps[at]
    if (gap === undefined) return
    const left = gap.from < number ? [{ ...gap, to: number - 1 }] : []
    const right = number < gap.to ? [{ ...gap, from: number + 1 }] : []
    gaps.splice(at, 1, ...left, ...right)
    if (gaps.length > GAPS_MOST) joinNearest()
  }

  function joinNearest(): void {
    let best = 0
    const distance = (at: number) => gaps[at + 1]!.from - gaps[at]!.to
    for (let at = 1; at + 1 < gaps.length; at++) if (distance(at) < distance(best)) best = at
    const [left, right] = [gaps[best]!, gaps[best + 1]!]
    gaps.splice(best, 2, { from: left.from, to: right.to, since: Math.max(left.since, right.since) })
  }

  return {
    get last() {
      return last
    },
    see(number, now) {
      if (number <= last) {
        fill(number)
        return
      }
      if (number > last + 1) gaps.push({ from: last + 1, to: number - 1, since: now })
      last = number
      if (gaps.length > GAPS_MOST) joinNearest()
    },
    list: (since = Number.NEGATIVE_INFINITY) =>
      gaps.filter((gap) => gap.since >= since).map(({ from, to }) => ({ from, to })),
    forget(since) {
      if (gaps.some((gap) => gap.since < since)) gaps = gaps.filter((gap) => gap.since >= since)
    },
  }
}
