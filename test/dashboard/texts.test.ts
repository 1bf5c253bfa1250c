import { describe, expect, test } from 'vitest'
import { createFormat } from '../../dashboard/src/i18n/format.ts'
import { LANGUAGES, preferredLanguage } from '../../dashboard/src/i18n/languages.ts'
import { EVENT_TYPES } from '../../src/event/catalogue.ts'
import { OPERATORS } from '../../src/query/operators.ts'
import { parseQuery } from '../../src/query/parse-query.ts'
import { QUERY_ERRORS, QueryError } from '../../src/query/query-error.ts'

const { en, ko } = LANGUAGES

/** Words that are the same in every language: names of things, and examples of what is typed. */
const SAME = new Set(['Gatebook', 'English', '한국어', 'outcome:failure ip:203.0.113.0/24 since:24h', 'KiB'])

/** Texts by their place, functions as what they make of numbers and words that can be told again. */
function* listTexts(value: unknown, place: string): Generator<[string, string]> {
  if (typeof value === 'string') yield [place, value]
  else if (typeof value === 'function') yield [place, String(value('\u2460', '\u2461'))]
  else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) yield* listTexts(member, `${place}.${name}`)
  }
}

describe('the languages', () => {
  test('have the same texts, none of them empty', () => {
    const places = [...listTexts(en.text, '')].map(([place]) => place)
    expect([...listTexts(ko.text, '')].map(([place]) => place)).toEqual(places)
    const empty = [en, ko].flatMap(({ text }) => [...listTexts(text, '')].filter(([, said]) => said.trim() === ''))
    expect(empty).toEqual([])
  })

  test('say each of them in their own words', () => {
    const english = new Map(listTexts(en.text, ''))
    const left = [...listTexts(ko.text, '')].filter(([place, said]) => said === english.get(place) && !SAME.has(said))
    expect(left.filter(([, said]) => /[a-z]{2}/i.test(said.replaceAll('Gatebook', '')))).toEqual([])
    const foreign = [...listTexts(en.text, '')].filter(([, said]) => /\p{Script=Hangul}/u.test(said) && !SAME.has(said))
    expect(foreign).toEqual([])
  })

  test('take along in every text what is put into it', () => {
    const counted = (texts: Iterable<[string, string]>) =>
      new Map([...texts].map(([place, said]) => [place, /\u2460|\u2461/.test(said)]))
    expect(counted(listTexts(ko.text, ''))).toEqual(counted(listTexts(en.text, '')))
  })

  test('know every type and reason of the catalogue, every operator and every error of a query', () => {
    const reasons = new Set(Object.values(EVENT_TYPES).flatMap((type) => type.reasons))
    for (const { words } of [en, ko]) {
      expect(Object.keys(words.types).sort()).toEqual(Object.keys(EVENT_TYPES).sort())
      expect([...reasons].filter((reason) => words.reasons[reason] === undefined)).toEqual([])
      expect(Object.keys(words.reasons).filter((reason) => !reasons.has(reason))).toEqual([])
      expect(Object.keys(words.operators).sort()).toEqual(Object.keys(OPERATORS).sort())
      expect(Object.keys(words.queryErrors).sort()).toEqual(Object.keys(QUERY_ERRORS).sort())
    }
  })
})

/** At least one for each hint that `parse-query.ts` can give. */
const BAD = [
  'nonsense',
  'failure',
  'failur',
  ':',
  'outcome:',
  'outcom:failure',
  'zzzzzzzz:1',
  'outcome:maybe',
  'outcome:failur',
  'ip:nowhere',
  'session:1',
  'device:1',
  'event:1',
  'reason:zzzzzzzzzz',
  'type:zzzzzzzzzzzz',
  'since:yesterday',
  'until:tomorrow',
  'identifier:"\u200b"',
  'request:"',
  'user:"a"b',
  '-since:1h',
  '-until:1h',
  'since:1h,2h',
  `ip:${Array.from({ length: 101 }, (_, at) => `10.0.0.${at}`).join(',')}`,
  'outcome:failure outcome:denied',
  'since:1h since:2h',
  'since:1h until:2h',
  'outcome:failure -outcome:failure',
  'ip:10.0.0.1 -ip:10.0.0.0/8',
  '10.0.0.1,anna@example.org',
  'a'.repeat(4001),
]

describe('hints of a query', () => {
  const errors = BAD.map((query) => {
    try {
      parseQuery(query, { now: 1e12 })
    } catch (error) {
      if (error instanceof QueryError) return [query.slice(0, 40), error] as const
    }
    throw new Error(`${query} is a query`)
  })

  test('of each code are here', () => {
    expect([...new Set(errors.map(([, { code }]) => code))].sort()).toEqual(Object.keys(QUERY_ERRORS).sort())
  })

  test.each(errors)('%s: is said in Korean', (_query, { hint }) => {
    expect(en.words.hint(hint)).toBe(hint)
    const said = ko.words.hint(hint)
    expect(said).toMatch(/\p{Script=Hangul}/u)
    // What is left in Latin letters is what is typed: names, values and examples.
    expect(said).not.toMatch(/\b(it|takes|the|write|stands|did|mean|behind|put|leave|and|or)\b/i)
  })

  test('are not all that there could be, and then stay as they are', () => {
    expect(ko.words.hint('Something new.')).toBe('Something new.')
  })
})

describe('the language of a browser', () => {
  test.each([
    [null, ['ko-KR', 'en'], 'ko'],
    [null, ['ko'], 'ko'],
    [null, ['de-DE', 'KO-kr'], 'ko'],
    [null, ['en-GB', 'ko'], 'en'],
    [null, ['fr'], 'en'],
    [null, [], 'en'],
    ['ko', ['en'], 'ko'],
    ['en', ['ko'], 'en'],
    ['kok', ['ko'], 'ko'],
    ['', ['ko'], 'ko'],
  ] as const)('kept %j, wanted %j: %s', (kept, wanted, name) => {
    expect(preferredLanguage(kept, wanted)).toBe(name)
  })
})

describe('numbers and times', () => {
  const english = createFormat('en-GB', en.text)
  const korean = createFormat('ko-KR', ko.text)
  const now = Date.UTC(2026, 10, 27, 12, 0, 0)

  test('are written as the language writes them', () => {
    expect([english.number(1234567), korean.number(1234567)]).toEqual(['1,234,567', '1,234,567'])
    expect(english.relative(now - 90_000, now)).toBe('1 minute ago')
    expect(korean.relative(now - 90_000, now)).toBe('1분 전')
    expect(english.relative(now + 3 * 86_400_000, now)).toBe('in 3 days')
    expect(korean.relative(now - 86_400_000, now)).toBe('어제')
    expect([english.relative(now, now), korean.relative(now, now)]).toEqual(['just now', '방금'])
    expect([english.duration(1500), korean.duration(1500)]).toEqual(['1.5 seconds', '1.5초'])
    expect([english.duration(120_000), korean.duration(120_000)]).toEqual(['2 minutes', '2분'])
    expect([english.duration(99), korean.duration(99)]).toEqual(['99 milliseconds', '99밀리초'])
  })
})
