import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EVENT_TYPES } from '../../src/event/catalogue.ts'
import { formatQuery } from '../../src/query/format-query.ts'
import { OPERATOR_NAMES, OPERATORS } from '../../src/query/operators.ts'
import { parseQuery, QUERY_MAX_LENGTH } from '../../src/query/parse-query.ts'
import { QueryError } from '../../src/query/query-error.ts'
import type { QueryTerm } from '../../src/query/query-term.ts'
import { splitTerms } from '../../src/query/split-terms.ts'
import { loadedBy } from '../support/loaded-by.ts'

const NOW = Date.UTC(2025, 10, 24, 12)
const SESSION = 'ses_01m8bzjdxxm4aj5wey65bkyydt'
const options = { now: NOW, timeZone: 'UTC' }
const filterOf = (text: string) => parseQuery(text, options).filter

function errorOf(text: string): QueryError {
  try {
    parseQuery(text, options)
  } catch (error) {
    if (error instanceof QueryError) return error
    throw error
  }
  throw new Error(`accepted: ${text}`)
}

describe('a query', () => {
  test.each([
    ['', {}],
    ['  ', {}],
    ['type:login.failed', { type: 'login.failed' }],
    ['type:session.*,app.order.*,app.x', { type: ['session.*', 'app.order.*', 'app.x'] }],
    ['outcome:failure,denied', { outcome: ['failure', 'denied'] }],
    ['outcome:failure,failure', { outcome: 'failure' }],
    ['user:42', { user: '42' }],
    ['USER:42', { user: '42' }],
    ['identifier:"anna maria"', { identifier: 'anna maria' }],
    ['identifier:"anna, maria",bert', { identifier: ['anna, maria', 'bert'] }],
    ['identifier:"say \\"a\\\\b\\" or \\c"', { identifier: 'say "a\\b" or \\c' }],
    ['identifier:CORP\\anna', { identifier: 'CORP\\anna' }],
    ['ip:203.0.113.0/24', { ip: '203.0.113.0/24' }],
    ['ip:2001:db8::1', { ip: '2001:db8::1' }],
    [`request:a:b session:${SESSION}`, { request: 'a:b', session: SESSION }],
    ['-reason:throttled', { not: { reason: 'throttled' } }],
    ['-reason:throttled -reason:disabled,flood', { not: { reason: ['throttled', 'disabled', 'flood'] } }],
    ['type:login.* -type:login.failed', { type: 'login.*', not: { type: 'login.failed' } }],
    ['since:24h until:15m', { from: NOW - 86_400_000, to: NOW - 900_000 }],
    ['since:2025-11-24T08:00+01:00', { from: Date.UTC(2025, 10, 24, 7) }],
    ['until:"2025-11-24 08:00"', { to: Date.UTC(2025, 10, 24, 8) }],
    [
      'user:42 outcome:failure ip:203.0.113.0/24 -reason:throttled since:24h',
      { user: '42', outcome: 'failure', ip: '203.0.113.0/24', not: { reason: 'throttled' }, from: NOW - 86_400_000 },
    ],
    // Without an operator.
    ['203.0.113.7', { ip: '203.0.113.7' }],
    ['fe80::1,::1', { ip: ['fe80::1', '::1'] }],
    ['-abcd:ef01::/32', { not: { ip: 'abcd:ef01::/32' } }],
    ['anna@example.org', { identifier: 'anna@example.org' }],
    [SESSION, { session: SESSION }],
    ['usr_01m8bzjdxxm4aj5wey65bkyydt', { user: 'usr_01m8bzjdxxm4aj5wey65bkyydt' }],
    ['evt_01m8bzjdxxm4aj5wey65bkyydt', { event: 'evt_01m8bzjdxxm4aj5wey65bkyydt' }],
  ])('%j', (text, filter) => {
    expect(filterOf(text)).toEqual(filter)
  })

  test('has its terms with their places', () => {
    expect(parseQuery(' -reason:throttled  "anna maria@x",b@x', options).terms).toEqual([
      { operator: 'reason', negated: true, values: ['throttled'], start: 1, end: 18 },
      { operator: 'identifier', negated: false, values: ['anna maria@x', 'b@x'], start: 20, end: 38 },
    ])
  })

  test.each([
    ['outcom:failure', 'ERR_QUERY_OPERATOR', 1, 'Did you mean outcome?'],
    ['user:1 -from:24h', 'ERR_QUERY_OPERATOR', 9, 'Did you mean since?'],
    ['constructor:1', 'ERR_QUERY_OPERATOR', 1, 'Operators are type, outcome'],
    ['user:1 outcome:failure,denid', 'ERR_QUERY_VALUE', 24, 'Did you mean denied?'],
    ['type:login.faild', 'ERR_QUERY_VALUE', 6, 'Did you mean login.failed?'],
    ['type:constructor', 'ERR_QUERY_VALUE', 6, 'It takes an event type'],
    ['type:nothing.*', 'ERR_QUERY_VALUE', 6, ''],
    ['reason:wrong-pasword', 'ERR_QUERY_VALUE', 8, 'Did you mean wrong-password?'],
    ['ip:10.0.0.0/33', 'ERR_QUERY_VALUE', 4, 'It takes an address or a CIDR.'],
    ['session:ses_1', 'ERR_QUERY_VALUE', 9, 'It takes a session id.'],
    ['ses_1', 'ERR_QUERY_VALUE', 1, 'It takes a session id.'],
    ['identifier:"a\u0000b"', 'ERR_QUERY_VALUE', 12, ''],
    ['since:yesterday', 'ERR_QUERY_VALUE', 7, 'It takes a time such as 15m'],
    ['since:2025-02-30', 'ERR_QUERY_VALUE', 7, ''],
    ['since:1h,2h', 'ERR_QUERY_VALUE', 10, 'It takes one time.'],
    ['user:', 'ERR_QUERY_VALUE_MISSING', 6, 'a user id'],
    ['user: 42', 'ERR_QUERY_VALUE_MISSING', 6, 'without a blank between'],
    ['user:1,,2', 'ERR_QUERY_VALUE_MISSING', 8, ''],
    ['user:1,', 'ERR_QUERY_VALUE_MISSING', 8, ''],
    ['identifier:" "', 'ERR_QUERY_VALUE_MISSING', 12, ''],
    ['-', 'ERR_QUERY_VALUE_MISSING', 2, 'such as outcome:failure'],
    ['identifier:"anna', 'ERR_QUERY_QUOTE', 12, 'around a whole value'],
    ['identifier:"anna\\"', 'ERR_QUERY_QUOTE', 12, ''],
    ['identifier:an"na"', 'ERR_QUERY_QUOTE', 12, ''],
    ['identifier:"anna"b', 'ERR_QUERY_QUOTE', 12, ''],
    ['user:1 -since:1h', 'ERR_QUERY_NEGATION', 8, 'Write until: instead.'],
    ['since:1h user:1 since:1h', 'ERR_QUERY_TWICE', 17, 'Leave one since: out.'],
    ['outcome:failure outcome:denied', 'ERR_QUERY_TWICE', 17, 'outcome:…,…'],
    ['since:1h until:2h', 'ERR_QUERY_CONTRADICTION', 10, 'until: has to be later than since:.'],
    ['until:1h since:1h', 'ERR_QUERY_CONTRADICTION', 10, ''],
    ['outcome:failure -outcome:failure,denied', 'ERR_QUERY_CONTRADICTION', 17, 'outcome:'],
    ['-type:login.* type:login.failed', 'ERR_QUERY_CONTRADICTION', 15, ''],
    ['type:app.order.* -type:app.*', 'ERR_QUERY_CONTRADICTION', 18, ''],
    ['ip:10.1.0.0/16 -ip:10.0.0.0/8', 'ERR_QUERY_CONTRADICTION', 16, ''],
    ['failure', 'ERR_QUERY_TERM', 1, 'Write outcome:failure.'],
    ['identifier:anna maria', 'ERR_QUERY_TERM', 17, 'in quotes'],
    ['login.faild', 'ERR_QUERY_TERM', 1, 'Did you mean type:login.failed?'],
    ['10.0.0.1,anna@example.org', 'ERR_QUERY_TERM', 10, 'a blank instead of the comma'],
    [`user:${'1,'.repeat(100)}1`, 'ERR_QUERY_VALUE', 206, 'It takes 100 values at most.'],
    [' '.repeat(QUERY_MAX_LENGTH + 1), 'ERR_QUERY_LENGTH', QUERY_MAX_LENGTH + 1, ''],
  ] as const)('%j is refused with its place: %s', (text, code, column, hint) => {
    const error = errorOf(text)
    expect([error.code, error.column]).toEqual([code, column])
    expect(error.hint).toContain(hint)
    expect(error.hint).not.toBe('')
  })

  test('takes times without an offset in the zone that it is given, on both sides of a change of clocks', () => {
    const at = (text: string, timeZone: string) => parseQuery(`since:${text}`, { now: NOW, timeZone }).filter.from
    expect(at('2025-11-24', 'Asia/Seoul')).toBe(Date.UTC(2025, 10, 23, 15))
    expect(at('2025-07-01T00:00', 'Europe/Berlin')).toBe(Date.UTC(2025, 5, 30, 22))
    expect(at('2025-03-30T01:59', 'Europe/Berlin')).toBe(Date.UTC(2025, 2, 30, 0, 59))
    expect(at('2025-03-30T03:00', 'Europe/Berlin')).toBe(Date.UTC(2025, 2, 30, 1))
    expect(at('2025-10-26T04:00:00.5', 'Europe/Berlin')).toBe(Date.UTC(2025, 9, 26, 3, 0, 0, 500))
    expect(at('2025-11-24T08:00Z', 'America/New_York')).toBe(Date.UTC(2025, 10, 24, 8))
  })

  test('every operator accepts its example, and what it offers', () => {
    for (const [name, { example, known, accepts }] of Object.entries(OPERATORS)) {
      expect(parseQuery(example, options).terms.map(({ operator }) => operator)).toEqual([name])
      expect(known.filter((value) => !accepts(value))).toEqual([])
    }
    expect(OPERATORS.type.known).toEqual(expect.arrayContaining(Object.keys(EVENT_TYPES)))
  })
})

