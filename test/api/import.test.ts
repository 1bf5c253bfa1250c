import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ImportedUser, ImportRefusal } from '../../src/api.ts'
import { expectAgreement } from '../contract/agreement.ts'
import { queryPostgres } from '../support/engine.ts'
import { availableEngines, findEngine } from '../support/engines.ts'
import { codeOf, openGate, openOwnGate, scenario, type TestGate } from '../support/gate.ts'

const BY_CLI = { actor: { kind: 'system', id: 'cli' } } as const

async function hashOf(password: string): Promise<string> {
  const { pbkdf2Sync } = await import('node:crypto')
  return `pbkdf2:sha256:1000$saltsaltsaltsalt$${pbkdf2Sync(password, 'saltsaltsaltsalt', 1000, 32, 'sha256').toString('hex')}`
}

describe.each(availableEngines)('import on $name', (engine) => {
  let on: TestGate
  let werkzeug: string
  beforeAll(async () => {
    on = await openGate(engine)
    werkzeug = await hashOf('pass word')
  })
  afterAll(() => on.close())

  async function bring(rows: readonly Partial<ImportedUser>[], options = {}) {
    const refused: ImportRefusal[] = []
    const report = await on.gate.users.import(
      rows as ImportedUser[],
      { onRefused: (refusal) => void refused.push(refusal), ...options },
      BY_CLI,
    )
    on.clock.advance(1000)
    return { report, refused }
  }

  test('opens no door for an empty password, whatever was imported', async () => {
    const { identifier } = on.person()
    await bring([{ identifier, passwordHash: await hashOf('') }])
    expect(await codeOf(on.gate.login({ identifier, password: '' }))).toBe('ERR_LOGIN_REFUSED')
  })

  test('refuses a hash that the column cannot hold, and an age in seconds, without losing the others', async () => {
    const { identifier } = on.person()
    const { report, refused } = await bring([
      { identifier: 'salted', passwordHash: werkzeug.replace('saltsalt', 'sältsalt') },
      { identifier: 'seconds', passwordHash: werkzeug, createdAt: 1_556_668_800 },
      { identifier, passwordHash: werkzeug },
    ])
    expect([report.imported, refused.map(({ code }) => code)]).toEqual([1, ['ERR_HASH_UNKNOWN', 'ERR_ROW_MALFORMED']])
  })

  test('makes users who log in with their old password, which is hashed anew', async () => {
    const anna = on.person('anna')
    const bert = on.person('bert')
    const { expectEvents } = await scenario(on)
    const { report, refused } = await bring([
      {
        identifier: ` ${anna.identifier} `,
        passwordHash: werkzeug,
        roles: ['editor', 'author'],
        confirmed: true,
        createdAt: 1_500_000_000_000,
      },
      { identifier: bert.identifier, passwordHash: werkzeug, disabled: true },
    ])
    expect([report, refused]).toEqual([
      { imported: 2, present: 0, refused: 0, weak: 2, formats: { 'pbkdf2-werkzeug': 2 }, dryRun: false },
      [],
    ])
    const first = (await on.gate.users.findByIdentifier(anna.identifier))!
    const second = (await on.gate.users.findByIdentifier(bert.identifier))!
    expect(first).toMatchObject({
      identifier: anna.identifier,
      createdAt: 1_500_000_000_000,
      disabledAt: null,
      roles: ['author', 'editor'],
    })
    expect(first.confirmedAt).not.toBeNull()
    const about = { actor: 'system cli', subject: first.id }
    await expectEvents([
      {
        ...about,
        event: 'user.imported success',
        identifier: 'clear',
        data: { confirmed: true, hash: 'pbkdf2-werkzeug' },
      },
      { ...about, event: 'role.granted success', data: { role: 'author' } },
      { ...about, event: 'role.granted success', data: { role: 'editor' } },
      {
        actor: 'system cli',
        subject: second.id,
        event: 'user.imported success',
        identifier: 'clear',
        data: { hash: 'pbkdf2-werkzeug' },
      },
      { actor: 'system cli', subject: second.id, event: 'user.disabled success' },
    ])
    expect(await codeOf(on.gate.login({ ...bert, password: 'pass word' }, bert.context))).toBe('ERR_LOGIN_REFUSED')
    expect(await codeOf(on.gate.login({ ...anna, password: 'pass work' }, anna.context))).toBe('ERR_LOGIN_REFUSED')
    const { sessionId: session } = await on.gate.login({ ...anna, password: 'pass word' }, anna.context)
    const again = await on.gate.login({ ...anna, password: 'pass word' }, anna.context)
    const loggedIn = {
      event: 'login.succeeded success',
      actor: 'self',
      subject: first.id,
      identifier: 'clear',
      from: anna.from,
    } as const
    const failed = { actor: 'anonymous', identifier: 'clear' } as const
    await expectEvents([
      { event: 'login.failed failure disabled', ...failed, subject: second.id, from: bert.from },
      { event: 'login.failed failure wrong-password', ...failed, subject: first.id, from: anna.from },
      { ...loggedIn, session, data: { known_device: false, rehashed: true } },
      { ...loggedIn, session: again.sessionId, data: { known_device: false, rehashed: false } },
    ])
    await expectAgreement(on)
  })

  test('takes a password in the form in which the other system had it', async () => {
    const typed = 'zoe\u0308 decomposed'
    const [one, two] = [on.person(), on.person()]
    await bring([
      { identifier: one.identifier, passwordHash: await hashOf(typed) },
      { identifier: two.identifier, passwordHash: await hashOf(typed.normalize('NFC')) },
    ])
    for (const { identifier, context } of [one, two]) {
      expect(await codeOf(on.gate.login({ identifier, password: typed }, context))).toBe('no error')
      expect(await codeOf(on.gate.login({ identifier, password: typed.normalize('NFC') }, context))).toBe('no error')
    }
  })

  test('run again, finds who is there; and tells a name that is somebody else’s', async () => {
    const rows = [on.person(), on.person(), on.person()].map(({ identifier }) => ({
      identifier,
      passwordHash: werkzeug,
    }))
    const own = on.person()
    await on.gate.users.create(own)
    await bring(rows.slice(0, 2))
    await on.gate.login({ identifier: rows[0]!.identifier, password: 'pass word' })
    const { expectEvents } = await scenario(on)
    const { report, refused } = await bring([
      ...rows,
      { identifier: own.identifier.toUpperCase(), passwordHash: werkzeug },
    ])
    expect(report).toMatchObject({ imported: 1, present: 2, refused: 1 })
    expect(refused).toEqual([{ row: 4, code: 'ERR_IDENTIFIER_TAKEN', detail: 'another user has this identifier' }])
    const { id: subject } = (await on.gate.users.findByIdentifier(rows[2]!.identifier))!
    await expectEvents([
      {
        event: 'user.imported success',
        actor: 'system cli',
        subject,
        identifier: 'clear',
        data: { hash: 'pbkdf2-werkzeug' },
      },
    ])
    await expectAgreement(on)
  })

  test('refuses what is wrong row by row, and tells no hash', async () => {
    const { identifier } = on.person()
    const { expectEvents } = await scenario(on)
    const { report, refused } = await bring([
      { identifier: 'a\u0000b', passwordHash: werkzeug },
      { identifier, passwordHash: 'CANARY' },
      { identifier, passwordHash: '$2b$31$CANARYkQUlM08oIdJvJtp/eIkoD5YUmCfWmFGe8EHDuK1Tvm4JkJM' },
      { identifier, passwordHash: werkzeug, roles: ['No Role'] },
      { identifier, passwordHash: werkzeug, createdAt: -1 },
      { identifier, passwordHash: werkzeug },
      { identifier: identifier.toUpperCase(), passwordHash: werkzeug },
      { passwordHash: werkzeug },
      { identifier },
    ])
    expect(report).toMatchObject({ imported: 1, refused: 8 })
    expect(refused.map(({ row, code }) => `${row} ${code}`).sort()).toEqual([
      '1 ERR_IDENTIFIER_INVALID',
      '2 ERR_HASH_UNKNOWN',
      '3 ERR_HASH_UNKNOWN',
      '4 ERR_ROLE_INVALID',
      '5 ERR_ROW_MALFORMED',
      '7 ERR_IDENTIFIER_TAKEN',
      '8 ERR_ROW_MALFORMED',
      '9 ERR_ROW_MALFORMED',
    ])
    expect(JSON.stringify(refused)).not.toContain('CANARY')
    const { id: subject } = (await on.gate.users.findByIdentifier(identifier))!
    await expectEvents([
      {
        event: 'user.imported success',
        actor: 'system cli',
        subject,
        identifier: 'clear',
        data: { hash: 'pbkdf2-werkzeug' },
      },
    ])
  })

  test('in a dry run writes nothing, and says what it would', async () => {
    const people = [on.person(), on.person()]
    await scenario(on)
    const { report } = await bring(
      [
        ...people.map(({ identifier }) => ({ identifier, passwordHash: werkzeug })),
        { identifier: 'x', passwordHash: '' },
      ],
      { dryRun: true },
    )
    expect(report).toMatchObject({ imported: 2, refused: 1, dryRun: true, formats: { 'pbkdf2-werkzeug': 2 } })
    for (const { identifier } of people) expect(await on.gate.users.findByIdentifier(identifier)).toBeNull()
  })

  test('of one file by two processes at once: each user once', async () => {
    const own = await openOwnGate(engine)
    const other = await own.another()
    const rows = Array.from({ length: 400 }, (_, place) => ({ identifier: `user-${place}`, passwordHash: werkzeug }))
    const reports = await Promise.all([own.gate.users.import(rows), other.users.import(rows)])
    const sum = (name: 'imported' | 'present' | 'refused') => reports[0][name] + reports[1][name]
    expect(sum('imported')).toBe(400)
    expect(sum('present') + sum('refused')).toBe(400)
    await expectAgreement(own)
  })

  test('reports names that can be taken for each other', async () => {
    const { identifier } = on.person('anna')
    const { expectEvents } = await scenario(on)
    await bring([
      { identifier, passwordHash: werkzeug },
      { identifier: identifier.replace('a', '\u0430'), passwordHash: werkzeug },
    ])
    const ids = await Promise.all(
      [identifier, identifier.replace('a', '\u0430')].map(
        async (name) => (await on.gate.users.findByIdentifier(name))!.id,
      ),
    )
    const imported = { event: 'user.imported success', actor: 'system cli', identifier: 'clear' } as const
    await expectEvents([
      { ...imported, subject: ids[0]!, data: { hash: 'pbkdf2-werkzeug' } },
      { ...imported, subject: ids[1]!, data: { hash: 'pbkdf2-werkzeug', confusable: true } },
    ])
  })
})

const postgres = findEngine('postgres')

// Statements that were prepared for an empty table would go through all of it.
test.skipIf(postgres === null)('tells the planner of PostgreSQL how large the tables have become', async () => {
  const own = await openOwnGate(postgres!)
  const passwordHash = await hashOf('x')
  const rows = Array.from({ length: 1300 }, (_, place) => ({ identifier: `user-${place}`, passwordHash }))
  await own.gate.users.import(rows)
  const [table] = await queryPostgres(
    own.database.url,
    "SELECT reltuples FROM pg_class WHERE relname = 'gatebook_user'",
  )
  expect(Number(table!.reltuples)).toBeGreaterThanOrEqual(1000)
})
