import { expect, test } from 'vitest'
import { createGatebook } from '../../src/gatebook.ts'
import { openTapped } from '../contract/tapped-dialect.ts'
import { availableEngines } from '../support/engines.ts'
import { CHEAP_HASHES, ISSUER, SECRET } from '../support/gate.ts'
import { signingOf } from '../support/log-signing.ts'
import { call } from './caller.ts'

test.each(availableEngines)('/auth/me asks the database nothing on $name', async (engine) => {
  const database = await engine.createDatabase()
  const { dialect, tapped, close } = await openTapped(database.url)
  const gate = await createGatebook({
    issuer: ISSUER,
    database: dialect,
    secret: SECRET,
    ...signingOf(database.url),
    ...CHEAP_HASHES,
  })
  try {
    const statements: string[] = []
    const tap = { before: (sql: string) => void statements.push(sql) }
    const signIn = () => tapped(tap, () => gate.sessions.start(7))
    const tokens = [await signIn(), await signIn()].map(({ accessToken }) => accessToken)
    expect(statements.length).toBeGreaterThan(0)
    statements.length = 0
    // The first look checks the signature, the second one does not.
    for (const token of [...tokens, ...tokens]) {
      expect((await tapped(tap, () => call(gate, 'GET /auth/me', { token }))).status).toBe(200)
    }
    expect(statements).toEqual([])
  } finally {
    await gate.close()
    await close()
    await database.drop()
  }
})
