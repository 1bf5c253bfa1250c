import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gatebook } from '../../src/api.ts'
import { expectClean, runAudit, signed } from '../log/audit/signed-log.ts'
import { readEverything } from '../log/database-contents.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openGate, openOwnGate, type TestGate, until, WRONG_PASSWORD } from '../support/gate.ts'

/** Whoever logs in while they are erased must not be in the log afterwards, nor be logged in. */
describe.each(availableEngines)('an erasure during log-ins, on $name', (engine) => {
  let on: TestGate
  let gates: readonly Gatebook[]
  beforeAll(async () => {
    on = await openGate(engine, {
      throttleAddressFailures: 10_000,
      throttlePairFree: 100,
      throttleAccountFailures: 1000,
    })
    gates = [on.gate, await on.another()]
  })
  afterAll(() => on.close())

  test.each(['of Gatebook’s', 'of the application'])('a user %s', { timeout: 120_000 }, async (kind) => {
    const own = kind === 'of the application'
    const anna = on.person('erased')
    const context = { ...anna.context, userAgent: 'an agent of one’s own' }
    const userId = own ? 'app-4711' : (await on.gate.users.create(anna)).id
    const logIn = async (gate: Gatebook, password: string): Promise<string> => {
      if (!own) return (await gate.login({ identifier: anna.identifier, password }, context)).accessToken
      const attempt = await gate.attempts.begin({ identifier: anna.identifier, userId }, context)
      if (password !== anna.password) await attempt.fail('wrong-password')
      return (await attempt.succeed(userId)).accessToken
    }
    const tokens: string[] = []
    let going = true
    const people = Array.from({ length: 12 }, async (_, place) => {
      const gate = gates[place % gates.length]!
      while (going) {
        const token = await logIn(gate, place % 3 === 0 ? WRONG_PASSWORD : anna.password).catch(() => null)
        if (token !== null) tokens.push(token)
        // On SQLite nothing waits, and no timer would ever get its turn.
        await new Promise((resolve) => setImmediate(resolve))
      }
    })
    await until('some log-ins', async () => tokens.length > 10)
    // Both at once: one begins, and whoever comes second finishes along.
    await Promise.all(gates.map((gate) => codeOf(gate.log.erase({ userId }))))
    await new Promise((resolve) => setTimeout(resolve, 300))
    going = false
    await Promise.all(people)
    for (const token of tokens) {
      const code = await until('the end of every session', async () => {
        const refused = await codeOf(on.gate.tokens.verify(token))
        return refused !== 'no error' && refused
      })
      expect(code).toBe('ERR_TOKEN_REVOKED')
    }
    const count = async (): Promise<number> => {
      const { rows } = await on.direct.kysely
        .selectFrom('gatebook_event')
        .select((eb) => eb.fn.countAll<number>().as('rows'))
        .where('subject_id', '=', userId)
        .executeTakeFirstOrThrow()
      return Number(rows)
    }
    // What was being written at that moment is found by the housekeeping.
    const unfinished = async (): Promise<boolean> =>
      (await on.direct.kysely.selectFrom('gatebook_erasure').select('id').execute()).length > 0
    await until(
      'nothing that names the user',
      async () => (await count()) === 0 && !(await unfinished()) && (await count()) === 0,
      30_000,
    )
    const everything = await readEverything(on.direct)
    expect(everything.split(userId).length - 1).toBe(1)
    expect(everything).not.toContain(`"${anna.identifier}"`)
    // One for each of the two users of this file.
    const requested = (await on.events()).filter(({ type, reason }) => type === 'log.erased' && reason === 'requested')
    expect(requested.filter(({ data }) => data.scope === 'user').length).toBe(own ? 2 : 1)
  })
})

/** What goes after `log.erased` has said how much it was, an audit takes for tampering. */
describe.each(availableEngines)('erasures at once, on $name', (engine) => {
  test('take nothing that the log does not tell, whatever comes late', { timeout: 120_000 }, async () => {
    const on = await openOwnGate(engine)
    const gates = [on.gate, await on.another()]
    const anna = on.person()
    const { userId } = await on.gate.register(anna, anna.context)
    const { kysely } = on.direct
    const named = async (): Promise<boolean> =>
      (await kysely.selectFrom('gatebook_event').select('id').where('subject_id', '=', userId).limit(1).execute())
        .length > 0
    const codes: string[] = []
    const calls: Promise<unknown>[] = []
    const eraseBy = (gate: Gatebook) => calls.push(codeOf(gate.log.erase({ userId })).then((code) => codes.push(code)))
    let late = 0
    const write = async (): Promise<void> => {
      await on.gate.log.append({ type: 'app.late', userId }, anna.context)
      late += 1
      await new Promise((resolve) => setImmediate(resolve))
    }
    // Each begins at another moment, so that one still looks where another has just ended.
    for (let place = 0; place < 6; place++) {
      eraseBy(gates[place % 2]!)
      for (const until = late + 8; late < until; ) await write()
    }
    while (codes.length < calls.length) await write()
    expect(new Set(codes)).toEqual(new Set(['no error']))
    await until(
      'the server to empty what came last',
      async () => !(await named()) && (await kysely.selectFrom('gatebook_erasure').select('id').execute()).length === 0,
      40_000,
    )
    const told = (await on.events()).filter(({ type }) => type === 'log.erased')
    expect(told.filter(({ reason }) => reason === 'requested').length).toBe(1)
    const total = told.reduce((sum, { data }) => sum + Number(data.events), 0)
    // Her registration, the end of her session and, as far as they were there, each that came late.
    expect(total).toBeGreaterThanOrEqual(late + 2)
    await signed(on)
    expectClean(await runAudit(on))
  })
})
