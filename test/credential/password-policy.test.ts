import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createArgon2idHasher } from '../../src/credential/hashers/argon2id.ts'
import { createPasswordPolicy, type PasswordPolicy } from '../../src/credential/password-policy.ts'
import { type ErrorCode, GatebookError, isGatebookError } from '../../src/errors.ts'

const COMMON = new Set(['correcthorsebattery', 'contraseña-común-2020', 'i\u0307stanbuli\u0307stanbul'])
const policy = createPasswordPolicy({ commonPasswords: COMMON })
const short = createPasswordPolicy({ minLength: 8, commonPasswords: COMMON })

function outcome(of: PasswordPolicy, password: string, identifier?: string): ErrorCode | 'accepted' {
  try {
    of.check(password, identifier)
    return 'accepted'
  } catch (error) {
    if (error instanceof GatebookError) return error.code
    throw error
  }
}

const nfc = (text: string): string => text.normalize('NFC')
const nfd = (text: string): string => text.normalize('NFD')

describe('check', () => {
  test.each<[string, string, string | undefined, ErrorCode | 'accepted']>([
    ['15 characters', 'quiet otter 42!', undefined, 'accepted'],
    ['15 of one letter: there are no composition rules', 'a'.repeat(15), undefined, 'accepted'],
    ['15 digits', '908134762251904', undefined, 'accepted'],
    ['14 characters', 'quiet otter 42', undefined, 'ERR_PASSWORD_TOO_SHORT'],
    ['nothing', '', undefined, 'ERR_PASSWORD_TOO_SHORT'],
    ['spaces, which count like anything else', ' '.repeat(15), undefined, 'accepted'],
    ['14 characters and a space at the end', 'quiet otter 42 ', undefined, 'accepted'],
    ['15 code points in 30 UTF-16 units', '🦦'.repeat(15), undefined, 'accepted'],
    ['14 code points in 28 UTF-16 units', '🦦'.repeat(14), undefined, 'ERR_PASSWORD_TOO_SHORT'],
    ['14 letters that take 28 code points before NFC', nfd('é'.repeat(14)), undefined, 'ERR_PASSWORD_TOO_SHORT'],
    ['256 characters', 'a'.repeat(256), undefined, 'accepted'],
    ['257 characters', 'a'.repeat(257), undefined, 'ERR_PASSWORD_TOO_LONG'],
    ['256 code points in 512 UTF-16 units', '🦦'.repeat(256), undefined, 'accepted'],
    ['257 code points in 514 UTF-16 units', '🦦'.repeat(257), undefined, 'ERR_PASSWORD_TOO_LONG'],
    ['256 letters that take 1,024 code points before NFC', nfd('ᾂ'.repeat(256)), undefined, 'accepted'],
    ['257 letters that take 1,028 code points before NFC', nfd('ᾂ'.repeat(257)), undefined, 'ERR_PASSWORD_TOO_LONG'],
    ['10,000 characters', 'a'.repeat(10_000), undefined, 'ERR_PASSWORD_TOO_LONG'],
    ['a high surrogate alone', 'quiet otter 42!\ud83e', undefined, 'ERR_PASSWORD_MALFORMED'],
    ['a low surrogate alone', '\udda6quiet otter 42!', undefined, 'ERR_PASSWORD_MALFORMED'],
    ['a pair the wrong way round', 'quiet \udda6\ud83e otter 42!', undefined, 'ERR_PASSWORD_MALFORMED'],
    ['a NUL', 'quiet otter\0 42!', undefined, 'ERR_PASSWORD_MALFORMED'],
    ['a tab and other controls', 'quiet\totter\u0001\n 42!', undefined, 'accepted'],
    ['a common password', 'correcthorsebattery', undefined, 'ERR_PASSWORD_COMMON'],
    ['a common password in capitals', 'CorrectHorseBATTERY', undefined, 'ERR_PASSWORD_COMMON'],
    ['a common password in NFD and capitals', nfd('CONTRASEÑA-COMÚN-2020'), undefined, 'ERR_PASSWORD_COMMON'],
    ['a common password that lower-casing decomposes', 'İSTANBULİSTANBUL', undefined, 'ERR_PASSWORD_COMMON'],
    ['a common password with a tail: the whole is compared', 'correcthorsebattery1', undefined, 'accepted'],
    ['a common password with a space before it', ' correcthorsebattery', undefined, 'accepted'],
    ['the identifier', 'ada@example.test', 'ada@example.test', 'ERR_PASSWORD_MATCHES_IDENTIFIER'],
    ['the identifier in other case', 'ADA@Example.Test', 'ada@example.test', 'ERR_PASSWORD_MATCHES_IDENTIFIER'],
    ['the identifier in NFD', nfd('josé@example.test'), nfc('josé@example.test'), 'ERR_PASSWORD_MATCHES_IDENTIFIER'],
    ['its local part', 'ada.king.lovelace', 'Ada.King.Lovelace@x.test', 'ERR_PASSWORD_MATCHES_IDENTIFIER'],
    ['an identifier that is no address', 'ada-king-lovelace', 'ada-king-lovelace', 'ERR_PASSWORD_MATCHES_IDENTIFIER'],
    ['the domain of the identifier', 'lovelace.example.test', 'ada@lovelace.example.test', 'accepted'],
    ['more than the identifier', 'ada@example.test!', 'ada@example.test', 'accepted'],
    ['any password beside an identifier without local part', 'quiet otter 42!', '@example.test', 'accepted'],
  ])('%s', (_name, password, identifier, expected) => {
    expect(outcome(policy, password, identifier)).toBe(expected)
  })

  test('the errors carry the bound that was missed', () => {
    expect(() => policy.check('short')).toThrow(expect.objectContaining({ members: { minimum: 15 } }))
    expect(() => short.check('short')).toThrow(expect.objectContaining({ members: { minimum: 8 } }))
    expect(() => policy.check('a'.repeat(257))).toThrow(expect.objectContaining({ members: { maximum: 256 } }))
  })

  test('a lower minimum is an option', () => {
    expect(outcome(short, 'otter 42')).toBe('accepted')
    expect(outcome(short, 'otter 4')).toBe('ERR_PASSWORD_TOO_SHORT')
  })

  test('a higher maximum is an option', () => {
    const roomy = createPasswordPolicy({ maxLength: 1024, commonPasswords: COMMON })
    expect(outcome(roomy, 'a'.repeat(1024))).toBe('accepted')
    expect(outcome(roomy, 'a'.repeat(1025))).toBe('ERR_PASSWORD_TOO_LONG')
  })

  test('no error repeats the password', () => {
    for (const password of ['hunter2', 'correcthorsebattery', `hunter2\0${'x'.repeat(15)}`, 'hunter2'.repeat(99)]) {
      try {
        policy.check(password)
        expect.unreachable()
      } catch (error) {
        expect(JSON.stringify([error, (error as Error).message, (error as GatebookError).detail])).not.toContain(
          password.slice(0, 7),
        )
      }
    }
  })
})

