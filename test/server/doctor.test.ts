import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readConfig } from '../../src/server/config.ts'
import { CHECKS, examine } from '../../src/server/doctor.ts'
import { FINDINGS, levelOf } from '../../src/server/findings.ts'
import { untilSigned } from '../log/signed-log.ts'
import { availableEngines } from '../support/engines.ts'
import { openOwnGate, SECRET, type TestGate } from '../support/gate.ts'
import { signingEnvironment } from '../support/log-signing.ts'
import { startSmtp } from '../support/smtp.ts'

const OTHER_SECRET = 'kQ2vW9xT4mB7nR1cF6hL3pS8dGaZyJ0eU5'
/** Hashes are slow on a machine that does other things, and none of these tests is about them. */
const checks = CHECKS.filter(({ name }) => name !== 'hashing')

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatebook-doctor-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** The codes of what is found, but for what is in order. */
async function find(environment: Record<string, string>, now?: () => number): Promise<string[]> {
  const parts = await examine({ config: readConfig(environment), environment, checks, ...(now && { now }) })
  return parts.flatMap(({ findings }) =>
    findings.filter((finding) => levelOf(finding) !== 'ok').map(({ code }) => code),
  )
}

const settingsOf = (on: TestGate, more: Record<string, string> = {}) => ({
  GATEBOOK_DATABASE: on.database.url,
  GATEBOOK_SECRET: SECRET,
  ...signingEnvironment(on.database.url),
  GATEBOOK_ISSUER: 'https://app.example',
  GATEBOOK_MAILER: 'off',
  ...more,
})

