/** The middle of the sorted values; the mean of the two middle ones of an even number. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Linear between the two neighbours (Hyndman and Fan's type 7, what R and NumPy do). */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const place = (sorted.length - 1) * part
  const below = Math.floor(place)
  const low = sorted[below] ?? Number.NaN
  return low + ((sorted[below + 1] ?? low) - low) * (place - below)
}

/**
 * The probability that a value of `b` is larger than one of `a`, ties counted as half: the area under the ROC curve of
 * whoever guesses by the value alone (Mann and Whitney's U over the number of pairs). 0.5: the value tells nothing.
 */
export function areaUnderCurve(a: readonly number[], b: readonly number[]): number {
  const all = [...a.map((value) => ({ value, ofB: false })), ...b.map((value) => ({ value, ofB: true }))]
  all.sort((x, y) => x.value - y.value)
  let rankSum = 0
  for (let from = 0; from < all.length; ) {
    let to = from
    while (to < all.length && all[to]!.value === all[from]!.value) to++
    // Ranks begin at 1; those of equal values are shared.
    const rank = (from + 1 + to) / 2
    for (let at = from; at < to; at++) if (all[at]!.ofB) rankSum += rank
    from = to
  }
  return (rankSum - (b.length * (b.length + 1)) / 2) / (a.length * b.length)
}

export interface Interval {
  readonly low: number
  readonly high: number
}

/** Percentile bootstrap, 95 %, over the places of two lists of one length: what was measured together stays together. */
export function bootstrapInterval(
  a: readonly number[],
  b: readonly number[],
  statistic: (a: readonly number[], b: readonly number[]) => number,
  rounds = 1000,
): Interval {
  const random = createRandom(1)
  const results = Array.from({ length: rounds }, () => {
    const places = Array.from({ length: a.length }, () => Math.floor(random() * a.length))
    return statistic(
      places.map((place) => a[place]!),
      places.map((place) => b[place]!),
    )
  })
  return { low: quantile(results, 0.025), high: quantile(results, 0.975) }
}

/** Mulberry32: the same numbers in every run, so that one list of times has one interval. */
export function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