describe('normalize', () => {
  test('makes the same password out of NFC and NFD, to the last byte', async () => {
    const hasher = createArgon2idHasher({ memoryKib: 64, iterations: 1 })
    const composed = nfc('Crème brûlée à Zürich')
    const decomposed = nfd(composed)
    expect(composed).not.toBe(decomposed)
    const made = await hasher.hash(policy.normalize(decomposed))
    expect(await hasher.verify(made, policy.normalize(composed))).toBe(true)
    // And it is the policy, not the hasher, that does it.
    expect(await hasher.verify(made, decomposed)).toBe(false)
  })

  test('is NFC and not NFKC: compatible characters stay apart', () => {
    expect(policy.normalize('ﬁve ① ｗｉｄｅ')).toBe('ﬁve ① ｗｉｄｅ')
  })

  test('trims, folds and truncates nothing', () => {
    const password = `  \t${'Aa '.repeat(100_000)}\n `
    expect(policy.normalize(password)).toBe(password)
  })
})

describe('isAcceptableForVerification', () => {
  test.each<[string, string, boolean]>([
    ['what is too short to be chosen', '', true],
    ['what is too common to be chosen', 'correcthorsebattery', true],
    ['256 characters', 'a'.repeat(256), true],
    ['256 code points before NFC is applied', nfd('ᾂ'.repeat(256)), true],
    ['257 characters', 'a'.repeat(257), false],
    ['a megabyte', 'a'.repeat(1_000_000), false],
    // Normalising this one takes minutes: it is refused without.
    ['a megabyte of combining marks out of order', '\u0301\u0316'.repeat(500_000), false],
    ['a lone surrogate', 'quiet otter 42!\ud83e', false],
    ['a NUL', 'quiet otter\0 42!', false],
  ])('%s', (_name, password, expected) => {
    expect(policy.isAcceptableForVerification(password)).toBe(expected)
  })

  test('accepts whatever may be chosen, in any normalisation form', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 200, maxLength: 300 }), (password) => {
        fc.pre(outcome(policy, password) === 'accepted')
        for (const form of [password, nfc(password), nfd(password)]) {
          expect(policy.isAcceptableForVerification(form)).toBe(true)
        }
      }),
    )
  })

  test('may refuse by length before normalising: no code point in NFC decomposes into more than 4', () => {
    let most = 0
    for (let point = 0; point <= 0x10ffff; point += 1) {
      most = Math.max(most, [...String.fromCodePoint(point).normalize('NFD')].length)
    }
    expect(most).toBe(4)
  })
})

test.each([
  { minLength: 7 },
  { minLength: 65 },
  { minLength: 8.5 },
  { maxLength: 255 },
  { maxLength: 1025 },
  { maxLength: Number.NaN },
])('refuses %o as options', (options) => {
  expect(() => createPasswordPolicy({ ...options, commonPasswords: COMMON })).toThrow(
    expect.toSatisfy((error) => isGatebookError(error, 'ERR_OPTION_INVALID')),
  )
})