describe.each(availableEngines)('doctor on $name', (engine) => {
  test('finds nothing in an installation that is well, and changes nothing', async () => {
    const on = await openOwnGate(engine)
    await on.gate.sessions.start(7, {}, { ip: '203.0.113.9', ipSource: 'socket' })
    const before = await on.events()
    expect(await find(settingsOf(on))).toEqual(['mail-off'])
    expect(await on.events()).toEqual(before)
  })

  test('finds an index and a column that somebody has dropped', async () => {
    const on = await openOwnGate(engine)
    const { kysely, traits } = on.direct
    const table = traits.name === 'mysql' ? ' ON gatebook_event' : ''
    await sql.raw(`DROP INDEX gatebook_event_by_session${table}`).execute(kysely)
    expect(await find(settingsOf(on))).toEqual(['indexes-missing', 'mail-off'])
    await sql.raw('ALTER TABLE gatebook_user DROP COLUMN confirmed_at').execute(kysely)
    expect(await find(settingsOf(on))).toEqual(['columns-missing', 'indexes-missing', 'mail-off'])
  })

  test('finds a key that is not unique any more', async () => {
    const on = await openOwnGate(engine)
    const { kysely, traits } = on.direct
    const statements = {
      sqlite: [
        'ALTER TABLE gatebook_user RENAME TO before',
        `CREATE TABLE gatebook_user AS SELECT * FROM before`,
        'CREATE INDEX gatebook_user_other ON gatebook_user (skeleton)',
      ],
      postgres: ['ALTER TABLE gatebook_user DROP CONSTRAINT gatebook_user_identifier_key_key'],
      mysql: ['ALTER TABLE gatebook_user DROP INDEX identifier_key'],
    }[traits.name]
    for (const statement of statements) await sql.raw(statement).execute(kysely)
    expect(await find(settingsOf(on))).toEqual(['uniques-missing', 'mail-off'])
  })

  test.skipIf(engine.name === 'sqlite')('finds a primary key that is gone', async () => {
    const on = await openOwnGate(engine)
    const named = engine.name === 'postgres' ? 'CONSTRAINT gatebook_role_pkey' : 'PRIMARY KEY'
    await sql.raw(`ALTER TABLE gatebook_role DROP ${named}`).execute(on.direct.kysely)
    expect(await find(settingsOf(on))).toEqual(['uniques-missing', 'mail-off'])
  })

  test.skipIf(engine.name !== 'mysql')('finds tables that are stored in another way', async () => {
    const on = await openOwnGate(engine)
    const alter = (what: string) => sql.raw(`ALTER TABLE gatebook_user ${what}`).execute(on.direct.kysely)
    await alter('MODIFY identifier_key VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL')
    expect(await find(settingsOf(on))).toEqual(['storage-wrong', 'mail-off'])
    await alter('MODIFY identifier_key VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL')
    expect(await find(settingsOf(on))).toEqual(['mail-off'])
    await sql.raw('CREATE TABLE gatebooks (note VARCHAR(20) COLLATE utf8mb4_general_ci)').execute(on.direct.kysely)
    expect(await find(settingsOf(on))).toEqual(['mail-off'])
    await alter('ENGINE = MyISAM')
    expect(await find(settingsOf(on))).toEqual(['storage-wrong', 'mail-off'])
  })

  test('finds a proxy that sends no header', async () => {
    const on = await openOwnGate(engine)
    const from = (ip: string) => on.gate.sessions.start(7, {}, { ip, ipSource: 'socket' })
    for (let count = 0; count < 60; count++) await from('10.0.0.7')
    expect(await find(settingsOf(on))).toEqual(['proxies-one-address', 'mail-off'])
    await from('10.0.0.8')
    expect(await find(settingsOf(on))).toEqual(['mail-off'])
  })

  test('finds migrations that are missing, and those of a newer version', async () => {
    const on = await openOwnGate(engine)
    const { kysely } = on.direct
    await sql.raw("INSERT INTO gatebook_migration (name, timestamp) VALUES ('9999-later', 'x')").execute(kysely)
    expect(await find(settingsOf(on))).toEqual(['migrations-newer', 'mail-off'])
    await sql.raw('DELETE FROM gatebook_migration').execute(kysely)
    expect(await find(settingsOf(on))).toEqual(['migrations-pending', 'mail-off'])
  })

  test('finds views that are gone, of another setting, or somebody else’s', async () => {
    const on = await openOwnGate(engine)
    const integer = settingsOf(on, { GATEBOOK_USER_LOGS_USER_ID: 'integer' })
    expect(await find(integer)).toEqual(['views-outdated', 'mail-off'])
    await sql.raw('DROP VIEW user_logs').execute(on.direct.kysely)
    expect(await find(settingsOf(on))).toEqual(['views-missing', 'mail-off'])
    await sql.raw('CREATE TABLE their_logs (id INTEGER)').execute(on.direct.kysely)
    expect(await find(settingsOf(on, { GATEBOOK_USER_LOGS_VIEW: 'their_logs' }))).toEqual(['views-foreign', 'mail-off'])
  })

  test('finds events that nobody moves into the log, and those that were kept out', async () => {
    if (engine.name === 'sqlite') return
    const on = await openOwnGate(engine, { sequencerMilliseconds: 5000 })
    await on.gate.sessions.start(7)
    const late = () => on.clock.now() + 120_000
    expect(await find(settingsOf(on), late)).toContain('sequencer-idle')
    await on.direct.kysely.updateTable('gatebook_queue').set({ rejected_at: 1 }).execute()
    expect(await find(settingsOf(on))).toEqual(['events-rejected', 'mail-off'])
  })

  test('finds a log that nobody signs, that has lost its guard, or that somebody has written a checkpoint into', async () => {
    const on = await openOwnGate(engine)
    await on.gate.sessions.start(7)
    await untilSigned(on)
    const found = async (settings = {}, now?: () => number) =>
      (await find(settingsOf(on, settings), now)).filter((code) => code.startsWith('log-'))
    expect(await found()).toEqual([])
    expect(await found({ GATEBOOK_LOG_GUARD: join(tmpdir(), 'no-such-guard') })).toEqual(['log-guard-missing'])
    const row = { epoch: 1, size: 9_007_199_254_740_991, note: 'no note', signed_at: 0, published_at: 1, proof: null }
    await on.direct.kysely.insertInto('gatebook_checkpoint').values(row).execute()
    expect(await found()).toEqual(['log-checkpoint-forged'])
    await on.direct.kysely.deleteFrom('gatebook_checkpoint').execute()
    expect(await found({}, () => on.clock.now() + 120_000)).toEqual(['log-unsigned'])
  })

  test('finds a clock that is wrong', async () => {
    if (engine.name === 'sqlite') return
    const on = await openOwnGate(engine)
    for (const [seconds, code] of [
      [0, undefined],
      [-2, 'clock-drifts'],
      [-10, 'clock-off'],
      [10, 'clock-off'],
      [45, 'clock-far-off'],
    ] as const) {
      const found = await find(settingsOf(on), () => Date.now() + seconds * 1000)
      expect(found.filter((each) => each.startsWith('clock'))).toEqual(code === undefined ? [] : [code])
    }
  })

  test('finds a secret that is not the one of the database', async () => {
    const on = await openOwnGate(engine)
    expect(await find(settingsOf(on, { GATEBOOK_SECRET: OTHER_SECRET }))).toEqual(['secret-other', 'mail-off'])
    expect(await find(settingsOf(on, { GATEBOOK_SECRET: `2:${OTHER_SECRET},1:${SECRET}` }))).toEqual(['mail-off'])
    expect(await find(settingsOf(on, { GATEBOOK_SECRET: 'short' }))).toEqual(['secret-weak', 'mail-off'])
    const { GATEBOOK_SECRET: _, ...without } = settingsOf(on, { GATEBOOK_SECRET_FILE: join(folder, 'none') })
    expect(await find(without)).toEqual(['secret-missing', 'mail-off'])
  })

  test('finds a proxy that nobody named, and one that is everybody', async () => {
    const on = await openOwnGate(engine)
    for (let count = 0; count < 3; count++) {
      await on.gate.sessions.start(count, {}, { ip: '10.0.0.7', ipSource: 'header-ignored' })
    }
    expect(await find(settingsOf(on))).toEqual(['proxies-ignored', 'mail-off'])
    for (const everybody of ['0.0.0.0/0', '10.0.0.1,::/0', '0::/0']) {
      expect(await find(settingsOf(on, { GATEBOOK_TRUSTED_PROXIES: everybody }))).toContain('proxies-everybody')
    }
    expect(await find(settingsOf(on, { GATEBOOK_TRUSTED_PROXIES: '2' }))).toContain('proxies-counted')
  })
})

