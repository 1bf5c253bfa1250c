import { expect, test } from 'vitest'
import { parseCanonicalJson } from '../../src/token/canonical-json.ts'
import { Lot } from '../hostile/values.ts'

/** What it is the quicker way to. */
function isCanonical(text: string): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === text
  } catch {
    return false
  }
}

function accepts(text: string): boolean {
  try {
    parseCanonicalJson(text)
    return true
  } catch {
    return false
  }
}

test.each([
  '{}',
  '[]',
  'null',
  '""',
  '{"a":1}',
  '{"a":1,"a":1}',
  '{"a":{"b":1,"b":2}}',
  '{"a":[{"b":1},{"b":1}]}',
  '{"a":[{"b":1,"b":1}]}',
  '{"a":":"}',
  '{":":1,"::":2}',
  '{"a":"\\u0061"}',
  '{"\\u0061":1,"a":2}',
  '{"a":"\\""}',
  '{"a":"\\\\"}',
  '{"__proto__":1,"__proto__":2}',
  '{"__proto__":{"a":1}}',
  '{"a":1.0}',
  '{"a":1.5}',
  '{"a":-0}',
  '{"a":-1}',
  '{"a":1e3}',
  '{"a":1E3}',
  '{"a":1e400}',
  '{"a": 1}',
  ' {}',
  '{}\n',
  '{"a":"é"}',
  '{"a":12345678901234567890}',
  '{"2":1,"1":2}',
  '{"1":1,"2":2}',
  '{"a":123456789012345}',
  '{"a":true,"b":null,"c":false}',
  '{',
  '{"a":1}x',
  '',
])('%s is accepted as what JSON.stringify writes is', (text) => {
  expect(accepts(text)).toBe(isCanonical(text))
})

test('of 20,000 texts that were JSON once, the same ones', () => {
  const lot = new Lot(7)
  const value = (depth: number): unknown => {
    switch (lot.below(depth > 3 ? 4 : 6)) {
      case 0:
        return lot.below(1000)
      case 1:
        return lot.pick(['a', 'a:b', '{', '"', '', 'é', 'a b'])
      case 2:
        return lot.pick([true, false, null])
      case 3:
        return lot.pick([1.5, -1, 1e21, 0])
      case 4:
        return Array.from({ length: lot.below(4) }, () => value(depth + 1))
      default:
        return Object.fromEntries(
          Array.from({ length: lot.below(4) }, () => [lot.pick(['a', 'b', ':', 'x"y', '1', '2b']), value(depth + 1)]),
        )
    }
  }
  let accepted = 0
  for (let count = 0; count < 20_000; count++) {
    let text = JSON.stringify(value(0))
    for (let changes = lot.below(3); changes > 0; changes--) {
      const at = lot.below(text.length + 1)
      const piece = lot.pick([
        '"a":1,',
        ',"a":1',
        ' ',
        '0',
        '.0',
        'e1',
        '\\',
        '"',
        ':',
        '-',
        '{}',
        '[]',
        text.slice(1, at),
      ])
      text = text.slice(0, at) + piece + text.slice(at)
    }
    const wanted = isCanonical(text)
    if (wanted) accepted += 1
    expect(accepts(text), text).toBe(wanted)
  }
  expect(accepted).toBeGreaterThan(2000)
})
