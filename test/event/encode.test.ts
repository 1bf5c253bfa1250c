import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeCanonical } from '../../src/event/canonical.ts'
import { EVENT_TYPES, findEventType } from '../../src/event/catalogue.ts'
import { computeCommitment, generateSalt } from '../../src/event/commitment.ts'
import { findDifference } from '../../src/event/compare-columns.ts'
import { committedFields, encodeEvent } from '../../src/event/encode.ts'
import type { NewEvent } from '../../src/event/event.ts'
import { parseLeaf } from '../../src/event/parse-leaf.ts'
import { CAPS, cleanText, maskEmail } from '../../src/event/redact.ts'
import { computeStateDigest, type RowStates, type StateKind } from '../../src/event/state.ts'
import { generateId } from '../../src/util/id.ts'
import { parseCanonical } from './verify-entry.ts'

const AT = 1_800_000_000_000
const encode = (event: NewEvent) => encodeEvent(event, generateId('event', AT), AT)

const LOGIN: NewEvent = {
  type: 'login.succeeded',
  outcome: 'success',
  actor: { kind: 'user', id: 'usr_1' },
  subject: 'usr_1',
  state: { session: { session: 'ses_1' }, rotation: { counter: 0 } },
}
const APP: NewEvent = { type: 'app.x', outcome: 'success', actor: { kind: 'application' } }

/** Text of every sort: control characters, broken surrogates, emoji. */
const anyText = fc.string({ unit: 'binary', maxLength: 700 })

describe('an event as a leaf', () => {
  test('is canonical, commits to the columns, and holds nothing personal', () => {
    const marked = (mark: string) => anyText.map((text) => `${mark}${text}`)
    const events = fc.record({
      subject: marked('SUBJECT'),
      identifier: marked('IDENTIFIER'),
      mask: marked('MASK'),
      actor: marked('ACTOR'),
      userAgent: marked('AGENT'),
      device: fc.constant('dev_01k00000000000000000000000'),
      request: anyText,
      trace: anyText,
      text: anyText,
      list: fc.array(anyText, { maxLength: 3 }),
      number: fc.maxSafeInteger(),
      flag: fc.boolean(),
    })
    fc.assert(
      fc.property(events, (given) => {
        const { columns, leaf } = encode({
          ...APP,
          actor: { kind: 'user', id: given.actor },
          subject: given.subject,
          identifier: { clear: given.identifier, mask: given.mask, hmac: 'HMAC', keyVersion: 7 },
          network: { ip: '198.51.100.77', ipSource: 'socket', userAgent: given.userAgent, deviceId: given.device },
          requestId: given.request,
          traceId: given.trace,
          data: { text: given.text, list: given.list, number: given.number, flag: given.flag },
        })
        const content = parseCanonical(leaf)
        expect(content).not.toBeNull()
        expect(findDifference(parseLeaf(leaf), columns)).toBeNull()
        const commit = content!.commit as Record<string, string>
        const fields = committedFields(columns)
        for (const [kind, salt] of [['id', columns.salt_id] as const, ['net', columns.salt_net] as const]) {
          expect(computeCommitment(kind, salt, fields[kind])).toBe(commit[kind])
        }
        const text = Buffer.from(leaf).toString()
        expect(text).not.toMatch(/SUBJECT|IDENTIFIER|MASK|ACTOR|AGENT|HMAC|198\.51|dev_/)
        expect(content).toMatchObject({
          id: columns.id,
          type: 'app.x',
          outcome: 'success',
          at: AT,
          actor: 'user',
          v: 1,
        })
        expect(JSON.parse(columns.data!)).toEqual(content!.data)
      }),
      { numRuns: 200 },
    )
  })

  test('has a salt of its own for each class, and never the same one twice', () => {
    const salts = Array.from({ length: 1000 }, () => encode(LOGIN).columns).flatMap(
      ({ salt_id: id, salt_net: net }) => [id, net],
    )
    expect(new Set(salts.map((salt) => Buffer.from(salt).toString('hex'))).size).toBe(2000)
    // What is handed out is not a view into a buffer that goes on being used.
    const salt = generateSalt()
    const copy = Buffer.from(salt)
    for (let count = 0; count < 1000; count++) generateSalt()
    expect(Buffer.from(salt).equals(copy)).toBe(true)
  })

  test('is refused when the catalogue does not have it', () => {
    const wrong: readonly Partial<Record<keyof NewEvent, unknown>>[] = [
      { type: 'login.succeded' },
      { type: 'toString' },
      { type: '__proto__' },
      { type: 'app.' },
      { type: `app.${'x'.repeat(61)}` },
      { outcome: 'failure' },
      { reason: 'wrong-password' },
      { data: { unknown: 1 } },
      { data: { rehashed: 'yes' } },
      { data: { rehashed: 1 } },
    ]
    for (const change of wrong) expect(() => encode({ ...LOGIN, ...change } as NewEvent)).toThrow(TypeError)
    const { state: _state, ...withoutRows } = LOGIN
    const withoutReason = { ...withoutRows, type: 'login.failed', outcome: 'failure' } as const
    expect(() => encode(withoutReason)).toThrow(TypeError)
    expect(() => encode({ ...withoutReason, reason: 'because' })).toThrow(TypeError)
    encode({ ...withoutReason, reason: 'wrong-password' })
  })

  test('holds a salted digest of each row that came with it, and nothing of the row', () => {
    const credential = { user: 'USER', password_hash: 'HASH' }
    const { columns, leaf } = encode({ ...LOGIN, state: { ...LOGIN.state!, credential } })
    const { state } = parseLeaf(leaf)
    expect(Object.keys(state).sort()).toEqual(['credential', 'rotation', 'session'])
    for (const [kind, fields] of Object.entries({ ...LOGIN.state, credential })) {
      const digest = computeStateDigest(kind as StateKind, columns.salt_id, fields)
      expect(state[kind as StateKind]).toBe(digest)
    }
    expect(Buffer.from(leaf).toString()).not.toMatch(/USER|HASH|ses_1/)
    expect(Object.keys(columns)).not.toContain('state')
  })

  test('is refused without the rows that the catalogue asks for, or with others', () => {
    const { session, rotation } = LOGIN.state!
    const key = { key: 'key_1' }
    for (const state of [undefined, {}, { session: session! }, { ...LOGIN.state, key }] as RowStates[]) {
      expect(() => encode({ ...LOGIN, state })).toThrow(TypeError)
    }
    expect(() => encode({ ...APP, state: { rotation: rotation! } })).toThrow(TypeError)
    expect(() => encode({ ...LOGIN, state: { ...LOGIN.state, credential: { user: '\ud800' } } })).toThrow(TypeError)
  })

  test('is refused when its data do not fit', () => {
    const list = Array.from({ length: 100 }, () => 'x'.repeat(60))
    expect(() => encode({ ...APP, data: { list } })).toThrow(TypeError)
    // In bytes the limit of the leaf is another one than in characters.
    const wide = Array.from({ length: 15 }, () => '字'.repeat(256))
    expect(encode({ ...APP, data: { wide: wide.slice(0, 9) } }).leaf.length).toBeLessThanOrEqual(8192)
    expect(() => encode({ ...APP, data: { wide } })).toThrow(TypeError)
  })

  test('cuts what is too long, and leaves the rest of the event alone', () => {
    const { columns } = encode({ ...LOGIN, subject: 'x'.repeat(500), requestId: '😀'.repeat(100) })
    expect(columns.subject_id).toHaveLength(CAPS.subject)
    expect(columns.request_id).toBe('😀'.repeat(64))
  })
})