describe('doctor without a database', () => {
  const base = { GATEBOOK_SECRET: SECRET, GATEBOOK_ISSUER: 'https://app.example', GATEBOOK_MAILER: 'off' }

  test.each([
    ['postgres://nobody@127.0.0.1:1/none', 'database-unreachable'],
    ['mysql://nobody@127.0.0.1:1/none', 'database-unreachable'],
  ])('that does not answer looks at the rest: %s', async (url, code) => {
    expect(await find({ ...base, GATEBOOK_DATABASE: url })).toEqual([code, 'mail-off'])
  })

  test('that is not there yet does not make one', async () => {
    const url = `sqlite:${join(folder, 'no.db')}`
    expect(await find({ ...base, GATEBOOK_DATABASE: url })).toEqual(['database-missing', 'mail-off'])
    const without = { ...base, GATEBOOK_DATABASE: url, GATEBOOK_SECRET_FILE: join(folder, 'no.secret') }
    const { GATEBOOK_SECRET: _, ...unset } = without
    expect(await find(unset)).toEqual(['database-missing', 'secret-new', 'mail-off'])
    expect(await find({ ...unset, NODE_ENV: 'production' })).toEqual(['database-missing', 'secret-missing', 'mail-off'])
  })

  test('that is no database is not made into one', async () => {
    writeFileSync(join(folder, 'text.db'), 'this is no database, and it is longer than a header of one'.repeat(10))
    expect(await find({ ...base, GATEBOOK_DATABASE: `sqlite:${join(folder, 'text.db')}` })).toEqual([
      'database-unreachable',
      'mail-off',
    ])
  })

  test('finds a secret that others can read', async () => {
    const path = join(folder, 'a.secret')
    writeFileSync(path, SECRET)
    const { GATEBOOK_SECRET: _, ...unset } = { ...base, GATEBOOK_SECRET_FILE: path }
    const environment = { ...unset, GATEBOOK_DATABASE: `sqlite:${join(folder, 'no.db')}` }
    chmodSync(path, 0o644)
    expect(await find(environment)).toContain('secret-readable')
    chmodSync(path, 0o600)
    expect(await find(environment)).not.toContain('secret-readable')
  })

  test.each([
    ['issuer-plain', { GATEBOOK_ISSUER: 'http://auth.example.org' }],
    ['issuer-local', { GATEBOOK_ISSUER: 'http://localhost:4280', NODE_ENV: 'production' }],
    ['cors-plain', { GATEBOOK_CORS_ORIGINS: 'http://app.example.org' }],
    ['mail-printed', { GATEBOOK_MAILER: 'console' }],
    [
      'mail-unreachable',
      { GATEBOOK_MAILER: 'smtp', GATEBOOK_SMTP_URL: 'smtp://127.0.0.1:1', GATEBOOK_MAIL_FROM: 'a@example.org' },
    ],
  ])('finds %s', async (code, environment) => {
    expect(await find({ ...base, GATEBOOK_DATABASE: `sqlite:${join(folder, 'no.db')}`, ...environment })).toContain(
      code,
    )
  })

  test('asks the mail server, and sends nothing', async () => {
    const smtp = await startSmtp({ user: { name: 'mailer', password: 'right' } })
    try {
      const of = (password: string) => ({
        ...base,
        GATEBOOK_DATABASE: `sqlite:${join(folder, 'no.db')}`,
        GATEBOOK_MAILER: 'smtp',
        GATEBOOK_SMTP_URL: `smtp://mailer:${password}@127.0.0.1:${smtp.port}`,
        GATEBOOK_MAIL_FROM: 'a@example.org',
      })
      expect(await find(of('right'))).toEqual(['database-missing'])
      expect(await find(of('wrong'))).toEqual(['database-missing', 'mail-unreachable'])
      expect(smtp.attempts()).toBe(0)
    } finally {
      await smtp.stop()
    }
  })
})

