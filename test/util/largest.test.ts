import { expect, test } from 'vitest'
import { largest } from '../../src/util/largest.ts'

test('the largest of more numbers than a call takes arguments', () => {
  const numbers = Array.from({ length: 300_000 }, (_, at) => at % 70_000)
  expect(() => Math.max(...numbers)).toThrow(RangeError)
  expect(largest(numbers)).toBe(69_999)
  expect(largest([])).toBe(0)
})
