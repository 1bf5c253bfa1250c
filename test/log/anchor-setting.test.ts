import { describe, expect, test } from 'vitest'
import { GatebookError } from '../../src/errors.ts'
import type { Anchor } from '../../src/log/anchor.ts'
import { ANCHOR_SEPARATOR, type AnchorSpec, parseAnchors } from '../../src/log/anchor-setting.ts'
import { createAnchors } from '../../src/log/anchors/create-anchors.ts'
import { createVerifierKey, formatVerifierKey, generateLogKey, parseVerifierKey } from '../../src/proof/index.ts'

/** Keys of witnesses; one of them has a `+` in its base64 part. */
const [key, other] = [0xfb, 1].map((byte) => {
  return formatVerifierKey(createVerifierKey('witness.example/w1', new Uint8Array(32).fill(byte), 'cosignature'))
}) as [string, string]

function parse(text: string): AnchorSpec {
  return parseAnchors([text])[0] as AnchorSpec
}

function detailOf(items: unknown): string {
  try {
    parseAnchors(items)
  } catch (error) {
    if (error instanceof GatebookError && error.code === 'ERR_OPTION_INVALID') return error.detail ?? ''
    throw error
  }
  return 'nothing was refused'
}

describe('the setting of anchors', () => {
  test('reads each kind', () => {
    expect(key.split('+').length).toBeGreaterThan(3)
    const id = key.split('+')[1]
    expect(parse('file:/var/lib/gatebook/anchors')).toEqual({
      kind: 'file',
      name: 'file:/var/lib/gatebook/anchors',
      path: '/var/lib/gatebook/anchors',
    })
    expect(parse('file:///var/a b')).toMatchObject({
      path: '/var/a b',
      name: expect.stringMatching(/^file:\/var\/a_b~/),
    })
    expect(parse('command:/bin/keep --to=a,b "c d" {size}')).toMatchObject({
      kind: 'command',
      name: expect.stringMatching(/^command:\/bin\/keep~[0-9a-f]{8}$/),
      program: '/bin/keep',
      args: ['--to=a,b', 'c d', '{size}'],
    })
    expect(parse('https://anna:p%40ss@a.example:8443/log/{origin}/{size}?sig=1,2 ')).toMatchObject({
      kind: 'http-put',
      name: expect.stringMatching(/^https:a\.example:8443~[0-9a-f]{8}$/),
      url: 'https://a.example:8443/log/{origin}/{size}?sig=1,2',
      headers: { Authorization: `Basic ${Buffer.from('anna:p@ss').toString('base64')}` },
    })
    expect(parse('https://a.example/{size} token-file=/run/secrets/token')).toMatchObject({
      headers: {},
      tokenFile: '/run/secrets/token',
    })
    expect(parse(`witness:https://w.example/w1 ${key} ${other}`)).toEqual({
      kind: 'witness',
      name: `witness:witness.example/w1+${id}`,
      url: 'https://w.example/w1',
      headers: {},
      keys: [parseVerifierKey(key), parseVerifierKey(other)],
    })
  })

  test('is one text with lines, or with commas that stand before the next one', () => {
    const list = [
      'file:/a,b',
      'command:/bin/keep a, b',
      'https://a.example/{size}?x=1,2',
      `witness:https://w.example ${key}`,
    ]
    for (const between of ['\n', ', ', ',', '\n\n  ', ' \n']) {
      expect(list.join(between).split(ANCHOR_SEPARATOR)).toEqual(list)
    }
  })

  test('gives names that stay, tell anchors apart and have no secret in them', () => {
    const name = (text: string): string => parse(text).name
    expect(name('https://a:one@h.example/{size}')).toBe(name('https://a:two@h.example/{size}'))
    expect(name('https://h.example/a/{size}')).not.toBe(name('https://h.example/b/{size}'))
    expect(name('command:/bin/keep a b')).not.toBe(name('command:/bin/keep "a b"'))
    expect(name('command:/bin/keep --token=s3cret')).not.toContain('s3cret')
    expect(name(`file:/${'a'.repeat(90)}1`)).not.toBe(name(`file:/${'a'.repeat(90)}2`))
    for (const text of ['file:/größe', `file:/${'x'.repeat(300)}`, `https://${'y.'.repeat(100)}example/{size}`]) {
      expect(name(text)).toMatch(/^[\x21-\x7e]{1,64}$/)
    }
  })

  test.each([
    ['', /^anchors: number 1 begins with none of file:, command:, https:, http: and witness:\.$/],
    ['/var/lib/anchors', /begins with none/],
    ['ftp://a.example/{size}', /begins with none/],
    ['file:', /must be file:PATH/],
    ['file://host/path', /must be file:PATH/],
    ['command:keep', /a path that begins at the root/],
    ['command:/bin/keep "a', /a quote that stands alone/],
    ['command:/bin/keep a"b"', /a quote that stands alone/],
    ['https://a.example/log', /needs \{size\} in its URL/],
    ['https://a.example/{size}#x', /without a fragment/],
    ['https:', /must have an http or https URL/],
    ['https://a.example/{size} header=x', /nothing behind its URL but token-file=PATH/],
    ['https://a:s3cret@a.example/{size} token-file=/t', /both a password and a token/],
    ['http://a:s3cret@a.example/{size}', /would send its password without TLS/],
    ['http://a.example/{size} token-file=/t', /would send its token without TLS/],
    ['https://a:s3cret%@a.example/{size}', /a % that begins no character/],
    ['witness:https://w.example', /needs the verifier key/],
    [`witness:${key}`, /must have an http or https URL/],
    [`witness:https://w.example?x=1 ${key}`, /without a query/],
    ['witness:https://w.example w1+00000000+abc', /no verifier key \(form\)/],
    [`witness:https://w.example ${key.replace('w1', 'w2')}`, /no verifier key \(key id\)/],
    [`witness:https://w.example ${generateLogKey('w1').verifierKey}`, /makes no cosignatures/],
  ])('refuses %j', (text, wanted) => {
    expect(detailOf([text])).toMatch(wanted)
    expect(detailOf([text])).not.toContain('s3cret')
  })

  test('refuses the same anchor twice, and what is no list of anchors', () => {
    expect(detailOf(['file:/a', 'file:/b', 'file:/a'])).toBe('anchors: file:/a is there twice.')
    expect(detailOf('file:/a')).toBe('anchors: it must be a list of strings and anchors.')
    expect(detailOf([{ name: 'a' }])).toMatch(/number 1 begins with none/)
    expect(detailOf([{ name: 'a b', put() {} }])).toMatch(/1 to 64 visible ASCII characters/)
  })

  test('takes anchors of the application as they are', () => {
    const own: Anchor = { name: 'own', put: async () => ({}) }
    const anchors = createAnchors({ anchors: parseAnchors(['file:/a', own, `witness:http://w.example ${key}`]) })
    expect(anchors.map(({ name, cosigns }) => [name.split('~')[0], cosigns === true])).toEqual([
      ['file:/a', false],
      ['own', false],
      [`witness:witness.example/w1+${key.split('+')[1]}`, true],
    ])
    expect(anchors[1]).toBe(own)
  })
})
