import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gatebook, RequestContext } from '../../src/api.ts'
import { availableEngines } from '../support/engines.ts'
import { openGate, PASSWORD, type TestGate, WRONG_PASSWORD } from '../support/gate.ts'
import { openTapped, type TappedDialect } from './tapped-dialect.ts'

/** Promise 9: what the database is asked must not depend on whether there is such a user. */
describe.each(availableEngines)('the statements on $name', (engine) => {
  let on: TestGate
  let database: TappedDialect
  let gate: Gatebook
  beforeAll(async () => {
    on = await openGate(engine)
    database = await openTapped(on.database.url)
    gate = await on.another({
      sendReset() {},
      sendConfirmation() {},
      database: database.dialect,
      sequencerMilliseconds: 5000,
      revocationPollMilliseconds: 2000,
    })
  })
  afterAll(async () => {
    await on.close()
    await database.close()
  })

  async function statementsOf(
    identifier: string,
    context: RequestContext,
    password = WRONG_PASSWORD,
  ): Promise<string[]> {
    return tapped(() => gate.login({ identifier, password }, context).catch(() => {}))
  }

  async function tapped(call: () => Promise<unknown>): Promise<string[]> {
    const statements: string[] = []
    await database.tapped({ before: (sql: string) => void statements.push(sql) }, call)
    return statements
  }

  test('of a refused log-in are the same for a known and an unknown user, word for word, from the first failure to the throttled one', async () => {
    const anna = on.person()
    const bert = on.person()
    const carl = on.person()
    const dora = on.person()
    await on.gate.register(anna, anna.context)
    await on.gate.register(dora, dora.context)
    const { userId, deviceToken } = await on.gate.register(bert, bert.context)
    await on.gate.users.disable(userId)
    const places = [on.person(), on.person(), on.person(), on.person()].map(({ context }) => context)
    for (let attempt = 1; attempt <= 6; attempt++) {
      const known = await statementsOf(anna.identifier, places[0]!)
      expect(known.length).toBeGreaterThan(5)
      expect(await statementsOf(carl.identifier, places[1]!), `attempt ${attempt}`).toEqual(known)
      // A user who is disabled, with the right password; and a device of somebody else.
      expect(await statementsOf(bert.identifier, places[2]!, bert.password), `attempt ${attempt}`).toEqual(known)
      const stranger = { ...places[3]!, deviceToken }
      expect(await statementsOf(dora.identifier, stranger), `attempt ${attempt}`).toEqual(known)
    }
  })

  test('are the same when a reset is asked for, from the first request to the one that sends nothing any more', async () => {
    const anna = on.person()
    const bert = on.person()
    await on.gate.register(anna, anna.context)
    const { userId } = await on.gate.register(bert, bert.context)
    await on.gate.users.disable(userId)
    const places = [on.person(), on.person(), on.person()].map(({ context }) => context)
    const ask = (identifier: string, context: RequestContext) =>
      tapped(() => gate.passwordResets.request({ identifier }, context))
    for (let request = 1; request <= 7; request++) {
      const known = await ask(anna.identifier, places[0]!)
      expect(known.length).toBeGreaterThan(4)
      expect(await ask('nobody@example.org', places[1]!), `${request}`).toEqual(known)
      expect(await ask(bert.identifier, places[2]!), `request ${request}`).toEqual(known)
    }
  })

  test('are the same when an address is registered that has an account, and one that has none', async () => {
    const anna = on.person()
    await on.gate.register(anna, anna.context)
    const places = [on.person(), on.person()].map(({ context }) => context)
    const ask = (identifier: string, context: RequestContext) =>
      tapped(() => gate.registrations.request({ identifier, password: PASSWORD }, context))
    for (let request = 1; request <= 7; request++) {
      const known = await ask(anna.identifier, places[0]!)
      expect(known.length).toBeGreaterThan(4)
      expect(await ask('nobody-yet@example.org', places[1]!), `request ${request}`).toEqual(known)
    }
  })
})
