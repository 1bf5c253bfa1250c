import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createNumberGaps, type NumberRange } from '../../src/token/number-gaps.ts'
import { formatRevocationCursor, parseRevocationCursor, within, without } from '../../src/token/revocation-cursor.ts'

const numbersOf = (ranges: readonly NumberRange[]) =>
  ranges.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, at) => from + at))

/** Ranges in order, none touching another. */
const ranges = fc
  .uniqueArray(fc.integer({ min: 1, max: 60 }))
  .map((numbers) => numbers.sort((a, b) => a - b).map((number) => ({ from: number, to: number })))

describe('gaps', () => {
  test('are exactly what was not seen below the largest number', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 80 })), (seen) => {
        const gaps = createNumberGaps()
        for (const number of seen) gaps.see(number, 0)
        const last = Math.max(0, ...seen)
        expect(gaps.last).toBe(last)
        const missing = Array.from({ length: last }, (_, at) => at + 1).filter((number) => !seen.includes(number))
        expect(numbersOf(gaps.list())).toEqual(missing)
      }),
    )
  })

  test('are given up when they are old', () => {
    const gaps = createNumberGaps()
    gaps.see(5, 100)
    gaps.see(8, 200)
    expect(gaps.list(150)).toEqual([{ from: 6, to: 7 }])
    gaps.forget(150)
    expect(gaps.list()).toEqual([{ from: 6, to: 7 }])
  })

  test('are of a bounded number, and cover what they covered before', () => {
    const gaps = createNumberGaps()
    for (let number = 2; number <= 10_000; number += 2) gaps.see(number, 0)
    expect(gaps.list().length).toBeLessThanOrEqual(1000)
    const covered = new Set(numbersOf(gaps.list()))
    for (let number = 1; number <= 10_000; number += 2) expect(covered.has(number)).toBe(true)
  })
})

describe('a cursor', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(ranges, fc.integer({ min: 60, max: 99 }), (missing, last) => {
        expect(parseRevocationCursor(formatRevocationCursor({ epoch: 'Zk3Jq0vY', last, missing }))).toEqual({
          epoch: 'Zk3Jq0vY',
          last,
          missing,
        })
      }),
    )
  })

  test('stays short: ranges are joined, and nothing that was missing is lost', () => {
    const missing = Array.from({ length: 500 }, (_, at) => ({ from: 3 * at + 1, to: 3 * at + 1 }))
    const read = parseRevocationCursor(formatRevocationCursor({ epoch: 'Zk3Jq0vY', last: 2000, missing }))
    expect(read.missing.length).toBeLessThanOrEqual(64)
    const covered = new Set(numbersOf(read.missing))
    for (const { from } of missing) expect(covered.has(from)).toBe(true)
  })

  test.each([
    ...['', 'x', '-1', '1.5', '1e3', '5:', '5:3,', '5:3,2', '5:3-2', '5:6', '5:0', '5:2-3,3', '99999999999999999'],
    ...[`9:${'1,'.repeat(3000)}2`, '9: 1', '9:1;2', '5:1 OR 1=1', '９'],
  ])('is refused: %j', (text) => {
    for (const form of [text, `Zk3Jq0vY.${text}`]) {
      expect(() => parseRevocationCursor(form)).toThrow(expect.objectContaining({ code: 'ERR_CURSOR_INVALID' }))
    }
  })
})

test('ranges are cut as sets are', () => {
  fc.assert(
    fc.property(ranges, ranges, (some, others) => {
      const set = new Set(numbersOf(others))
      expect(numbersOf(without(some, others))).toEqual(numbersOf(some).filter((number) => !set.has(number)))
      expect(numbersOf(within(some, others))).toEqual(numbersOf(some).filter((number) => set.has(number)))
    }),
  )
})
