import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SessionTokens } from '../../../src/api.ts'
import { createArgon2idHasher } from '../../../src/credential/hashers/argon2id.ts'
import { isForgery } from '../../../src/log/reconcile/discrepancies.ts'
import { generateId } from '../../../src/util/id.ts'
import { FLOW_OPTIONS } from '../../contract/flows.ts'
import { availableEngines } from '../../support/engines.ts'
import { openGate, PASSWORD, type Person, type TestGate } from '../../support/gate.ts'
import { named, queueIsEmpty, runReconcile } from './run-reconcile.ts'

/** What somebody with the database, and with nothing else, can write into it. */
interface Forgery {
  readonly name: string
  /** Sets the scene, meddles with the database, and returns what has to be found, and nothing else. */
  forge(on: TestGate): Promise<readonly string[]>
}

const NEW_PASSWORD = 'yet another pass phrase'
let users = 0

function started(on: TestGate): Promise<SessionTokens> {
  return on.gate.sessions.start(`app-${++users}`, { roles: ['reader'], claims: { plan: 'small' } })
}

async function registered(on: TestGate): Promise<Person & SessionTokens> {
  const person = on.person()
  return { ...person, ...(await on.gate.register(person, person.context)) }
}

type Columns = Readonly<Record<string, string | number | null>>

function updateSession({ direct }: TestGate, id: string, columns: Columns): Promise<unknown> {
  return direct.kysely.updateTable('gatebook_session').set(columns).where('id', '=', id).execute()
}

function updateUser({ direct }: TestGate, id: string, columns: Columns): Promise<unknown> {
  return direct.kysely.updateTable('gatebook_user').set(columns).where('id', '=', id).execute()
}

/** Takes out of the row of an invitation that it is over. */
function revive({ direct }: TestGate, id: string): Promise<unknown> {
  return direct.kysely
    .updateTable('gatebook_one_time_token')
    .set({ spent_at: null, spent_by: null, revoked_at: null })
    .where('id', '=', id)
    .execute()
}

/** Changes one session by SQL. */
function changed(columns: Columns, code: Parameters<typeof named>[0]) {
  return async (on: TestGate) => {
    const { sessionId } = await started(on)
    await updateSession(on, sessionId, columns)
    return [named(code, sessionId)]
  }
}

function readHash({ direct }: TestGate, userId: string): Promise<{ readonly password_hash: string }> {
  return direct.kysely
    .selectFrom('gatebook_credential')
    .select('password_hash')
    .where('user_id', '=', userId)
    .executeTakeFirstOrThrow()
}

async function writeHash({ direct }: TestGate, userId: string, hash: string): Promise<void> {
  await direct.kysely
    .updateTable('gatebook_credential')
    .set({ password_hash: hash })
    .where('user_id', '=', userId)
    .execute()
}

function readHold({ direct }: TestGate, id: string) {
  return direct.kysely.selectFrom('gatebook_hold').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
}

function insertRole({ direct }: TestGate, subjectId: string, role: string): Promise<unknown> {
  return direct.kysely.insertInto('gatebook_role').values({ subject_id: subjectId, role, granted_at: 1 }).execute()
}

/** Events of a column's value, oldest first. */
function readEvents({ direct }: TestGate, column: 'subject_id' | 'session_id', value: string, type: string) {
  return direct.kysely
    .selectFrom('gatebook_event')
    .select(['number', 'id'])
    .where(column, '=', value)
    .where('type', '=', type)
    .orderBy('number')
    .execute()
}

/** The two change places in the table; their entries cannot. */
async function exchangeNumbers({ direct }: TestGate, a: number, b: number): Promise<void> {
  for (const [from, to] of [
    [a, -1],
    [b, a],
    [-1, b],
  ] as const) {
    await direct.kysely.updateTable('gatebook_event').set({ number: to }).where('number', '=', from).execute()
  }
}