describe('a database server', () => {
  test.each(['postgres', 'mysql'])('that takes the connection and says nothing is given up (%s)', async (engine) => {
    const mute = createServer(() => undefined).listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const url = `${engine}://root@127.0.0.1:${(mute.address() as AddressInfo).port}/app`
    try {
      const found = await find({ GATEBOOK_DATABASE: url, GATEBOOK_SECRET: SECRET, GATEBOOK_MAILER: 'off' })
      expect(found).toEqual(['database-unreachable', 'issuer-unset', 'mail-off'])
    } finally {
      mute.close()
    }
  })

  test.each(['postgres', 'mysql'])('that is not there is told at once (%s)', async (engine) => {
    const begun = performance.now()
    const url = `${engine}://root@127.0.0.1:1/app`
    const found = await find({ GATEBOOK_DATABASE: url, GATEBOOK_SECRET: SECRET, GATEBOOK_MAILER: 'off' })
    expect(found).toEqual(['database-unreachable', 'issuer-unset', 'mail-off'])
    expect(performance.now() - begun).toBeLessThan(10_000)
  })
})

test('every finding but one in order says what to do', () => {
  for (const [code, { level, says, todo }] of Object.entries(FINDINGS)) {
    expect(says, code).toMatch(/\.$/)
    expect(todo === '', code).toBe(level === 'ok')
  }
})