describe('formatting', () => {
  const typed = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  const odd = fc.string({ unit: fc.constantFrom('a', ' ', '"', '\\', ',', ':', '-', '\n'), minLength: 1, maxLength: 9 })
  const values = (operator: keyof typeof OPERATORS) =>
    fc
      .oneof(...(OPERATORS[operator].known.length > 0 ? [fc.constantFrom(...OPERATORS[operator].known)] : [typed, odd]))
      .filter((value) => value.trim() !== '' && OPERATORS[operator].accepts(value))
  const terms = fc
    .uniqueArray(fc.constantFrom('type', 'outcome', 'reason', 'user', 'identifier', 'request', 'since' as const))
    .chain((operators) =>
      fc.tuple(
        ...operators.map((operator) =>
          fc.record({
            operator: fc.constant(operator),
            negated: operator === 'since' ? fc.constant(false) : fc.boolean(),
            values: fc.array(values(operator), { minLength: 1, maxLength: operator === 'since' ? 1 : 4 }),
          }),
        ),
      ),
    ) as fc.Arbitrary<QueryTerm[]>

  test('is the inverse of parsing', () => {
    fc.assert(
      fc.property(terms, (wanted) => {
        const parsed = parseQuery(formatQuery(wanted), options).terms
        expect(parsed.map(({ operator, negated, values }) => ({ operator, negated, values }))).toEqual(wanted)
      }),
      { numRuns: 1000 },
    )
  })

  test('of what was typed means the same', () => {
    const text = ' -REASON:throttled  203.0.113.7 identifier:"anna" since:24h'
    const formatted = formatQuery(parseQuery(text, options).terms)
    expect(formatted).toBe('-reason:throttled ip:203.0.113.7 identifier:anna since:24h')
    expect(filterOf(formatted)).toEqual(filterOf(text))
  })
})

