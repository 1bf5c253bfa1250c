import { expect, test } from 'vitest'
import { compareWithJose, STRICTER } from './differential.ts'

/** Ten times as many: `npm run evidence -- differential`. */
test('of 10,000 tokens, none that jose refuses is accepted, and each that only we refuse is for a written reason', {
  timeout: 120_000,
}, async () => {
  const { accepted, refused, looser, stricter } = await compareWithJose(10_000, Math.floor(Date.now() / 86_400_000))
  expect(looser).toEqual([])
  expect([...stricter.keys()].filter((reason) => !Object.hasOwn(STRICTER, reason))).toEqual([])
  expect(accepted).toBeGreaterThan(1000)
  expect(refused).toBeGreaterThan(1000)
  expect(stricter.size).toBeGreaterThan(10)
})
