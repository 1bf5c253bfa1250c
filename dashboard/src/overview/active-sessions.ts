import type { Overview } from '../api/wire.ts'

/**
 * How many sessions were active at the end of each bucket: what is active now, less what has begun since and with what has ended
 * since. `after`: what happened between the end of the window and now; null where they are the same. Null where not all of it
 * was counted.
 */
export function countActive(overview: Overview, after: Overview | null): readonly number[] | null {
  if (!overview.complete || after?.complete === false) return null
  let active = overview.active_sessions - sumOf(after)
  const counts: number[] = []
  for (const { logins, ended } of overview.series.toReversed()) {
    counts.push(Math.max(0, active))
    active -= logins - ended
  }
  return counts.reverse()
}

function sumOf(overview: Overview | null): number {
  return (overview?.series ?? []).reduce((sum, { logins, ended }) => sum + logins - ended, 0)
}
