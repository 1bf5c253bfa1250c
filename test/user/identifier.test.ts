import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseMasterSecret } from '../../src/secret/master-secret.ts'
import { createIdentifierKeys, normalizeIdentifier } from '../../src/user/identifier.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openOwnGate, PASSWORD, SECRET } from '../support/gate.ts'

/** Spellings of one name. */
const SAME: readonly (readonly string[])[] = [
  [
    'anna@example.org',
    'ANNA@Example.ORG',
    ' anna@example.org ',
    '\u3000anna@example.org\u00a0',
    'ａｎｎａ@example.org',
    'anna@example.org.',
    'anna@example．org',
    'anna@example。org',
    'anna@example｡org. ',
  ],
  ['änne', 'ÄNNE', 'a\u0308nne', 'A\u0308nne'],
  ['ﬁnn', 'finn', 'FINN'],
  ['j.smith', 'j.smith.', 'J.Smith..', 'j.smith . '],
  ['Å', 'å', '\u212b'],
]

/** Names that some collation takes for one another. */
const DISTINCT = [
  ...[
    'anna',
    'änna',
    'ana',
    'an na',
    '.anna',
    'an.na',
    'straße',
    'strasse',
    'ñandu',
    'nandu',
    'ø',
    'o',
    'æ',
    'ae',
    'ı',
    'i',
  ],
  ...[
    'anna😀',
    'anna😁',
    'аnna',
    'анна',
    'か',
    'カ',
    'が',
    'ij',
    "an'na",
    'an"na',
    'an\\na',
    'an%na',
    'an_na',
    '💩',
    '一',
  ],
]

describe('the key of a name', () => {
  test('is the same for its spellings', () => {
    for (const spellings of SAME) expect(new Set(spellings.map(normalizeIdentifier)).size).toBe(1)
    expect(new Set(DISTINCT.map(normalizeIdentifier)).size).toBe(DISTINCT.length)
  })

  test('is its own key, and fits into its column', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 12 }), (typed) => {
        let key: string
        try {
          key = normalizeIdentifier(typed)
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_IDENTIFIER_INVALID' })
          return
        }
        expect(key.length).toBeLessThanOrEqual(320)
        expect(normalizeIdentifier(key)).toBe(key)
      }),
      { numRuns: 20_000 },
    )
  })

  test('is refused where it does not fit, also when only its normal form is too long', () => {
    expect(normalizeIdentifier('x'.repeat(320))).toHaveLength(320)
    for (const typed of ['x'.repeat(321), '\ufdfa'.repeat(30), `${'x'.repeat(319)}İ`]) {
      expect(() => normalizeIdentifier(typed)).toThrow()
    }
  })

  test('is a digest in the log, under the version of the secret', () => {
    const one = createIdentifierKeys(parseMasterSecret(SECRET, 'secret'))
    const two = createIdentifierKeys(
      parseMasterSecret(`1:${SECRET},2:${SECRET.split('').reverse().join('')}`, 'secret'),
    )
    const before = one.describe('Anna', 'anna', false)
    const after = two.describe('Anna', 'anna', false)
    expect(before).toEqual({ hmac: expect.stringMatching(/^[\w-]{43}$/), keyVersion: 1 })
    expect(after.keyVersion).toBe(2)
    expect(after.hmac).not.toBe(before.hmac)
    expect(two.digests(' ANNA')).toEqual([before.hmac, after.hmac])
    expect(one.describe(' Anna ', 'anna', true)).toEqual({ ...before, clear: 'Anna' })
  })
})

describe.each(availableEngines)('names on $name', (engine) => {
  test('that differ are different users, and spellings of one are one', async () => {
    const on = await openOwnGate(engine, { throttleAddressFailures: 1000 })
    const ids = new Map<string, string>()
    for (const name of [...DISTINCT, ...SAME.map(([first]) => first!)].filter(
      (name) => !ids.has(normalizeIdentifier(name)),
    )) {
      ids.set(normalizeIdentifier(name), (await on.gate.users.create({ identifier: name, password: PASSWORD })).id)
    }
    for (const name of DISTINCT) {
      const found = await on.gate.users.findByIdentifier(name)
      expect(found?.id, name).toBe(ids.get(normalizeIdentifier(name)))
      expect(found?.identifier).toBe(name)
    }
    for (const spellings of SAME) {
      for (const spelling of spellings) {
        expect((await on.gate.users.findByIdentifier(spelling))?.id, spelling).toBe(
          ids.get(normalizeIdentifier(spelling)),
        )
        expect(await codeOf(on.gate.users.create({ identifier: spelling, password: PASSWORD }))).toBe(
          'ERR_IDENTIFIER_TAKEN',
        )
      }
    }
  })
})
