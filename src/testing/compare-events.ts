import { AssertionError } from 'node:assert'
import type { LogEvent } from '../event/event.ts'
import { describeEvent, type ExpectedEvent, type ExpectedMembers, fits, parseExpected } from './expected-event.ts'

/** Throws AssertionError unless each event fits the expected one at its place, and none is left over on either side. */
export function compareEvents(
  left: readonly LogEvent[],
  expected: readonly ExpectedEvent[],
  caller: (...args: never[]) => unknown,
): void {
  const wanted = expected.map(parseExpected)
  const pairs = align(left, wanted)
  const others = pairs.filter(({ event, want }) => event === undefined || want === undefined)
  if (others.length === 0) return
  const missing = others.filter(({ event }) => event === undefined).length
  const lines = pairs.map(({ event, want }) => {
    if (event === undefined) return `  - ${describeEvent(want as ExpectedMembers)}`
    return `  ${want === undefined ? '+' : ' '} ${describeEvent(event)}`
  })
  throw new AssertionError({
    message: [
      `The log has other events than expected: ${missing} missing (-), ${others.length - missing} not expected (+).`,
      ...lines,
    ].join('\n'),
    // Of a pair that fits, both have the same text, so that the diff of a test runner shows what ours does.
    actual: pairs.flatMap(({ event }) => (event === undefined ? [] : [describeEvent(event)])),
    expected: pairs.flatMap(({ event, want }) => (want === undefined ? [] : [describeEvent(event ?? want)])),
    operator: 'expectEvents',
    stackStartFn: caller,
  })
}

interface Pair {
  readonly event?: LogEvent
  readonly want?: ExpectedMembers
}

/** The longest common subsequence, with what is missing in front of what was left in its place. */
function align(events: readonly LogEvent[], wanted: readonly ExpectedMembers[]): Pair[] {
  const width = wanted.length + 1
  // At i × width + j: how many pairs fit from event i and expected event j on.
  const common = new Uint32Array((events.length + 1) * width)
  const at = (i: number, j: number): number => common[i * width + j] as number
  for (let i = events.length - 1; i >= 0; i--) {
    for (let j = wanted.length - 1; j >= 0; j--) {
      common[i * width + j] = fits(events[i]!, wanted[j]!) ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  const pairs: Pair[] = []
  let i = 0
  let j = 0
  while (i < events.length || j < wanted.length) {
    const [event, want] = [events[i], wanted[j]]
    if (event !== undefined && want !== undefined && fits(event, want)) {
      pairs.push({ event, want })
      i++
      j++
    } else if (want !== undefined && (event === undefined || at(i, j + 1) === at(i, j))) {
      pairs.push({ want })
      j++
    } else {
      pairs.push({ event: event! })
      i++
    }
  }
  return pairs
}
