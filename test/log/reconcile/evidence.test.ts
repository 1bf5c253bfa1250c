import { timingSafeEqual } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { SessionTokens } from '../../../src/api.ts'
import { encodeEvent } from '../../../src/event/encode.ts'
import { computeLeafHash, computeWriterMac } from '../../../src/log/leaf.ts'
import type { FoundEntry } from '../../../src/log/reconcile/evidence.ts'
import { rotationState, sessionState } from '../../../src/log/row-state.ts'
import { parseMasterSecret } from '../../../src/secret/master-secret.ts'
import { generateId } from '../../../src/util/id.ts'
import { availableEngines } from '../../support/engines.ts'
import { openOwnGate, SECRET, type TestGate } from '../../support/gate.ts'
import { codesOf, named, queueIsEmpty, verdictsOf } from './run-reconcile.ts'

type EventUpdate = Readonly<Record<string, string | number | null>>

async function updateEvent({ direct }: TestGate, sessionId: string, type: string, to: EventUpdate): Promise<void> {
  await direct.kysely
    .updateTable('gatebook_event')
    .set(to)
    .where('session_id', '=', sessionId)
    .where('type', '=', type)
    .execute()
}

async function startEventOf({ direct }: TestGate, { sessionId }: SessionTokens): Promise<string> {
  const { id } = await direct.kysely
    .selectFrom('gatebook_event')
    .select('id')
    .where('session_id', '=', sessionId)
    .where('type', '=', 'login.succeeded')
    .executeTakeFirstOrThrow()
  return id
}

/** Everything about the user of an event that an erasure takes out of it. */
const ERASED = {
  ...{ subject_id: null, subject_number: null, actor_id: null, identifier: null, identifier_mask: null },
  ...{ identifier_hmac: null, identifier_key: null, salt_id: null },
}

/** A session with an event that says all that it should, and whose MAC is somebody else's: made with the database alone. */
async function forgeWithEvent(on: TestGate, rejectedAt: number | null): Promise<string> {
  const { kysely, traits } = on.direct
  const at = on.clock.now()
  const [sessionId, eventId] = [generateId('session', at), generateId('event', at)]
  const row = {
    ...{ id: sessionId, subject_id: 'forger', method: 'password', roles: '["admin"]', claims: null, device_id: null },
    ...{ client_id: null, parent_id: null, authenticated_at: null },
    ...{ ip: null, user_agent: null, created_at: at, last_used_at: at, refresh_counter: 0, rotations: '' },
    ...{ expires_at: at + 1e9, absolute_expires_at: at + 2e9, access_expires_at: at, ended_at: null, end_reason: null },
  }
  const { columns, leaf } = encodeEvent(
    {
      ...{ type: 'login.succeeded', outcome: 'success', actor: { kind: 'user', id: 'forger' }, subject: 'forger' },
      ...{ sessionId, method: 'password', state: { session: sessionState(row), rotation: rotationState(row) } },
    },
    eventId,
    at,
  )
  const foreign = parseMasterSecret(SECRET.split('').reverse().join(''), 'secret').deriveCurrentKey('writer-mac')
  const leafHash = computeLeafHash(leaf)
  const mac = computeWriterMac(foreign, eventId, leafHash)
  await kysely.insertInto('gatebook_session').values(row).execute()
  await kysely
    .insertInto('gatebook_event')
    .values({ ...columns, subject_number: null, ip_key: null })
    .execute()
  if (traits.queued) {
    const waiting = { event_id: eventId, leaf, mac, rejected_at: rejectedAt }
    await kysely.insertInto('gatebook_queue').values(waiting).execute()
  } else if (rejectedAt === null) {
    const { size } = await kysely.selectFrom('gatebook_log_state').select('size').executeTakeFirstOrThrow()
    const entry = { log_index: Number(size), event_id: eventId, leaf, leaf_hash: leafHash, mac }
    await kysely.insertInto('gatebook_entry').values(entry).execute()
  }
  return sessionId
}

