import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  formatRotations,
  judgeRefresh,
  parseRotations,
  type Rotation,
  rememberRotation,
} from '../../src/session/refresh-rule.ts'

const GRACE = 20_000
const NOW = 1_800_000_000_000

describe('a refresh token', () => {
  const rotations = [
    { counter: 7, at: NOW - 20_001 },
    { counter: 8, at: NOW - 20_000 },
    { counter: 9, at: NOW - 5 },
  ]

  test.each([
    [10, 'rotate'],
    [9, 'grace'],
    [8, 'superseded'],
    [7, 'reused'],
    [6, 'reused'],
    [0, 'reused'],
    [11, 'reused'],
    [2 ** 32 - 1, 'reused'],
  ])('with the counter %i, where 10 is the current one: %s', (presented, verdict) => {
    expect(judgeRefresh(presented, 10, rotations, NOW, GRACE)).toBe(verdict)
  })

  test('one behind, after the grace period, is reused', () => {
    expect(judgeRefresh(9, 10, rotations, NOW + GRACE - 5, GRACE)).toBe('grace')
    expect(judgeRefresh(9, 10, rotations, NOW + GRACE - 4, GRACE)).toBe('reused')
  })
})

/** Any clients at any times: what is handed out is never more than one live token. */
test('there are never two live successors, and no honest client loses its session', () => {
  const steps = fc.array(
    fc.record({ pause: fc.integer({ min: 0, max: 15_000 }), behind: fc.integer({ min: 0, max: 3 }) }),
    { maxLength: 100 },
  )
  fc.assert(
    fc.property(steps, (sequence) => {
      let current = 0
      let now = NOW
      let rotations: readonly Rotation[] = []
      for (const { pause, behind } of sequence) {
        now += pause
        const presented = Math.max(0, current - behind)
        const verdict = judgeRefresh(presented, current, rotations, now, GRACE)
        if (presented === current) expect(verdict).toBe('rotate')
        else expect(verdict).not.toBe('rotate')
        // What is handed out again is the current one, and that has not been used.
        if (verdict === 'grace') expect(presented).toBe(current - 1)
        if (verdict !== 'rotate') continue
        rotations = rememberRotation(rotations, { counter: presented, at: now }, GRACE)
        current += 1
        expect(parseRotations(formatRotations(rotations))).toEqual(rotations)
        expect(judgeRefresh(presented, current, rotations, now + GRACE, GRACE)).toBe('grace')
      }
      expect(rotations.length).toBeLessThanOrEqual(64)
    }),
  )
})

test('a client that refreshes very often fills no table', () => {
  let rotations: readonly Rotation[] = []
  for (let counter = 0; counter < 1000; counter++) rotations = rememberRotation(rotations, { counter, at: NOW }, GRACE)
  expect(rotations).toHaveLength(64)
  expect(formatRotations(rotations).length).toBeLessThan(2000)
  expect(judgeRefresh(999, 1000, rotations, NOW, GRACE)).toBe('grace')
  expect(judgeRefresh(936, 1000, rotations, NOW, GRACE)).toBe('superseded')
  expect(judgeRefresh(935, 1000, rotations, NOW, GRACE)).toBe('reused')
})
