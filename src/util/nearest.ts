/**
 * The candidate that somebody most likely meant, or null when none is near: at most a third of the characters differ
 * (insertions, deletions, replacements and neighbours in the wrong order count one each).
 */
export function findNearest(typed: string, candidates: Iterable<string>): string | null {
  let nearest: string | null = null
  let least = Math.max(2, Math.floor(typed.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(typed.toLowerCase(), candidate.toLowerCase())
    if (distance < least) {
      least = distance
      nearest = candidate
    }
  }
  return nearest
}

/** Optimal string alignment distance. The texts are names of settings and types, so the square cost does not matter. */
function editDistance(a: string, b: string): number {
  if (a.length > 100 || b.length > 100) return Number.POSITIVE_INFINITY
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let row = 1; row <= a.length; row++) {
    const line = [row]
    for (let at = 1; at <= b.length; at++) {
      const same = a[row - 1] === b[at - 1]
      let cost = Math.min(above[at]! + 1, line[at - 1]! + 1, above[at - 1]! + (same ? 0 : 1))
      if (row > 1 && at > 1 && a[row - 1] === b[at - 2] && a[row - 2] === b[at - 1]) {
        cost = Math.min(cost, before[at - 2]! + 1)
      }
      line.push(cost)
    }
    before = above
    above = line
  }
  return above[b.length]!
}
