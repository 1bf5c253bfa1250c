/** The time, in epoch milliseconds. Everything that asks for the time asks this, so that a test can move it. */
export interface Clock {
  now(): number
}

export const systemClock: Clock = { now: () => Date.now() }
