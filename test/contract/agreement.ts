import { expect } from 'vitest'
import { computeLeafHash } from '../../src/log/leaf.ts'
import type { OpenDatabase } from '../../src/store/dialect.ts'
import type { Clock } from '../../src/util/clock.ts'
import { type TestGate, until } from '../support/gate.ts'

/**
 * What promise 1 says, as a calculation: the state that the events tell has to be the state of the tables, and the log has
 * to hold each event once. Knows nothing about flows, so it can be asked after anything.
 */
export async function expectAgreement({
  direct: { kysely },
  clock,
}: Pick<TestGate, 'direct'> & { readonly clock: Clock }): Promise<void> {
  await until('the queue runs empty', async () => {
    const waiting = await kysely
      .selectFrom('gatebook_queue')
      .select('number')
      .where('rejected_at', 'is', null)
      .execute()
    return waiting.length === 0
  })
  const { events, state } = await readAtOnce(kysely, () => clock.now())
  const told = new Map<string, string[]>()
  const tell = (fact: string, what: string): void => void told.set(fact, [...(told.get(fact) ?? []), what])
  const add = (fact: string, step: number): void => {
    told.set(fact, [String(Number(told.get(fact)?.[0] ?? 0) + step)])
  }
  for (const { type, reason, subject_id: subject, session_id: session, device_id: device, data } of events) {
    const details = data === null ? {} : JSON.parse(data)
    switch (type) {
      case 'user.registered':
        tell(`user ${subject}`, 'registered')
        if (details.confirmed) told.set(`confirmed ${subject}`, ['true'])
        if (details.invitation) tell(`invitation ${details.invitation}`, `used by ${subject}`)
        break
      case 'user.imported':
        tell(`user ${subject}`, 'registered')
        if (details.confirmed) told.set(`confirmed ${subject}`, ['true'])
        break
      case 'registration.requested':
        add('registrations that waited', 1)
        break
      case 'invitation.created':
        tell(`invitation ${details.invitation}`, 'created')
        break
      case 'invitation.revoked':
        tell(`invitation ${details.invitation}`, 'revoked')
        break
      case 'password.reset-requested':
        if (reason !== 'throttled') add('resets', 1)
        break
      case 'password.reset':
        add(`passwords ${subject}`, 1)
        add('resets used', 1)
        if (details.confirmed) told.set(`confirmed ${subject}`, ['true'])
        break
      case 'login.succeeded':
        tell(`session ${session}`, `of ${subject}`)
        tell(`session ${session}`, `on ${device}`)
        add(`refreshes ${session}`, 0)
        break
      case 'session.refreshed':
        if (reason === null) add(`refreshes ${session}`, 1)
        break
      case 'session.ended':
        tell(`end of ${session}`, String(reason))
        break
      case 'password.changed':
        add(`passwords ${subject}`, 1)
        break
      case 'user.disabled':
      case 'user.enabled':
        told.set(`disabled ${subject}`, [String(type === 'user.disabled')])
        break
      case 'role.granted':
        tell(`role ${subject} ${details.role}`, 'granted')
        break
      case 'role.revoked':
        told.delete(`role ${subject} ${details.role}`)
        break
      case 'key.created':
        tell(`key ${details.kid}`, 'created')
        break
    }
  }
  // Facts that are false and were never told are left out on both sides.
  for (const [fact, values] of told) if (values[0] === 'false') told.delete(fact)
  expect(sorted(state), 'the state of the tables is what the events tell').toEqual(sorted(told))
  await expectCompleteLog(kysely, events)
}

type Kysely = OpenDatabase['kysely']

/** Events and tables between which nothing has happened: sessions expire by themselves. */
async function readAtOnce(kysely: Kysely, now: () => number) {
  for (;;) {
    const events = await readEvents(kysely)
    const state = await readState(kysely, now())
    if ((await readEvents(kysely)).length === events.length) return { events, state }
  }
}

function readEvents(kysely: Kysely) {
  return kysely
    .selectFrom('gatebook_event')
    .select(['id', 'type', 'outcome', 'reason', 'subject_id', 'session_id', 'device_id', 'data'])
    .orderBy('number')
    .execute()
}

const CLOCK_SKEW = 60_000

function sorted(facts: ReadonlyMap<string, readonly string[]>): string[] {
  return [...facts].map(([fact, values]) => `${fact}: ${values.join(', ')}`).sort()
}

