import { createHash } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Tables } from '../../src/store/tables.ts'
import type { Ledger } from './load.ts'

/** Finds what is missing in the log or in the tables; an empty list when each answer, change and event has the other two. */
export async function checkBook(db: Kysely<Tables>, ledger: Ledger, stopped: boolean): Promise<string[]> {
  const users = await db.selectFrom('gatebook_user').select('id').execute()
  const sessions = await db
    .selectFrom('gatebook_session')
    .select(['id', 'refresh_counter', 'ended_at', 'end_reason'])
    .execute()
  const events = await db
    .selectFrom('gatebook_event')
    .select(['id', 'type', 'reason', 'subject_id', 'session_id'])
    .execute()
  const revocations = await db.selectFrom('gatebook_revocation').select('session_id').execute()
  const entries = await db
    .selectFrom('gatebook_entry')
    .select(['log_index', 'event_id', 'leaf', 'leaf_hash'])
    .orderBy('log_index')
    .execute()
  const queue = await db.selectFrom('gatebook_queue').select(['event_id', 'rejected_at']).execute()
  const { size } = await db.selectFrom('gatebook_log_state').select('size').executeTakeFirstOrThrow()

  const problems = [...ledger.problems]
  const expect = (holds: boolean, problem: string): void => void (holds || problems.push(problem))

  const registered = countBy(events, 'user.registered', 'subject_id')
  const started = countBy(events, 'login.succeeded', 'session_id')
  const ended = countBy(events, 'session.ended', 'session_id')
  const refreshed = countBy(
    events.filter(({ reason }) => reason !== 'grace'),
    'session.refreshed',
    'session_id',
  )
  const revoked = new Set(revocations.map(({ session_id: id }) => id))
  const userIds = new Set(users.map(({ id }) => id))
  const rows = new Map(sessions.map((row) => [row.id, row]))

  // What a client was told.
  for (const id of ledger.userIds) {
    expect(userIds.has(id), `a client was told of user ${id}, who has no row`)
    expect(registered.get(id) === 1, `a client was told of user ${id}, who has ${registered.get(id) ?? 0} events`)
  }
  for (const { id, counter, state } of ledger.sessions) {
    const row = rows.get(id)
    expect(started.has(id), `a client was told of session ${id}, which has no login.succeeded`)
    if (row === undefined) {
      problems.push(`a client was told of session ${id}, which has no row`)
      continue
    }
    const atMost = state === 'asking-refresh' ? counter + 1 : counter
    expect(
      row.refresh_counter >= counter && row.refresh_counter <= atMost,
      `session ${id} has counter ${row.refresh_counter}, its client has ${counter} (${state})`,
    )
    if (state === 'asking-logout') continue
    expect((row.ended_at !== null) === (state === 'ended'), `session ${id} is ${state} for its client, but not here`)
  }

  // Each change has its event, each event its change.
  for (const id of userIds)
    expect(registered.get(id) === 1, `user ${id} has ${registered.get(id) ?? 0} user.registered`)
  for (const id of registered.keys()) expect(userIds.has(id), `user.registered of ${id}, who has no row`)
  for (const { id, refresh_counter: counter, ended_at: endedAt } of sessions) {
    expect(started.get(id) === 1, `session ${id} has ${started.get(id) ?? 0} login.succeeded`)
    expect((refreshed.get(id) ?? 0) === counter, `session ${id}: counter ${counter}, events ${refreshed.get(id) ?? 0}`)
    const ends = endedAt === null ? 0 : 1
    expect((ended.get(id) ?? 0) === ends, `session ${id} has ended ${ends} times with ${ended.get(id) ?? 0} events`)
    expect(revoked.has(id) === (ends === 1), `session ${id} has ended ${ends} times, revoked: ${revoked.has(id)}`)
  }
  for (const [name, counts] of Object.entries({ started, refreshed, ended })) {
    for (const id of counts.keys()) expect(rows.has(id), `an event says that session ${id} was ${name}; it has no row`)
  }

  // Each event is in the log or on its way, once, and the log has no gap.
  const places = new Map<string, number>()
  for (const { event_id: id } of [...entries, ...queue]) places.set(id, (places.get(id) ?? 0) + 1)
  for (const { id, type } of events)
    expect(places.get(id) === 1, `${type} ${id} is ${places.get(id) ?? 0} times in the log`)
  expect(places.size === events.length, `${places.size} leaves for ${events.length} events`)
  expect(Number(size) === entries.length, `the log says ${size} and has ${entries.length} entries`)
  for (const [place, { log_index: index, leaf, leaf_hash: leafHash }] of entries.entries()) {
    expect(Number(index) === place, `entry ${index} stands at place ${place}`)
    const hash = createHash('sha256').update(Uint8Array.of(0)).update(leaf).digest()
    expect(hash.equals(leafHash), `entry ${index} is not what its hash is of`)
  }
  const rejected = queue.filter(({ rejected_at: at }) => at !== null).length
  expect(rejected === 0, `${rejected} events were rejected`)
  if (stopped) expect(queue.length === 0, `${queue.length} events were left in the queue by an orderly end`)
  return problems
}

function countBy<K extends 'subject_id' | 'session_id'>(
  events: readonly ({ readonly type: string } & Readonly<Record<K, string | null>>)[],
  type: string,
  key: K,
): Map<string, number> {
  const counts = new Map<string, number>()
  for (const event of events) {
    if (event.type === type) counts.set(event[key] ?? 'nobody', (counts.get(event[key] ?? 'nobody') ?? 0) + 1)
  }
  return counts
}