const FORGERIES: readonly Forgery[] = [
  {
    name: 'a session that is a copy of another one',
    async forge(on) {
      const { sessionId } = await started(on)
      const row = await on.direct.kysely
        .selectFrom('gatebook_session')
        .selectAll()
        .where('id', '=', sessionId)
        .executeTakeFirstOrThrow()
      const id = generateId('session', on.clock.now())
      await on.direct.kysely
        .insertInto('gatebook_session')
        .values({ ...row, id })
        .execute()
      return [named('session-without-event', id)]
    },
  },
  {
    name: 'a session that is somebody else’s by now',
    async forge(on) {
      const { userId } = await registered(on)
      const { sessionId } = await started(on)
      await updateSession(on, sessionId, { subject_id: userId })
      return [named('session-subject-differs', sessionId)]
    },
  },
  { name: 'roles of a session', forge: changed({ roles: '["admin","reader"]' }, 'session-differs') },
  { name: 'roles that were taken from a session', forge: changed({ roles: null }, 'session-differs') },
  { name: 'claims of a session', forge: changed({ claims: '{"plan":"large"}' }, 'session-differs') },
  { name: 'the method of a session', forge: changed({ method: 'passkey' }, 'session-differs') },
  { name: 'the beginning of a session', forge: changed({ created_at: 1_800_000_000_001 }, 'session-differs') },
  { name: 'the end of a session', forge: changed({ absolute_expires_at: 1_999_999_999_999 }, 'session-differs') },
  {
    name: 'a number that no leaf can hold',
    // SQLite cannot be read any more then, and the run ends with its error.
    forge: (on) => changed({ created_at: on.direct.traits.queued ? '9223372036854775807' : -1 }, 'session-differs')(on),
  },
  { name: 'the expiry of a session', forge: changed({ expires_at: 1_899_999_999_999 }, 'session-rotation-differs') },
  { name: 'a counter', forge: changed({ refresh_counter: 3 }, 'session-rotation-differs') },
  { name: 'the rotations that are forgiven', forge: changed({ rotations: '0:1' }, 'session-rotation-differs') },
  {
    name: 'a counter that was set back, though a spent token has been traded since',
    async forge(on) {
      const { sessionId, refreshToken } = await started(on)
      const second = await on.gate.refresh(refreshToken)
      on.clock.advance(60_000)
      await on.gate.refresh(second.refreshToken)
      on.clock.advance(60_000)
      await updateSession(on, sessionId, { refresh_counter: 1 })
      await on.gate.refresh(second.refreshToken)
      return [named('session-rotation-differs', sessionId)]
    },
  },
  {
    name: 'a counter that was set back, with the numbers of its events',
    async forge(on) {
      const { sessionId, refreshToken } = await started(on)
      const second = await on.gate.refresh(refreshToken)
      const row = await on.direct.kysely
        .selectFrom('gatebook_session')
        .select(['refresh_counter', 'rotations', 'expires_at'])
        .where('id', '=', sessionId)
        .executeTakeFirstOrThrow()
      on.clock.advance(1000)
      await on.gate.refresh(second.refreshToken)
      await updateSession(on, sessionId, row)
      const [older, newer] = await readEvents(on, 'session_id', sessionId, 'session.refreshed')
      await exchangeNumbers(on, older!.number, newer!.number)
      await queueIsEmpty(on)
      return [named('event-order-differs', sessionId), named('session-rotation-differs', sessionId)]
    },
  },
  {
    name: 'a session that lives again',
    async forge(on) {
      const { sessionId, accessToken } = await started(on)
      await on.gate.logout({ accessToken })
      await updateSession(on, sessionId, { ended_at: null, end_reason: null })
      return [named('session-revived', sessionId)]
    },
  },
  {
    name: 'a session that has expired and lives again',
    async forge(on) {
      const { sessionId, refreshToken } = await started(on)
      on.clock.advance(FLOW_OPTIONS.refreshIdleSeconds * 1000)
      await on.gate.refresh(refreshToken).catch(() => {})
      await updateSession(on, sessionId, { ended_at: null, end_reason: null })
      return [named('session-revived', sessionId)]
    },
  },
  {
    name: 'an end that nobody has caused',
    forge: changed({ ended_at: 1_800_000_000_000, end_reason: 'logout' }, 'session-ended-without-event'),
  },
  {
    name: 'the reason of an end',
    async forge(on) {
      const { sessionId } = await started(on)
      await on.gate.sessions.end(sessionId, 'ended-by-admin')
      await updateSession(on, sessionId, { end_reason: 'logout' })
      return [named('session-end-differs', sessionId)]
    },
  },
  {
    name: 'a password hash',
    async forge(on) {
      const { userId } = await registered(on)
      await writeHash(on, userId, await hashOf('attacker'))
      return [named('credential-differs', userId)]
    },
  },
  {
    name: 'the password hashes of two users, exchanged',
    async forge(on) {
      const [anna, ben] = [await registered(on), await registered(on)]
      const [ofAnna, ofBen] = [await readHash(on, anna.userId), await readHash(on, ben.userId)]
      await writeHash(on, anna.userId, ofBen.password_hash)
      await writeHash(on, ben.userId, ofAnna.password_hash)
      return [named('credential-differs', anna.userId), named('credential-differs', ben.userId)]
    },
  },
  {
    name: 'a password hash of before the change',
    async forge(on) {
      const { userId } = await registered(on)
      const before = await readHash(on, userId)
      await on.gate.users.setPassword(userId, NEW_PASSWORD)
      await writeHash(on, userId, before.password_hash)
      return [named('credential-differs', userId)]
    },
  },
  {
    name: 'a password hash of before the change, with the numbers of its events',
    async forge(on) {
      const { userId } = await registered(on)
      await on.gate.users.setPassword(userId, NEW_PASSWORD)
      const before = await readHash(on, userId)
      await on.gate.users.setPassword(userId, PASSWORD)
      await writeHash(on, userId, before.password_hash)
      const [older, newer] = await readEvents(on, 'subject_id', userId, 'password.changed')
      await exchangeNumbers(on, older!.number, newer!.number)
      await queueIsEmpty(on)
      return [named('event-order-differs', userId), named('credential-differs', userId)]
    },
  },
  {
    name: 'a password hash of before a log-in that has replaced it',
    async forge(on) {
      const anna = await registered(on)
      const before = await hashOf(PASSWORD, 8192)
      await writeHash(on, anna.userId, before)
      await on.gate.login(anna, anna.context)
      expect((await readHash(on, anna.userId)).password_hash).not.toBe(before)
      await writeHash(on, anna.userId, before)
      return [named('credential-differs', anna.userId)]
    },
  },
  {
    name: 'a password of somebody who has none',
    async forge(on) {
      await started(on)
      const id = generateId('user', on.clock.now())
      const row = { user_id: id, password_hash: await hashOf('attacker'), changed_at: 1 }
      await on.direct.kysely.insertInto('gatebook_credential').values(row).execute()
      return [named('credential-without-event', id)]
    },
  },
  {
    name: 'an identifier, to have the mail of a reset',
    async forge(on) {
      const { userId } = await registered(on)
      const mine = { identifier: `attacker-${++users}@example.org`, identifier_key: `attacker-${users}@example.org` }
      await updateUser(on, userId, mine)
      return [named('user-differs', userId)]
    },
  },
  {
    name: 'the key of an identifier',
    async forge(on) {
      const { userId } = await registered(on)
      const mine = { identifier_key: `attacker-${++users}@example.org` }
      await updateUser(on, userId, mine)
      return [named('user-differs', userId)]
    },
  },
  {
    name: 'a user',
    async forge(on) {
      const id = generateId('user', on.clock.now())
      const name = `forged-${++users}@example.org`
      const row = { identifier: name, identifier_key: name, created_at: 1, confirmed_at: 1, skeleton: null }
      await on.direct.kysely
        .insertInto('gatebook_user')
        .values({ id, ...row })
        .execute()
      return [named('user-without-event', id)]
    },
  },
  {
    name: 'a role',
    async forge(on) {
      const { userId } = await registered(on)
      await insertRole(on, userId, 'admin')
      return [named('role-without-grant', `${userId} admin`)]
    },
  },
  {
    name: 'a role that was revoked',
    async forge(on) {
      const { userId } = await started(on)
      await on.gate.users.grantRole(userId, 'admin')
      await on.gate.users.revokeRole(userId, 'admin')
      await insertRole(on, userId, 'admin')
      return [named('role-without-grant', `${userId} admin`)]
    },
  },
  {
    name: 'a role of somebody whom nobody has heard of',
    async forge(on) {
      const id = `nobody-${++users}`
      await insertRole(on, id, 'admin')
      return [named('role-without-grant', `${id} admin`)]
    },
  },
  {
    name: 'a role that is gone',
    async forge(on) {
      const { userId } = await started(on)
      await on.gate.users.grantRole(userId, 'auditor')
      await on.direct.kysely.deleteFrom('gatebook_role').where('subject_id', '=', userId).execute()
      return [named('role-missing', userId)]
    },
  },
  {
    name: 'a disabled user who is not any more',
    async forge(on) {
      const { userId } = await registered(on)
      await on.gate.users.disable(userId)
      await on.direct.kysely
        .updateTable('gatebook_subject')
        .set({ disabled_at: null })
        .where('id', '=', userId)
        .execute()
      return [named('user-enabled-without-event', userId)]
    },
  },
  {
    name: 'a user who is disabled',
    async forge(on) {
      const { userId } = await started(on)
      await on.gate.users.disable(userId)
      await on.gate.users.enable(userId)
      await on.direct.kysely.updateTable('gatebook_subject').set({ disabled_at: 1 }).where('id', '=', userId).execute()
      return [named('user-disabled-without-event', userId)]
    },
  },
  {
    name: 'a client',
    async forge(on) {
      const id = generateId('client', on.clock.now())
      const row = {
        id,
        name: 'forged',
        secret_digest: 'A'.repeat(43),
        created_by: 'x',
        created_at: 1,
        revoked_at: null,
      }
      await on.direct.kysely.insertInto('gatebook_client').values(row).execute()
      return [named('client-without-event', id)]
    },
  },
  {
    name: 'the secret of a client',
    async forge(on) {
      const { id } = await on.gate.clients.create({ name: 'billing' })
      const digest = 'B'.repeat(43)
      await on.direct.kysely
        .updateTable('gatebook_client')
        .set({ secret_digest: digest })
        .where('id', '=', id)
        .execute()
      return [named('client-differs', id)]
    },
  },
  {
    name: 'a client that was revoked',
    async forge(on) {
      const { id } = await on.gate.clients.create({ name: 'billing' })
      await on.gate.clients.revoke(id)
      await on.direct.kysely.updateTable('gatebook_client').set({ revoked_at: null }).where('id', '=', id).execute()
      return [named('client-revived', id)]
    },
  },
  {
    name: 'a client that nobody has revoked',
    async forge(on) {
      const { id } = await on.gate.clients.create({ name: 'billing' })
      await on.direct.kysely.updateTable('gatebook_client').set({ revoked_at: 1 }).where('id', '=', id).execute()
      return [named('client-revoked-without-event', id)]
    },
  },
  {
    name: 'an invitation that was revoked',
    async forge(on) {
      const { id } = await on.gate.invitations.create()
      await on.gate.invitations.revoke(id)
      await revive(on, id)
      return [named('invitation-revived', id)]
    },
  },
  {
    name: 'an invitation that was used',
    async forge(on) {
      const { id, token } = await on.gate.invitations.create()
      await on.gate.register({ ...on.person(), invitation: token })
      await revive(on, id)
      return [named('invitation-revived', id)]
    },
  },
  {
    name: 'an invitation that was used and used again',
    async forge(on) {
      const { id, token } = await on.gate.invitations.create()
      await on.gate.register({ ...on.person(), invitation: token })
      await revive(on, id)
      await on.gate.register({ ...on.person(), invitation: token })
      return [named('invitation-reused', id)]
    },
  },
  {
    name: 'an invitation that was revoked and used',
    async forge(on) {
      const { id, token } = await on.gate.invitations.create()
      await on.gate.invitations.revoke(id)
      await revive(on, id)
      await on.gate.register({ ...on.person(), invitation: token })
      return [named('invitation-reused', id)]
    },
  },
  {
    name: 'an invitation that nobody has given out',
    async forge(on) {
      const { kysely } = on.direct
      const { id } = await on.gate.invitations.create()
      const forged = generateId('invitation', on.clock.now())
      const row = await kysely
        .selectFrom('gatebook_one_time_token')
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirstOrThrow()
      await kysely
        .insertInto('gatebook_one_time_token')
        .values({ ...row, id: forged, secret_digest: 'A'.repeat(43 - forged.length) + forged })
        .execute()
      return [named('invitation-without-event', forged)]
    },
  },
  {
    name: 'a hold that is deleted',
    async forge(on) {
      const { id } = await on.gate.log.holds.add({ reason: 'court', userId: 4711 })
      await on.direct.kysely.deleteFrom('gatebook_hold').where('id', '=', id).execute()
      return [named('hold-missing', id)]
    },
  },
  {
    name: 'a hold that was released',
    async forge(on) {
      const { id } = await on.gate.log.holds.add({ reason: 'court', userId: 4711 })
      const row = await readHold(on, id)
      await on.gate.log.holds.release(id)
      await on.direct.kysely.insertInto('gatebook_hold').values(row).execute()
      return [named('hold-revived', id)]
    },
  },
  {
    name: 'a hold that nobody has added',
    async forge(on) {
      const { id } = await on.gate.log.holds.add({ reason: 'court', userId: 4711 })
      const row = await readHold(on, id)
      const copy = { ...row, id: `${id.slice(0, -1)}${id.endsWith('0') ? '1' : '0'}` }
      await on.direct.kysely.insertInto('gatebook_hold').values(copy).execute()
      return [named('hold-without-event', copy.id)]
    },
  },
  {
    name: 'a signing key',
    async forge(on) {
      const row = await readKey(on, (await on.gate.keys.list())[0]!.id)
      const kid = generateId('key', on.clock.now())
      const verifying = { kid, state: 'retiring', active_for: null, pending_for: null, retires_at: 9e12 } as const
      await on.direct.kysely
        .insertInto('gatebook_signing_key')
        .values({ ...row, ...verifying })
        .execute()
      return [named('key-without-event', kid)]
    },
  },
  {
    name: 'the public half of a signing key',
    async forge(on) {
      const { id } = await on.gate.keys.rotate()
      const other = (await on.gate.keys.list()).find((key) => key.id !== id)!
      const { public_jwk: publicJwk } = await readKey(on, other.id)
      await on.direct.kysely
        .updateTable('gatebook_signing_key')
        .set({ public_jwk: publicJwk })
        .where('kid', '=', id)
        .execute()
      return [named('key-differs', id)]
    },
  },
  {
    name: 'a signing key that was revoked',
    async forge(on) {
      const { id } = (await on.gate.keys.list()).find(({ state }) => state === 'active')!
      await on.gate.keys.revoke(id)
      const verifying = { state: 'retiring', retires_at: 9e12 } as const
      await on.direct.kysely.updateTable('gatebook_signing_key').set(verifying).where('kid', '=', id).execute()
      return [named('key-revived', id)]
    },
  },
]

function readKey({ direct }: TestGate, kid: string) {
  return direct.kysely.selectFrom('gatebook_signing_key').selectAll().where('kid', '=', kid).executeTakeFirstOrThrow()
}

function hashOf(password: string, memoryKib = 1024): Promise<string> {
  return createArgon2idHasher({ memoryKib, iterations: 1, parallelism: 1 }).hash(password)
}

describe.each(availableEngines)('reconciliation on $name finds', (engine) => {
  let on: TestGate
  /** What the forgeries before have left. */
  let known: readonly string[] = []
  beforeAll(async () => {
    on = await openGate(engine, FLOW_OPTIONS)
  })
  afterAll(() => on.close())

  test.each(FORGERIES)('$name', async ({ forge }) => {
    const expected = await forge(on)
    const found = (await runReconcile(on)).map(({ verdict, code, id }) => {
      expect(verdict).toBe(isForgery(code) ? 'finding' : 'unverifiable')
      return named(code, id)
    })
    const more = found.filter((each) => !known.includes(each))
    known = found
    expect(more.sort()).toEqual([...expected].sort())
  })
})
