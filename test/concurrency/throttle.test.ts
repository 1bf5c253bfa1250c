import { describe, expect, test } from 'vitest'
import type { RequestContext } from '../../src/api.ts'
import type { GatebookOptions } from '../../src/options.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openOwnGate, type TestGate, until, WRONG_PASSWORD } from '../support/gate.ts'

/** Hashes may wait as long as they like: what is tested is who gets to one. */
const PATIENT = { hashQueueLimit: 1000, hashConcurrency: 4 } satisfies Partial<GatebookOptions>

describe.each(availableEngines)('parallel log-ins on $name', (engine) => {
  function attempts(on: TestGate, count: number, of: (place: number) => [string, RequestContext]): Promise<string[]> {
    return Promise.all(
      Array.from({ length: count }, (_value, place) => {
        const [identifier, context] = of(place)
        return codeOf(on.gate.login({ identifier, password: WRONG_PASSWORD }, context))
      }),
    )
  }

  function tally(words: readonly string[]): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const word of words) counts[word] = (counts[word] ?? 0) + 1
    return counts
  }

  async function reasons(on: TestGate): Promise<Record<string, number>> {
    return tally((await on.events()).filter(({ type }) => type === 'login.failed').map(({ reason }) => reason!))
  }

  test('fifty of one account and address: five passwords are looked at, then the waits double', async () => {
    const on = await openOwnGate(engine, PATIENT)
    const anna = on.person()
    await on.gate.register(anna, anna.context)
    const codes = await attempts(on, 50, () => [anna.identifier, anna.context])
    expect(tally(codes)).toEqual({ ERR_LOGIN_REFUSED: 5, ERR_THROTTLED: 45 })
    expect(await reasons(on)).toEqual({ 'wrong-password': 5, throttled: 45 })

    const waits: number[] = []
    const once = (): Promise<number> =>
      on.gate.login({ identifier: anna.identifier, password: WRONG_PASSWORD }, anna.context).then(
        () => -1,
        (error) => (error.code === 'ERR_THROTTLED' ? Number(error.retryAfterSeconds) : 0),
      )
    for (let round = 0; round < 12; round++) {
      const wait = await once()
      waits.push(wait)
      on.clock.advance(wait * 1000 - 1)
      expect(await once(), 'a millisecond too early').toBe(1)
      on.clock.advance(1)
      expect(await once(), 'in time').toBe(0)
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900])
    // In parallel after a wait, one password is looked at.
    on.clock.advance(900_000)
    expect(tally(await attempts(on, 20, () => [anna.identifier, anna.context]))).toEqual({
      ERR_LOGIN_REFUSED: 1,
      ERR_THROTTLED: 19,
    })
  })

  test('ninety from one address are sixty, for whichever accounts; then it is locked for ten minutes', async () => {
    const on = await openOwnGate(engine, PATIENT)
    const { context } = on.person()
    const names = Array.from({ length: 90 }, (_value, place) => `user-${place}@example.org`)
    expect(tally(await attempts(on, 90, (place) => [names[place]!, context]))).toEqual({
      ERR_LOGIN_REFUSED: 60,
      ERR_THROTTLED: 30,
    })
    expect(await reasons(on)).toEqual({ 'unknown-user': 60, throttled: 30 })
    const locked = (await on.events()).filter(({ type }) => type === 'throttle.locked')
    expect(locked.map(({ data }) => data)).toEqual([{ scope: 'address', until: on.clock.now() + 600_000 }])
    on.clock.advance(599_999)
    expect(await attempts(on, 1, () => ['late@example.org', context])).toEqual(['ERR_THROTTLED'])
    on.clock.advance(1)
    expect(await attempts(on, 1, () => ['late@example.org', context])).toEqual(['ERR_LOGIN_REFUSED'])
  })

  test('one IPv6 network is one address', async () => {
    const on = await openOwnGate(engine, { ...PATIENT, throttleAddressFailures: 6 })
    const codes = await attempts(on, 10, (place) => [`user-${place}`, { ip: `2001:db8:0:7::${place + 1}` }])
    expect(tally(codes)).toEqual({ ERR_LOGIN_REFUSED: 6, ERR_THROTTLED: 4 })
    expect(await attempts(on, 1, () => ['somebody', { ip: '2001:db8:0:8::1' }])).toEqual(['ERR_LOGIN_REFUSED'])
  })

  test('callers whose address nobody knows share no counter but that of the account', async () => {
    const on = await openOwnGate(engine, PATIENT)
    const names = Array.from({ length: 90 }, (_value, place) => `user-${place}@example.org`)
    expect(tally(await attempts(on, 90, (place) => [names[place]!, {}]))).toEqual({ ERR_LOGIN_REFUSED: 90 })
    expect(tally(await attempts(on, 8, () => ['anna@example.org', {}]))).toEqual({
      ERR_LOGIN_REFUSED: 5,
      ERR_THROTTLED: 3,
    })
  })

  test('a hundred and thirty of one account are a hundred, from whichever addresses', async () => {
    const on = await openOwnGate(engine, PATIENT)
    const anna = on.person()
    await on.gate.register(anna, anna.context)
    const codes = await attempts(on, 130, (place) => [anna.identifier, { ip: `203.0.113.${place}` }])
    expect(tally(codes)).toEqual({ ERR_LOGIN_REFUSED: 100, ERR_THROTTLED: 30 })
    expect(await reasons(on)).toEqual({ 'wrong-password': 100, throttled: 30 })
    on.clock.advance(86_399_999)
    expect(await codeOf(on.gate.login(anna, { ip: '203.0.113.200' }))).toBe('ERR_THROTTLED')
    on.clock.advance(1)
    expect(await codeOf(on.gate.login(anna, { ip: '203.0.113.201' }))).toBe('no error')
  })

  test('right ones between wrong ones all come through', async () => {
    const on = await openOwnGate(engine, PATIENT)
    const people = Array.from({ length: 20 }, () => on.person())
    for (const person of people) await on.gate.register(person, person.context)
    const { context } = people[0]!
    const codes = await Promise.all(people.map((person) => codeOf(on.gate.login(person, context))))
    expect(tally(codes)).toEqual({ 'no error': 20 })
    // What succeeded has not used up anything: sixty failures are left.
    const wrong = await attempts(on, 61, (place) => [`nobody-${place}`, context])
    expect(tally(wrong)).toEqual({ ERR_LOGIN_REFUSED: 60, ERR_THROTTLED: 1 })
  })

  test('an address gets back what succeeded, soon or when the process ends, and other processes see it', async () => {
    const on = await openOwnGate(engine, PATIENT)
    const other = await on.another()
    const people = Array.from({ length: 20 }, () => on.person())
    for (const person of people) await on.gate.register(person, person.context)
    const { context } = people[0]!
    const countOfAddress = async (): Promise<number> => {
      const rows = await on.direct.kysely
        .selectFrom('gatebook_throttle')
        .select('failures')
        .where('scope', '=', 'address')
        .where('failures', '>', 0)
        .execute()
      // The registrations of twenty addresses, once each, stay counted.
      return rows.reduce((sum, { failures }) => sum + failures, 0) - people.length
    }
    await Promise.all(people.map((person, place) => (place % 2 ? on.gate : other).login(person, context)))
    await until('the address owes nothing', async () => (await countOfAddress()) === 0)
    await Promise.all(people.map((person) => other.login(person, context)))
    await other.close()
    expect(await countOfAddress()).toBe(0)
  })

  test('two processes count one address together', async () => {
    const on = await openOwnGate(engine, PATIENT)
    const other = await on.another()
    const { context } = on.person()
    const codes = await Promise.all(
      Array.from({ length: 90 }, (_value, place) =>
        codeOf(
          (place % 2 ? on.gate : other).login({ identifier: `nobody-${place}`, password: WRONG_PASSWORD }, context),
        ),
      ),
    )
    expect(tally(codes)).toEqual({ ERR_LOGIN_REFUSED: 60, ERR_THROTTLED: 30 })
  })
})
