import { existsSync, readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import type { SessionTokens } from '../../src/api.ts'
import { availableEngines } from '../support/engines.ts'
import { openOwnGate, type TestGate, until } from '../support/gate.ts'
import { createMailbox, type Mailbox } from '../support/mailbox.ts'

const MASTER_SECRET = 'MASTERsecretQ7xZ2mK9vB4nL8pR3tW6yD1f'
const PASSWORDS = {
  first: 'FIRSTpassword kx81 zq',
  wrong: 'WRONGpassword vn52 jt',
  next: 'NEXTpassword hb63 wd',
  set: 'SETpassword mf94 ry',
  weak: 'WEAKpw7',
}
/** Typed into the wrong field of a form. */
const TYPED_AS_NAME = 'NAMEpassword gl25 cs'

/** Everything that a database holds, as one sequence of bytes. */
async function readAll(on: TestGate): Promise<Buffer> {
  const { kysely, traits } = on.direct
  const tables = (await kysely.introspection.getTables()).map(({ name }) => name)
  const parts: Buffer[] = []
  for (const table of tables.filter((name) => name.startsWith('gatebook_'))) {
    const { rows } = await sql<Record<string, unknown>>`select * from ${sql.table(table)}`.execute(kysely)
    for (const row of rows) {
      for (const value of Object.values(row)) {
        parts.push(value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(String(value)), Buffer.from('\n'))
      }
    }
  }
  expect(tables.length).toBeGreaterThan(10)
  if (traits.name === 'sqlite') {
    const path = on.database.url.slice('sqlite:'.length)
    for (const file of [path, `${path}-wal`, `${path}-shm`]) if (existsSync(file)) parts.push(readFileSync(file))
  }
  return Buffer.concat(parts)
}

/** A secret in the forms in which it could have been written down. */
function formsOf(secret: string): Buffer[] {
  const bytes = Buffer.from(secret)
  // In the middle of something longer, base64 begins at one of three places.
  const shifted = [0, 1, 2].map((at) => bytes.subarray(at, at + Math.floor((bytes.length - at) / 3) * 3))
  return [
    bytes,
    Buffer.from(bytes.toString('hex')),
    Buffer.from(bytes.toString('hex').toUpperCase()),
    ...shifted.flatMap((part) => [Buffer.from(part.toString('base64')), Buffer.from(part.toString('base64url'))]),
    Buffer.from(encodeURIComponent(secret)),
    Buffer.from(JSON.stringify(secret).slice(1, -1)),
  ]
}

describe.each(availableEngines)('secrets on $name', (engine) => {
  test('stand in no table, no file, no diagnostics and no error', async () => {
    const mailbox = createMailbox()
    const on = await openOwnGate(engine, { ...mailbox.options, secret: MASTER_SECRET, throttleAddressFailures: 200 })
    const tokens: SessionTokens[] = []
    const errors: unknown[] = []
    const refused = async (call: Promise<unknown>) => {
      errors.push(
        await call.then(
          () => null,
          (error: unknown) => error,
        ),
      )
    }
    await walkThrough(on, tokens, refused)
    const oneTime = await useOneTimeTokens(on, mailbox, refused)
    expect(errors.filter((error) => error === null)).toEqual([])
    await until('the queue runs empty', async () => {
      const waiting = await on.direct.kysely.selectFrom('gatebook_queue').select('number').execute()
      return waiting.length === 0
    })

    const secrets = {
      ...PASSWORDS,
      typedAsName: TYPED_AS_NAME,
      typedAsNameNormalised: TYPED_AS_NAME.toLowerCase(),
      master: MASTER_SECRET,
      ...Object.fromEntries(oneTime.map((token) => [token.slice(0, 4), token.slice(4)])),
      ...Object.fromEntries(
        tokens.flatMap(({ accessToken, refreshToken, deviceToken }, place) => [
          [`access ${place}`, accessToken],
          [`signature ${place}`, accessToken.split('.')[2]!],
          [`refresh ${place}`, refreshToken],
          [`refresh without its prefix ${place}`, refreshToken.slice(4)],
          [`MAC of refresh ${place}`, refreshToken.slice(-40)],
          [`device ${place}`, deviceToken.slice(4)],
        ]),
      ),
    }
    const told = Buffer.from(
      [...errors.map(describeError), ...on.diagnostics.map((line) => inspect(line, { depth: 10 }))].join('\n'),
    )
    const stored = await readAll(on)
    // The search itself finds what is there.
    expect(stored.includes(Buffer.from('walks through'))).toBe(true)
    for (const [name, secret] of Object.entries(secrets)) {
      for (const form of formsOf(secret)) {
        expect(stored.includes(form), `${name} is stored as ${form}`).toBe(false)
        expect(told.includes(form), `${name} is told as ${form}`).toBe(false)
      }
    }
  })

  /** One of each kind: asked for, tried with a password that may not be, used, and used once more. */
  async function useOneTimeTokens(
    on: TestGate,
    mailbox: Mailbox,
    refused: (call: Promise<unknown>) => Promise<void>,
  ): Promise<readonly string[]> {
    const context = { ip: '10.0.0.3', userAgent: 'walks through' }
    const gate = await on.another({ registration: 'confirm' })
    const carl = { identifier: 'carl@example.org', password: PASSWORDS.first }
    await gate.registrations.request(carl, context)
    const confirm = (await mailbox.next()).token!
    await refused(gate.registrations.confirm({ token: confirm, password: PASSWORDS.wrong }, context))
    await gate.registrations.confirm({ token: confirm, password: PASSWORDS.first }, context)
    await refused(gate.registrations.confirm({ token: confirm, password: PASSWORDS.first }, context))
    await gate.passwordResets.request(carl, context)
    const reset = (await mailbox.next()).token!
    await refused(gate.passwordResets.complete({ token: reset, newPassword: PASSWORDS.weak }, context))
    await gate.passwordResets.complete({ token: reset, newPassword: PASSWORDS.next }, context)
    await refused(gate.passwordResets.complete({ token: reset, newPassword: PASSWORDS.next }, context))
    const dora = { identifier: 'dora@example.org', password: PASSWORDS.set }
    const { token: invitation } = await gate.invitations.create({ identifier: dora.identifier, send: true })
    expect((await mailbox.next()).token).toBe(invitation)
    await refused(gate.register({ ...dora, identifier: 'emil', invitation }, context))
    await gate.register({ ...dora, invitation }, context)
    // Presented where something else is asked for.
    for (const token of [confirm, reset, invitation]) {
      await refused(gate.tokens.verify(token))
      await refused(gate.refresh(token, { ...context, requestId: 'walks through' }))
      await refused(gate.passwordResets.complete({ token: `${token}x`, newPassword: PASSWORDS.next }, context))
    }
    return [confirm, reset, invitation]
  }

  async function walkThrough(
    on: TestGate,
    tokens: SessionTokens[],
    refused: (call: Promise<unknown>) => Promise<void>,
  ): Promise<void> {
    const { gate } = on
    const context = { ip: '10.0.0.1', userAgent: 'walks through' }
    const anna = { identifier: 'anna@example.org', password: PASSWORDS.first }
    tokens.push(await gate.register(anna, context))
    const [{ userId }] = tokens as [SessionTokens]
    await refused(gate.register(anna, context))
    await refused(gate.register({ identifier: 'bert', password: PASSWORDS.weak }, context))
    await refused(gate.register({ identifier: TYPED_AS_NAME, password: TYPED_AS_NAME }, context))
    await refused(gate.login({ identifier: TYPED_AS_NAME, password: PASSWORDS.first }, context))
    for (let count = 0; count < 7; count++) {
      await refused(gate.login({ ...anna, password: PASSWORDS.wrong }, { ip: '10.0.0.2' }))
    }
    tokens.push(await gate.login(anna, { ...context, deviceToken: tokens[0]!.deviceToken }))
    tokens.push(await gate.refresh(tokens[1]!.refreshToken, context))
    const claims = await gate.tokens.verify(tokens[2]!.accessToken)
    const change = { claims, currentPassword: PASSWORDS.wrong, newPassword: PASSWORDS.next }
    await refused(gate.changePassword(change, context))
    await refused(gate.changePassword({ ...change, newPassword: PASSWORDS.weak }, context))
    await gate.changePassword({ ...change, currentPassword: PASSWORDS.first }, context)
    on.clock.advance(30_000)
    await refused(gate.refresh(tokens[1]!.refreshToken, context))
    await gate.users.setPassword(userId, PASSWORDS.set)
    await refused(gate.users.setPassword(userId, PASSWORDS.weak))
    await refused(gate.users.create({ identifier: anna.identifier, password: PASSWORDS.set }))
    tokens.push(
      await gate.login({ ...anna, password: PASSWORDS.set }, { ...context, deviceToken: tokens[0]!.deviceToken }),
    )
    await refused(gate.tokens.verify(`${tokens[3]!.accessToken}x`))
    await refused(gate.tokens.verify(tokens[3]!.refreshToken))
    await refused(gate.refresh(tokens[3]!.accessToken))
    await refused(gate.logout({ refreshToken: `${tokens[3]!.refreshToken}x` }))
    await refused(
      gate
        .refresh(tokens[3]!.refreshToken, { ...context, userAgent: '\u0000', ip: tokens[3]!.refreshToken })
        .then(() => Promise.reject(new Error('it was not refused'))),
    )
    await gate.logout({ accessToken: tokens[3]!.accessToken }, context)
    await refused(gate.tokens.verify(tokens[3]!.accessToken))
    const app = await gate.attempts.begin({ identifier: TYPED_AS_NAME }, context)
    await app.fail('unknown-user')
    await refused(gate.log.search({ identifier: TYPED_AS_NAME, ip: TYPED_AS_NAME }))
    await refused(
      gate.log.find(tokens[0]!.accessToken).then((found) => (found === null ? Promise.reject(new Error()) : found)),
    )
    // Another secret, and a database that goes away.
    await refused(on.another({ secret: MASTER_SECRET.split('').reverse().join('') }))
    await refused(on.another({ secret: 'short' }))
  }
})

/** Everything that somebody could print of an error. */
function describeError(error: unknown): string {
  return [inspect(error, { depth: 10, showHidden: true }), JSON.stringify(error), String(error)].join('\n')
}