async function readState(kysely: Kysely, now: number): Promise<Map<string, string[]>> {
  const state = new Map<string, string[]>()
  const confirmed: string[] = []
  for (const row of await kysely.selectFrom('gatebook_user').select(['id', 'confirmed_at']).execute()) {
    state.set(`user ${row.id}`, ['registered'])
    if (row.confirmed_at !== null) confirmed.push(row.id)
  }
  const credentials = await kysely.selectFrom('gatebook_credential').select('user_id').execute()
  expect(credentials.map(({ user_id: id }) => `user ${id}`).sort(), 'every user has a password').toEqual(
    [...state.keys()].sort(),
  )
  for (const id of confirmed) state.set(`confirmed ${id}`, ['true'])
  await readOneTimeTokens(kysely, state)
  for (const row of await kysely.selectFrom('gatebook_subject').selectAll().execute()) {
    if (row.disabled_at !== null) state.set(`disabled ${row.id}`, ['true'])
    if (row.credential_version > 0) state.set(`passwords ${row.id}`, [String(row.credential_version)])
  }
  for (const { subject_id: subject, role } of await kysely.selectFrom('gatebook_role').selectAll().execute()) {
    state.set(`role ${subject} ${role}`, ['granted'])
  }
  for (const { kid } of await kysely.selectFrom('gatebook_signing_key').select('kid').execute()) {
    state.set(`key ${kid}`, ['created'])
  }
  const ended: string[] = []
  const needing: string[] = []
  for (const row of await kysely.selectFrom('gatebook_session').selectAll().execute()) {
    state.set(`session ${row.id}`, [`of ${row.subject_id}`, `on ${row.device_id}`])
    state.set(`refreshes ${row.id}`, [String(row.refresh_counter)])
    expect(row.ended_at === null, 'an end has its instant and its reason').toBe(row.end_reason === null)
    if (row.end_reason === null) continue
    ended.push(row.id)
    // Until the last of its access tokens would be refused anyway, by a clock that is behind.
    const needed = Number(row.access_expires_at) + CLOCK_SKEW
    if (needed > Number(row.ended_at) && needed > now) needing.push(row.id)
    state.set(`end of ${row.id}`, [row.end_reason])
  }
  const revocations = await kysely
    .selectFrom('gatebook_revocation')
    .select('session_id')
    .where('kind', '=', 'ended')
    .execute()
  const revoked = revocations.map(({ session_id: id }) => id)
  expect(revoked.length, 'no end is revoked twice').toBe(new Set(revoked).size)
  expect(
    needing.filter((id) => !revoked.includes(id)),
    'ends without a revocation',
  ).toEqual([])
  expect(
    revoked.filter((id) => !ended.includes(id)),
    'revocations without an end',
  ).toEqual([])
  return state
}

async function readOneTimeTokens(kysely: Kysely, state: Map<string, string[]>): Promise<void> {
  const rows = await kysely.selectFrom('gatebook_one_time_token').selectAll().execute()
  const set = (fact: string, found: readonly unknown[]): void => {
    if (found.length > 0) state.set(fact, [String(found.length)])
  }
  const resets = rows.filter(({ purpose }) => purpose === 'reset')
  set('resets', resets)
  set(
    'resets used',
    resets.filter(({ spent_at: at }) => at !== null),
  )
  set(
    'registrations that waited',
    rows.filter(({ purpose, identifier }) => purpose === 'confirm' && identifier !== null),
  )
  for (const row of rows.filter(({ purpose }) => purpose === 'invite')) {
    const facts = ['created']
    if (row.spent_by !== null) facts.push(`used by ${row.spent_by}`)
    if (row.revoked_at !== null) facts.push('revoked')
    state.set(`invitation ${row.id}`, facts)
  }
}

/** Every event has one leaf, in the queue or in the log, and the log has no gaps. A sequencer may be moving them. */
async function expectCompleteLog(kysely: Kysely, events: readonly { readonly id: string }[]): Promise<void> {
  const snapshot = kysely.transaction().setIsolationLevel('repeatable read')
  const { entries, queued, size } = await snapshot.execute(async (tx) => ({
    entries: await tx.selectFrom('gatebook_entry').selectAll().orderBy('log_index').execute(),
    queued: await tx.selectFrom('gatebook_queue').selectAll().execute(),
    size: (await tx.selectFrom('gatebook_log_state').select('size').executeTakeFirstOrThrow()).size,
  }))
  expect(entries.map(({ log_index: index }) => Number(index))).toEqual(entries.map((_entry, place) => place))
  expect(Number(size)).toBe(entries.length)
  const leaves = [...entries, ...queued].map(({ event_id: id }) => id)
  expect(leaves.sort(), 'each event is in the log once').toEqual(events.map(({ id }) => id).sort())
  for (const { leaf, leaf_hash: hash } of entries) expect(Buffer.from(hash)).toEqual(Buffer.from(computeLeafHash(leaf)))
  for (const { rejected_at: rejected } of queued) expect(rejected).toBeNull()
}
