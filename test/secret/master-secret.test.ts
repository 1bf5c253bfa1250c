import { describe, expect, test } from 'vitest'
import { parseMasterSecret } from '../../src/secret/master-secret.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openOwnGate, SECRET } from '../support/gate.ts'

const OTHER = SECRET.split('').reverse().join('')

describe('a master secret', () => {
  test('is read with and without versions; the highest makes new things', () => {
    expect(parseMasterSecret(SECRET, 'secret')).toMatchObject({ currentVersion: 1, versions: [1] })
    expect(parseMasterSecret(`2:${OTHER}, 1:${SECRET}\n`, 'secret')).toMatchObject({
      currentVersion: 2,
      versions: [1, 2],
    })
    expect(parseMasterSecret(`\n${SECRET}\n`, 'secret').versions).toEqual([1])
  })

  test('gives one key for each purpose and version, and always the same one', () => {
    const both = parseMasterSecret(`1:${SECRET},2:${OTHER}`, 'secret')
    const one = parseMasterSecret(SECRET, 'secret')
    expect(both.deriveKey('refresh-token', 1)).toEqual(one.deriveCurrentKey('refresh-token'))
    expect(both.deriveKey('refresh-token', 3)).toBeNull()
    const keys = (
      [
        'signing-key',
        'refresh-token',
        'device-token',
        'identifier',
        'throttle',
        'writer-mac',
        'row-seal',
        'check',
      ] as const
    )
      .flatMap((label) => [both.deriveKey(label, 1)!, both.deriveKey(label, 2)!])
      .map((key) => key.toString('hex'))
    expect(new Set(keys).size).toBe(16)
    expect(keys.every((key) => key.length === 64)).toBe(true)
  })

  test.each([
    ['ERR_SECRET_MISSING', ''],
    ['ERR_SECRET_MISSING', ' ,\n'],
    ['ERR_SECRET_WEAK', 'too short'],
    ['ERR_SECRET_WEAK', 'a'.repeat(64)],
    ['ERR_SECRET_WEAK', 'secret'.repeat(10)],
    ['ERR_SECRET_WEAK', 'change-me-change-me-change-me-change-me'],
    ['ERR_SECRET_WEAK', '0123456789abcdef0123456789abcdef'],
    ['ERR_SECRET_WEAK', `1:${SECRET},2:short`],
    ['ERR_OPTION_INVALID', `1:${SECRET},1:${OTHER}`],
    ['ERR_OPTION_INVALID', `256:${SECRET}`],
  ])('is refused with %s: %j', (code, text) => {
    try {
      parseMasterSecret(text, 'secret')
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject({ code })
      // The message names the setting and never its value.
      if (text.length > 12) expect(JSON.stringify([error, (error as Error).message])).not.toContain(text)
    }
  })
})

describe.each(availableEngines)('the master secret of a database on $name', (engine) => {
  test('is told apart from any other one at the start', async () => {
    const on = await openOwnGate(engine)
    const { accessToken } = await on.gate.sessions.start(1)
    expect(await codeOf(on.another({ secret: OTHER }))).toBe('ERR_SECRET_MISMATCH')
    expect(await codeOf(on.another({ secret: `2:${OTHER}` }))).toBe('ERR_SECRET_MISMATCH')
    const both = await on.another({ secret: `1:${SECRET},2:${OTHER}` })
    expect(await codeOf(both.tokens.verify(accessToken))).toBe('no error')
    // The signing key is sealed under the first version, so that one is still needed.
    expect(await codeOf(on.another({ secret: `2:${OTHER}` }))).toBe('ERR_SECRET_MISMATCH')
    expect(await codeOf(on.another({ secret: `1:${OTHER},2:${SECRET}` }))).toBe('ERR_SECRET_MISMATCH')
  })
})