describe.each(availableEngines)('an event on $name', (engine) => {
  test('is believed for its entry, not for its columns', async () => {
    const on = await openOwnGate(engine)
    const { kysely } = on.direct
    const sessions = await Promise.all(
      Array.from({ length: 6 }, (_value, place) => on.gate.sessions.start(`app-${place}`)),
    )
    const [changed, moved, without, spoilt, foreign, unsalted] = sessions.map(({ sessionId }) => sessionId) as string[]
    await queueIsEmpty(on)
    expect(await codesOf(on)).toEqual([])
    // For a subject that the event did not have.
    await updateEvent(on, changed!, 'login.succeeded', { subject_id: 'forger' })
    await kysely.updateTable('gatebook_session').set({ subject_id: 'forger' }).where('id', '=', changed!).execute()
    // For another session than it has started.
    const other = generateId('session', on.clock.now())
    await updateEvent(on, moved!, 'login.succeeded', { session_id: other })
    await kysely.updateTable('gatebook_session').set({ id: other }).where('id', '=', moved!).execute()
    const remove = await startEventOf(on, sessions[2]!)
    await kysely.deleteFrom('gatebook_entry').where('event_id', '=', remove).execute()
    const spoil = await startEventOf(on, sessions[3]!)
    await kysely
      .updateTable('gatebook_entry')
      .set({ leaf: Buffer.from(`{"id":"${spoil}"}`) })
      .where('event_id', '=', spoil)
      .execute()
    // The leaf of another event, which is a leaf.
    const { leaf } = await kysely
      .selectFrom('gatebook_entry')
      .select('leaf')
      .where('event_id', '=', await startEventOf(on, sessions[5]!))
      .executeTakeFirstOrThrow()
    const exchange = await startEventOf(on, sessions[4]!)
    await kysely.updateTable('gatebook_entry').set({ leaf }).where('event_id', '=', exchange).execute()
    await updateEvent(on, unsalted!, 'login.succeeded', { salt_id: null })
    const expected = [
      ...[changed!, other, foreign!, unsalted!].map((id) => named('event-differs', id)),
      named('event-without-entry', without!),
      named('event-malformed', spoilt!),
      ...[changed!, other, without!, spoilt!, foreign!, unsalted!].map((id) => named('session-without-event', id)),
    ]
    expect((await codesOf(on)).sort()).toEqual(expected.sort())
  })

  test('that waits is believed only where somebody vouches for it, and one that was refused is not', async () => {
    const on = await openOwnGate(engine, { sequencerMilliseconds: 5000 })
    await on.gate.sessions.start('app-1')
    const forged = await forgeWithEvent(on, null)
    // Nobody was asked.
    expect(await codesOf(on)).toEqual([])
    const key = parseMasterSecret(SECRET, 'secret').deriveCurrentKey('writer-mac')
    const isAuthentic = ({ eventId, leaf, mac }: FoundEntry): boolean => {
      const own = computeWriterMac(key, eventId, computeLeafHash(leaf))
      return mac !== null && mac.length === own.length && timingSafeEqual(mac, own)
    }
    expect(await codesOf(on, { isAuthentic })).toEqual([
      named('event-not-authentic', forged),
      named('session-without-event', forged),
    ])
    const refused = await forgeWithEvent(on, 1)
    expect(await codesOf(on)).toEqual([named('event-without-entry', refused), named('session-without-event', refused)])
  })

  test('whose opening is gone tells nothing, which is odd unless its user was erased', async () => {
    const on = await openOwnGate(engine)
    const { kysely } = on.direct
    const [lives, ended, erased] = [
      await on.gate.sessions.start('app-1'),
      await on.gate.sessions.start('app-2'),
      await on.gate.sessions.start('app-3'),
    ]
    for (const { accessToken } of [ended, erased]) await on.gate.logout({ accessToken })
    const client = await on.gate.clients.create({ name: 'billing' }, { actor: { kind: 'user', id: 'app-3' } })
    const odd = await on.gate.clients.create({ name: 'odd' }, { actor: { kind: 'admin', id: 'app-3' } })
    await kysely.updateTable('gatebook_event').set(ERASED).where('type', 'in', CLOSED_TYPES).execute()
    await kysely.updateTable('gatebook_subject').set({ erased_at: 1 }).where('id', 'in', ['app-1', 'app-3']).execute()
    const expected = [
      `unverifiable ${named('user-erased', client.id)}`,
      `finding ${named('event-closed', odd.id)}`,
      `unverifiable ${named('user-erased', 'app-1')}`,
      `unverifiable ${named('user-erased', 'app-3')}`,
      // The sessions of whoever is erased end with that: one that lives was not there.
      `finding ${named('event-closed', lives.sessionId)}`,
      `finding ${named('event-closed', ended.sessionId)}`,
      `unverifiable ${named('user-erased', erased.sessionId)}`,
    ]
    expect(await verdictsOf(on)).toEqual(expected.sort())
  })

  test('that is gone is missed unless the log says that it has expired', async () => {
    const on = await openOwnGate(engine)
    const [lives, ended] = [await on.gate.sessions.start('app-1'), await on.gate.sessions.start('app-2')]
    await on.gate.logout({ accessToken: ended.accessToken })
    await on.direct.kysely.deleteFrom('gatebook_event').where('session_id', 'is not', null).execute()
    const missed = [
      named('session-without-event', lives.sessionId),
      named('session-without-event', ended.sessionId),
      named('session-ended-without-event', ended.sessionId),
    ]
    expect(await codesOf(on)).toEqual(missed.sort())
    const asked: string[] = []
    const explainAbsence = (type: string, at: number): 'event-expired' => {
      asked.push(`${type} ${at}`)
      return 'event-expired'
    }
    expect(await verdictsOf(on, { explainAbsence })).toEqual([
      // Whatever lives is younger than that.
      `finding ${named('session-without-event', lives.sessionId)}`,
      ...Array.from({ length: 2 }, () => `unverifiable ${named('event-expired', ended.sessionId)}`),
    ])
    const now = on.clock.now()
    expect([...new Set(asked)].sort()).toEqual([`login.succeeded ${now}`, `session.ended ${now}`])
  })

  test('that says two different things of one fact is told, a few times and not a million', async () => {
    const on = await openOwnGate(engine)
    const { userId } = await on.gate.sessions.start('app-1')
    await on.gate.users.grantRole(userId, 'editor')
    const { number: _number, ...row } = await on.direct.kysely
      .selectFrom('gatebook_event')
      .select(['number', 'type', 'outcome', 'at', 'actor_kind', 'subject_id', 'data', 'salt_id', 'salt_net'])
      .where('type', '=', 'role.granted')
      .executeTakeFirstOrThrow()
    const forged = Array.from({ length: 20 }, () => ({
      ...row,
      id: generateId('event', on.clock.now()),
      type: 'role.revoked',
    }))
    await on.direct.kysely
      .insertInto('gatebook_event')
      .values(forged as never)
      .execute()
    const id = `${userId} editor`
    expect(await codesOf(on)).toEqual(Array.from({ length: 4 }, () => named('event-without-entry', id)))
  })
})

const CLOSED_TYPES = ['login.succeeded', 'client.created']
