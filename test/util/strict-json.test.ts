import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseStrictJson } from '../../src/util/strict-json.ts'

describe('parseStrictJson', () => {
  test('reads whatever JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        let strict: unknown
        try {
          strict = parseStrictJson(text)
        } catch (error) {
          // fc.json never repeats a name.
          throw new Error(`${text}: ${error}`)
        }
        expect(strict).toEqual(JSON.parse(text))
      }),
    )
  })

  test.each([
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{"a":{"b":1,"c":[{"d":1,"d":1}]}}',
    '[{"x":"}","x":"{"}]',
    '{"a":"\\\\","a":1}',
    '{"__proto__":1,"__proto__":2}',
    '{"a":[],"b":{},"a":null}',
  ])('refuses %s', (text) => {
    expect(() => parseStrictJson(text)).toThrow('two members of one name')
  })

  test.each([
    '{"a":"a","b":"a"}',
    '[{"a":1},{"a":1}]',
    '{"a":{"a":{"a":1}}}',
    '{"a":"\\"a\\":1,","b":["a","a"]}',
    '"a"',
    '[]',
  ])('takes %s', (text) => {
    expect(parseStrictJson(text)).toEqual(JSON.parse(text))
  })

  test.each(['', '{', '{"a":1,}', '{a:1}', 'undefined', "{'a':1}"])('tells nothing of %j', (text) => {
    expect(() => parseStrictJson(text)).toThrow(new SyntaxError('not valid JSON'))
  })
})
