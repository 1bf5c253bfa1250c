import { AssertionError } from 'node:assert'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestGatebook, type ExpectedEvent, type SignedIn, type TestGatebook } from '../../src/testing/index.ts'

let kit: TestGatebook
let anna: SignedIn
beforeAll(async () => {
  kit = await createTestGatebook()
  anna = await kit.signIn()
  await kit.expectEvents(['user.registered', 'login.succeeded'])
})
afterAll(() => kit.close())

/** Three events of the application's own, and then what is said about them. */
async function failureOf(expected: readonly ExpectedEvent[]): Promise<AssertionError> {
  await kit.gate.log.append({ type: 'app.cart.filled', userId: anna.userId, data: { items: 2, coupons: ['a', 'b'] } })
  await kit.gate.log.append({ type: 'app.order.placed', userId: 7, data: { total: 250 } })
  await kit.gate.log.append({ type: 'app.order.paid', outcome: 'denied' })
  const error = await kit.expectEvents(expected).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(AssertionError)
  // It has seen them all the same: a failure must not spill over into the next call.
  await kit.expectEvents([])
  return error as AssertionError
}

describe('expectEvents is content', () => {
  test.each<[string, ExpectedEvent]>([
    ['with the type', 'app.cart.filled'],
    ['with type and outcome', 'app.cart.filled success'],
    ['with some members', { type: 'app.cart.filled', outcome: 'success', reason: null }],
    ['with some of data', { type: 'app.cart.filled', data: { coupons: ['a', 'b'] } }],
  ])('%s', async (_, expected) => {
    await kit.gate.log.append({ type: 'app.cart.filled', data: { items: 2, coupons: ['a', 'b'] } })
    await kit.expectEvents([expected])
  })

  test('with nothing when nothing was left', () => kit.expectEvents([]))
})

describe('expectEvents throws an AssertionError that shows', () => {
  test('a missing event', async () => {
    const error = await failureOf([
      'app.cart.filled',
      { type: 'login.failed', reason: 'wrong-password' },
      'app.order.placed',
      'app.order.paid',
    ])
    expect(error.message.split('\n')).toEqual([
      'The log has other events than expected: 1 missing (-), 0 not expected (+).',
      `    app.cart.filled success of ${anna.userId} {"coupons":["a","b"],"items":2}`,
      '  - login.failed wrong-password',
      '    app.order.placed success of 7 {"total":250}',
      '    app.order.paid denied',
    ])
  })

  test('an event that was not expected', async () => {
    const error = await failureOf(['app.cart.filled', 'app.order.paid'])
    expect(error.message.split('\n').slice(0, 3)).toEqual([
      'The log has other events than expected: 0 missing (-), 1 not expected (+).',
      expect.stringContaining('    app.cart.filled'),
      '  + app.order.placed success of 7 {"total":250}',
    ])
    expect(error.actual).toHaveLength(3)
    expect(error.expected).toEqual((error.actual as string[]).toSpliced(1, 1))
  })

  test.each<[string, ExpectedEvent, string]>([
    ['another type', 'app.order.cancelled', 'app.order.cancelled'],
    ['another outcome', 'app.order.placed denied', 'app.order.placed denied'],
    ['another reason', { type: 'app.order.placed', reason: 'a' }, 'app.order.placed a'],
    ['another subject', { type: 'app.order.placed', subject: 8 }, 'app.order.placed of 8'],
    ['other data', { type: 'app.order.placed', data: { total: 251 } }, 'app.order.placed {"total":251}'],
    ['a member of data that is not there', { type: 'app.order.placed', data: { a: 1 } }, 'app.order.placed {"a":1}'],
  ])('%s', async (_, other, line) => {
    const { message } = await failureOf(['app.cart.filled', other, 'app.order.paid'])
    expect(message.split('\n')).toEqual([
      'The log has other events than expected: 1 missing (-), 1 not expected (+).',
      expect.stringContaining('    app.cart.filled'),
      `  - ${line}`,
      '  + app.order.placed success of 7 {"total":250}',
      '    app.order.paid denied',
    ])
  })

  test('another order', async () => {
    const { message } = await failureOf(['app.order.placed', 'app.cart.filled', 'app.order.paid'])
    expect(message).toMatch(/1 missing \(-\), 1 not expected \(\+\)/)
  })

  test('each event where none was expected', async () => {
    expect((await failureOf([])).message.match(/^ {2}\+ /gm)).toHaveLength(3)
  })
})

test.each<[string, unknown, RegExp]>([
  ['a type that does not exist', 'login.suceeded', /no event type login\.suceeded/],
  ['a reason that the type does not have', 'login.failed expired', /login\.failed never has the reason expired/],
  ['an outcome that the type does not have', 'login.succeeded denied', /never has the outcome denied/],
  ['too many words', 'login.failed failure disabled twice', /more than type, outcome and reason/],
  ['an unknown member', { type: 'login.failed', reasn: 'disabled' }, /no member reasn/],
  ['no type', { outcome: 'success' }, /has a type/],
])('expectEvents refuses %s', async (_, expected, message) => {
  const call = kit.expectEvents([expected as ExpectedEvent])
  await expect(call).rejects.toThrow(TypeError)
  await expect(call).rejects.toThrow(message)
})
