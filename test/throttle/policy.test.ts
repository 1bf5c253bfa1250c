import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Counter, countAttempt } from '../../src/throttle/policy.ts'

const LIMITS = {
  throttlePairFree: 5,
  throttlePairMaxWaitSeconds: 900,
  throttleAddressFailures: 60,
  throttleAddressWindowSeconds: 600,
  throttleAccountFailures: 100,
  mailsPerHour: 5,
  throttleAccountWindowSeconds: 86_400,
}
const FRESH: Counter = { failures: 0, windowAt: 0, freeAt: 0 }
const NOW = 1_800_000_000_000

describe('failures of a pair', () => {
  test('are free five times, and then wait for 1, 2, 4 … 900 s', () => {
    let counter = FRESH
    let now = NOW
    const waits: number[] = []
    for (let attempt = 0; attempt < 18; attempt++) {
      const verdict = countAttempt('pair', counter, now, LIMITS)
      expect(verdict.waitMilliseconds).toBe(0)
      counter = verdict.counter
      const wait = Math.max(0, counter.freeAt - now)
      waits.push(wait / 1000)
      now += wait
    }
    expect(waits).toEqual([0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900])
  })

  test('are refused without being counted until the wait is over', () => {
    const counter: Counter = { failures: 7, windowAt: NOW, freeAt: NOW + 4000 }
    expect(countAttempt('pair', counter, NOW + 1, LIMITS)).toEqual({ counter, waitMilliseconds: 3999, locks: false })
    expect(countAttempt('pair', counter, NOW + 4000, LIMITS)).toMatchObject({
      counter: { failures: 8 },
      waitMilliseconds: 0,
    })
  })

  test('are forgotten after a day without one', () => {
    const counter: Counter = { failures: 40, windowAt: NOW, freeAt: NOW + 900_000 }
    expect(countAttempt('pair', counter, NOW + 86_399_999, LIMITS).counter.failures).toBe(41)
    expect(countAttempt('pair', counter, NOW + 86_400_000, LIMITS).counter).toEqual({
      failures: 1,
      windowAt: NOW + 86_400_000,
      freeAt: 0,
    })
  })
})

describe.each([
  ['address', 60, 600_000],
  ['account', 100, 86_400_000],
] as const)('failures of an %s', (scope, allowed, window) => {
  test(`are ${allowed} in ${window / 1000} s from the first one, and the last of them locks`, () => {
    let counter = FRESH
    for (let attempt = 1; attempt <= allowed; attempt++) {
      const verdict = countAttempt(scope, counter, NOW + attempt, LIMITS)
      expect([verdict.waitMilliseconds, verdict.locks]).toEqual([0, attempt === allowed])
      counter = verdict.counter
    }
    const end = NOW + 1 + window
    expect(countAttempt(scope, counter, end - 1, LIMITS)).toEqual({ counter, waitMilliseconds: 1, locks: false })
    expect(countAttempt(scope, counter, end, LIMITS).counter).toEqual({ failures: 1, windowAt: end, freeAt: 0 })
  })
})

test('nobody gets more failures into any window than are allowed, whatever the times', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 70, maxLength: 300 }), (pauses) => {
      let counter = FRESH
      let now = NOW
      const counted: number[] = []
      for (const pause of pauses) {
        now += pause
        const verdict = countAttempt('address', counter, now, LIMITS)
        if (verdict.waitMilliseconds === 0) counted.push(now)
        else expect(verdict.counter).toBe(counter)
        counter = verdict.counter
      }
      // A fixed window lets at most twice as many through at its border.
      const within = counted.map((from) => counted.filter((at) => at >= from && at < from + 600_000).length)
      expect(Math.max(...within)).toBeLessThanOrEqual(2 * LIMITS.throttleAddressFailures)
    }),
    { numRuns: 50 },
  )
})
