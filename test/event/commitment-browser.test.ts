import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as node from '../../src/event/commitment.ts'
import * as browser from '../../src/event/commitment-browser.ts'

/** Two implementations of one thing: a difference would make the dashboard accuse a log that is right, or believe one that is not. */
const fields = fc.dictionary(
  fc.stringMatching(/^[a-z0-9_.-]{1,12}$/),
  fc.oneof(fc.string({ unit: 'binary' }), fc.maxSafeInteger(), fc.boolean(), fc.array(fc.string({ unit: 'binary' }))),
  { maxKeys: 6 },
)
const salt = fc.uint8Array({ minLength: 32, maxLength: 32 })

test('has the same exports', () => {
  expect(Object.keys(browser).sort()).toEqual(Object.keys(node).sort())
  expect(browser.SALT_BYTES).toBe(node.SALT_BYTES)
  expect(browser.generateSalt()).toHaveLength(node.SALT_BYTES)
  expect(browser.generateSalt()).not.toEqual(browser.generateSalt())
})

test('commits to the same, and opens the same', () => {
  fc.assert(
    fc.property(fc.constantFrom('id', 'net'), salt, fields, fc.nat(31), (kind, bytes, given, at) => {
      const commitment = node.computeCommitment(kind, bytes, given)
      expect(browser.computeCommitment(kind, bytes, given)).toBe(commitment)
      expect(browser.isOpening(commitment, kind, bytes, given)).toBe(true)
      expect(browser.isOpening(commitment, kind === 'id' ? 'net' : 'id', bytes, given)).toBe(false)
      const other = Uint8Array.from(bytes, (byte, place) => (place === at ? byte ^ 1 : byte))
      expect(browser.isOpening(commitment, kind, other, given)).toBe(false)
      expect(browser.isOpening(commitment, kind, bytes, { ...given, more: 1 })).toBe(false)
    }),
  )
})

test('refuses the same', () => {
  const good = new Uint8Array(32)
  for (const each of [node, browser]) {
    expect(() => each.computeCommitment('id', good.subarray(1), {})).toThrow(/32 bytes/)
    expect(() => each.computeCommitment('id', good, { a: 0.5 })).toThrow(TypeError)
    expect(() => each.computeCommitment('id', good, { a: '\ud800' })).toThrow(TypeError)
    expect(each.isOpening('', 'net', good.subarray(1), {})).toBe(false)
    expect(each.isOpening('', 'net', good, { a: Number.NaN })).toBe(false)
  }
})