test('any text is parsed or refused at a place of it, in time that does not grow with its square', () => {
  const words = fc.constantFrom(...OPERATOR_NAMES.map((name) => `${name}:`), '-', '"', '\\', ',', ' ', '::', '@', 'a')
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(words).map((all) => all.join('')),
        fc.string(),
      ),
      (text) => {
        try {
          parseQuery(text, options)
        } catch (error) {
          const { start, end } = error as QueryError
          expect(error).toBeInstanceOf(QueryError)
          expect(0 <= start && start <= end && end <= text.length).toBe(true)
        }
        const covered = splitTerms(text).map(({ start, end }) => text.slice(start, end))
        expect(covered.join('').replaceAll(/\s/g, '')).toBe(text.replaceAll(/\s/g, ''))
      },
    ),
    { numRuns: 2000 },
  )
  const start = performance.now()
  for (const part of ['"\\', 'a.', ',', '-', 'a:', '1.', '"a"', 'app.a-']) {
    for (const head of ['', 'type:', '"']) {
      const text = head + part.repeat(QUERY_MAX_LENGTH).slice(0, QUERY_MAX_LENGTH - head.length)
      expect(errorOf(text)).toBeInstanceOf(QueryError)
    }
  }
  expect(performance.now() - start).toBeLessThan(5_000)
})

test('the language runs in a browser: it loads nothing of Node', () => {
  for (const entry of ['parse-query', 'format-query', 'complete-query']) {
    const { outside } = loadedBy(`query/${entry}.ts`)
    expect(outside.filter((name) => name !== 'ipaddr.js')).toEqual([])
  }
})
