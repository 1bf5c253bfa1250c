import { describe, expect, test } from 'vitest'
import { completeQuery } from '../../src/query/complete-query.ts'
import { OPERATOR_NAMES } from '../../src/query/operators.ts'

/** The text with each suggestion in it; the cursor is where the bar stands. */
function offered(marked: string): string[] {
  const cursor = marked.indexOf('|')
  const text = marked.replace('|', '')
  return completeQuery(text, cursor).map(
    (suggestion) => text.slice(0, suggestion.start) + suggestion.text + text.slice(suggestion.end),
  )
}

describe('completion', () => {
  test('offers every operator where nothing stands', () => {
    expect(offered('|')).toEqual(OPERATOR_NAMES.map((name) => `${name}:`))
    expect(offered('user:42 | since:1h')).toEqual(
      OPERATOR_NAMES.filter((name) => name !== 'user' && name !== 'since').map((name) => `user:42 ${name}: since:1h`),
    )
  })

  test.each([
    ['out|', ['outcome:']],
    ['dev|ic', ['device:']],
    ['OUT|', ['outcome:']],
    ['-si|', []],
    ['user:1 -refr|', ['user:1 -reason:refresh-reused']],
    ['fail|', ['outcome:failure']],
    ['outcome:|', ['outcome:success', 'outcome:failure', 'outcome:denied']],
    ['outcome:d| user:1', ['outcome:denied user:1']],
    ['outcome:|d', ['outcome:success', 'outcome:failure', 'outcome:denied']],
    ['outcome:failure,|', ['outcome:failure,success', 'outcome:failure,denied']],
    ['outcome:"fa|', ['outcome:failure']],
    ['-type:log.e|', ['-type:log.epoch', '-type:log.expired', '-type:log.erased', '-type:log.exported']],
    [
      'outcome:failure,denied |outcome',
      ['type', 'reason', 'user', 'identifier', 'ip', 'session', 'event', 'request', 'device', 'since', 'until'].map(
        (name) => `outcome:failure,denied ${name}:`,
      ),
    ],
    ['user:|', []],
    ['what:|', []],
    ['o|:failure', ['outcome:failure']],
  ])('%s', (marked, wanted) => {
    expect(offered(marked)).toEqual(wanted)
  })

  test('says what a suggestion means', () => {
    expect(completeQuery('login.s', 7)).toEqual([
      {
        text: 'type:login.succeeded',
        about: expect.stringMatching(/^A usable session exists from now on\./),
        start: 0,
        end: 7,
      },
    ])
  })
})