describe('the catalogue', () => {
  test('has one row per type, with names that other vocabularies know', () => {
    for (const [name, row] of Object.entries(EVENT_TYPES)) {
      expect(findEventType(name)).toBe(row)
      expect(name).toMatch(/^[a-z]+(\.[a-z]+(-[a-z]+)*)$/)
      expect(row.outcomes.length).toBeGreaterThan(0)
      for (const reason of row.reasons) expect(reason).toMatch(/^[a-z]+(-[a-z]+)*$/)
    }
  })
})

describe('canonical bytes', () => {
  test('are those of JSON with sorted members', () => {
    const bytes = encodeCanonical({ b: [1, 'x', true], a: { 'z.y': '"\\\u0007é😀' }, none: undefined })
    expect(Buffer.from(bytes).toString()).toBe('{"a":{"z.y":"\\"\\\\\\u0007é😀"},"b":[1,"x",true]}')
  })

  test.each([
    1.5,
    2 ** 53,
    Number.NaN,
    Infinity,
    '\ud800',
    null,
    { A: 1 },
    { 'a b': 1 },
    { '': 1 },
    [undefined],
    () => 1,
  ])('are not made of %s', (value) => {
    expect(() => encodeCanonical(value as never)).toThrow(TypeError)
  })
})

describe('text', () => {
  test('is cut between characters and loses what terminals act on', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 0, max: 20 }), (text, cap) => {
        const clean = cleanText(text, cap)
        expect(clean.length).toBeLessThanOrEqual(cap)
        expect(clean.isWellFormed()).toBe(true)
        expect(clean).not.toMatch(/\p{Cc}|[\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/u)
        expect(cleanText(clean, cap)).toBe(clean)
      }),
    )
  })

  test.each([
    ['anna@mail.example.org', 'a***@m***.org'],
    ['a@b.cd', 'a***@b***.cd'],
    ['😀x@example.co.uk', '😀***@e***.uk'],
    ['hunter2', undefined],
    ['hunter2@home', undefined],
    ['a b@example.org', undefined],
    ['@example.org', undefined],
    [`${'x'.repeat(65)}@example.org`, undefined],
  ])('%s is masked as %s', (typed, masked) => {
    expect(maskEmail(typed)).toBe(masked)
  })
})
