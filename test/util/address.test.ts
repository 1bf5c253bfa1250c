import { isIPv4, isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addressKey,
  addressPrefix,
  isPrivateAddress,
  normalizeAddress,
  parseCidrRange,
} from '../../src/util/address.ts'

test.each([
  ['127.0.0.1', true],
  ['10.1.2.3', true],
  ['172.31.0.1', true],
  ['172.32.0.1', false],
  ['192.168.1.1', true],
  ['100.64.0.1', true],
  ['169.254.1.1', true],
  ['8.8.8.8', false],
  ['::1', true],
  ['fe80::1', true],
  ['fd00::1', true],
  ['2a00:1450::1', false],
  ['::ffff:10.0.0.1', true],
  ['::ffff:8.8.8.8', false],
  ['nonsense', false],
])('%s can be an address of one’s own: %s', (ip, is) => {
  expect(isPrivateAddress(ip)).toBe(is)
})

const ADDRESSES: [typed: string, canonical: string | null, prefix?: string][] = [
  ['192.0.2.1', '192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1', '192.0.2.1'],
  ['::FFFF:C000:0201', '192.0.2.1', '192.0.2.1'],
  ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1', '2001:db8::/64'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1', '2001:db8:0:1::/64'],
  ['::', '::', '::/64'],
  ['::1', '::1', '::/64'],
  ['fe80::1%eth0', 'fe80::1', 'fe80::/64'],
  // Written like an IPv4-mapped address, but it is not one.
  ['::192.0.2.1', '::c000:201', '::/64'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221', '64:ff9b::/64'],
  ['', null],
  ['localhost', null],
  ['192.0.2', null],
  ['192.0.2.256', null],
  ['010.0.0.1', null],
  ['0x7f.0.0.1', null],
  ['2130706433', null],
  ['192.0.2.1:80', null],
  ['192.0.2.1 ', null],
  ['[::1]', null],
  ['::1/128', null],
  ['1:2:3:4:5:6:7', null],
  ['1:2:3:4:5:6:7:8:9', null],
  ['1::2::3', null],
  ['::ffff:010.0.0.1', null],
  ['fe80::1%', null],
  [`::1%${'a'.repeat(80)}`, null],
]

describe('addresses', () => {
  test.each<[string, string | null, string?]>(ADDRESSES)('%j is %j', (typed, canonical, prefix) => {
    expect(normalizeAddress(typed)).toBe(canonical)
    if (canonical === null) expect(() => addressKey(typed)).toThrow(TypeError)
    else expect(addressKey(typed)).toBe(addressKey(canonical))
    expect(addressPrefix(typed)).toBe(prefix ?? typed)
  })

  const groups = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc
      .array(fc.constantFrom('', '0', 'ffff', '1', 'abcd', '12345', '1.2.3.4', '01.2.3.4'), { maxLength: 9 })
      .map((g) => g.join(':')),
  )

  test('are those that node:net takes for addresses, and their canonical form is stable', () => {
    fc.assert(
      fc.property(groups, (typed) => {
        const canonical = normalizeAddress(typed)
        expect(canonical !== null).toBe(isIPv4(typed) || isIPv6(typed))
        if (canonical !== null) expect(normalizeAddress(canonical)).toBe(canonical)
      }),
      { numRuns: 2000 },
    )
  })

  test('sort by their keys as they sort by number', () => {
    const sorted = [
      '::',
      '::1',
      '0.0.0.0',
      '9.255.255.255',
      '10.0.0.0',
      '10.0.0.9',
      '10.0.0.10',
      '64:ff9b::',
      '2001:db8::',
      'ff00::',
    ]
    expect([...sorted].sort((a, b) => (addressKey(a) < addressKey(b) ? -1 : 1))).toEqual(sorted)
    expect(sorted.every((ip) => /^[0-9a-f]{32}$/.test(addressKey(ip)))).toBe(true)
  })
})

describe('ranges', () => {
  test.each([
    ['10.0.0.0/8', '10.0.0.0', '10.255.255.255'],
    ['10.1.2.3/8', '10.0.0.0', '10.255.255.255'],
    ['10.1.2.3/31', '10.1.2.2', '10.1.2.3'],
    ['10.1.2.3', '10.1.2.3', '10.1.2.3'],
    ['0.0.0.0/0', '0.0.0.0', '255.255.255.255'],
    ['::ffff:10.0.0.0/104', '10.0.0.0', '10.255.255.255'],
    ['2001:db8::/33', '2001:db8::', '2001:db8:7fff:ffff:ffff:ffff:ffff:ffff'],
    ['::/0', '::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ])('%s is %s to %s', (typed, low, high) => {
    expect(parseCidrRange(typed)).toEqual({ low: addressKey(low), high: addressKey(high) })
  })

  test.each([
    '',
    '/8',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '::1/129',
    'fe80::1%a/10',
    'x/8',
    '10.0.0/8',
    '10.0.0.0/255.0.0.0',
  ])('%j is none', (typed) => {
    expect(parseCidrRange(typed)).toBeNull()
  })
})
