import type { Clock } from '../util/clock.ts'

/** A clock that stands still until it is moved. */
export interface FakeClock extends Clock {
  /** Throws RangeError for what is not a whole number of milliseconds; a negative one moves the clock back. */
  advance(milliseconds: number): void
}

/** `start` in epoch milliseconds; without it every run of a test sees the same instants (from 2027-01-15T08:00:00Z on). */
export function createFakeClock(start = 1_800_000_000_000): FakeClock {
  let now = start
  return {
    now: () => now,
    advance(milliseconds) {
      // One NaN would make every later instant one, far away from the line that it came from.
      if (!Number.isSafeInteger(milliseconds)) {
        throw new RangeError(`The clock is moved by whole milliseconds, not by ${milliseconds}.`)
      }
      now += milliseconds
    },
  }
}
