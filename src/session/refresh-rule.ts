/** What becomes of a refresh token that was once issued for a live session. */
export type RefreshVerdict = 'rotate' | 'grace' | 'superseded' | 'reused'

export interface Rotation {
  /** The counter that was spent. */
  readonly counter: number
  /** Epoch milliseconds. */
  readonly at: number
}

/** More rotations than this within one grace period are not remembered: the oldest then count as reused. */
const ROTATIONS_KEPT = 64

/**
 * The whole truth table, with `presented` the counter in the token and `current` the counter of the session:
 *
 * | presented | when | verdict |
 * |---|---|---|
 * | = current | | rotate: current + 1 is issued |
 * | = current − 1 | at most `grace` after it was spent | grace: current is issued once more, no step |
 * | ≤ current − 2 | at most `grace` after it was spent | superseded: a newer token is out; the session lives |
 * | anything else | | reused: the session ends |
 *
 * Once `current` itself is spent, what was one behind is two behind, so a successor that has been used is never handed out
 * again, and there are never two live ones. Sources: RFC 9700 §4.14.2, and the lost answers that it leaves to the reader.
 */
export function judgeRefresh(
  presented: number,
  current: number,
  rotations: readonly Rotation[],
  now: number,
  graceMilliseconds: number,
): RefreshVerdict {
  if (presented === current) return 'rotate'
  if (presented > current) return 'reused'
  const spent = rotations.find(({ counter }) => counter === presented)
  if (spent === undefined || now - spent.at > graceMilliseconds) return 'reused'
  return presented === current - 1 ? 'grace' : 'superseded'
}

/** The rotations to remember after one more. */
export function rememberRotation(
  rotations: readonly Rotation[],
  spent: Rotation,
  graceMilliseconds: number,
): readonly Rotation[] {
  return [...rotations.filter(({ at }) => spent.at - at <= graceMilliseconds), spent].slice(-ROTATIONS_KEPT)
}

/** `counter:instant` separated by spaces. */
export function formatRotations(rotations: readonly Rotation[]): string {
  return rotations.map(({ counter, at }) => `${counter}:${at}`).join(' ')
}

export function parseRotations(text: string): readonly Rotation[] {
  if (text === '') return []
  return text.split(' ').map((item) => {
    const [counter, at] = item.split(':')
    return { counter: Number(counter), at: Number(at) }
  })
}
