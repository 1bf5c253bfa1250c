import { describe, expect, test } from 'vitest'
import { normalizeIdentifier } from '../../src/user/identifier.ts'
import { skeletonOf } from '../../src/user/skeleton.ts'

const looksLike = (one: string, other: string): boolean =>
  skeletonOf(normalizeIdentifier(one)) === skeletonOf(normalizeIdentifier(other))

/** The kinds of Unicode UTS 39, section 4: within one script, across scripts, and of a whole script. */
describe('names that can be taken for each other', () => {
  test.each([
    ['a digit for a letter', 'paypa1@example.org', 'paypal@example.org'],
    ['two letters for one', 'rnike@example.org', 'mike@example.org'],
    ['one Cyrillic letter', 'ann\u0430@example.org', 'anna@example.org'],
    ['Cyrillic throughout', '\u0441\u0430\u0440\u0435', 'cape'],
    ['Greek omicron', 'r\u03bfot', 'root'],
    ['Armenian', '\u0570ello', 'hello'],
    ['in the domain', 'anna@ex\u0430mple.org', 'anna@example.org'],
    ['decomposed and precomposed', 'zo\u00eb', 'zoe\u0308'],
  ])('%s: %s and %s', (_, one, other) => {
    expect(looksLike(one, other)).toBe(true)
  })

  test.each([
    ['anna@example.org', 'hanna@example.org'],
    ['anna@example.org', 'anna@example.com'],
    ['김민지', '김민자'],
    ['田中', '由中'],
    ['user-10', 'user-12'],
  ])('but not %s and %s', (one, other) => {
    expect(looksLike(one, other)).toBe(false)
  })

  test('are not normalised into each other: they are two users', () => {
    expect(normalizeIdentifier('ann\u0430')).not.toBe(normalizeIdentifier('anna'))
  })
})
