import { sql } from 'kysely'
import { chunks } from '../../store/chunks.ts'
import type { Store } from '../../store/store.ts'
import type { SessionTable } from '../../store/tables.ts'
import { rotationState, sessionState } from '../row-state.ts'
import {
  EVIDENCE_COLUMNS,
  type EventColumnsRow,
  isProven,
  type Proven,
  proveEvents,
  type Unproven,
} from './evidence.ts'
import {
  absenceProblem,
  BATCH,
  type CheckParts,
  holdsState,
  type Problem,
  type RowCheck,
  unprovenProblem,
} from './row-check.ts'

const COLUMNS = [
  'id',
  'subject_id',
  'method',
  'roles',
  'claims',
  'client_id',
  'parent_id',
  'authenticated_at',
  'created_at',
  'absolute_expires_at',
  'refresh_counter',
  'rotations',
  'expires_at',
  'ended_at',
  'end_reason',
] as const
type Row = Pick<SessionTable, (typeof COLUMNS)[number]>

/** Events of one session, by their numbers. */
interface SessionEvents {
  /** Of `login.succeeded`: one, unless somebody has meddled. */
  readonly starts: readonly number[]
  readonly end?: number
  /** Of `session.refreshed`; only of a session that lives. */
  readonly refreshes?: {
    readonly newest: number
    readonly rotations: number
    /** Largest place in the log; null while all of them wait. */
    readonly lastPlace: number | null
  }
}

/**
 * A batch is one statement over the sessions and two over `by_session`, one look-up for each event that counts (the start, the end
 * or the newest refresh) and one for its entry. For a session that lives, each of its refreshes costs two look-ups more: the order
 * of events in the table proves nothing, that of their entries does.
 */
export function checkSessions(parts: CheckParts): RowCheck<Row> {
  const { store } = parts
  return {
    kind: 'session',
    idOf: ({ id }) => String(id),
    read: (after) =>
      store.read((db) => {
        const query = db.selectFrom('gatebook_session').select(COLUMNS).orderBy('id').limit(sql.lit(BATCH))
        return (after === null ? query : query.where('id', '>', after.id)).execute()
      }),
    find: ({ id }) =>
      store.read((db) => db.selectFrom('gatebook_session').select(COLUMNS).where('id', '=', id).executeTakeFirst()),
    async judge(rows) {
      const events = await readSessionEvents(store, rows)
      const numbers = [...events.values()].flatMap(({ starts, end, refreshes }) => [
        ...starts,
        ...(end === undefined ? [] : [end]),
        ...(refreshes === undefined ? [] : [refreshes.newest]),
      ])
      const proven = new Map(
        (await proveEvents(store, await readByNumber(store, numbers), parts.isAuthentic)).map((event) => [
          Number(event.columns.number),
          event,
        ]),
      )
      const closed = rows.filter((row) =>
        (events.get(row.id)?.starts ?? []).some((number) => proven.get(number)?.columns.salt_id === null),
      )
      const erased = await findErased(store, [...new Set(closed.map(({ subject_id: id }) => id))])
      return rows.map((row) => {
        const found = events.get(row.id) ?? { starts: [] }
        const look = (number: number) => proven.get(number)
        return [
          ...judgeStart(parts, row, found, look, erased.has(row.subject_id)),
          ...(row.ended_at === null ? judgeLife(row, found, look) : judgeEnd(parts, row, found, look)),
        ]
      })
    },
  }
}

type Look = (number: number) => Proven | Unproven | undefined

function judgeStart(
  parts: CheckParts,
  row: Row,
  { starts }: SessionEvents,
  look: Look,
  isErased: boolean,
): readonly Problem[] {
  const events = starts.flatMap((number) => look(number) ?? [])
  const problems = events.flatMap((event) => (isProven(event) ? [] : [unprovenProblem(event)]))
  const start = events.find(isProven)
  if (start === undefined) {
    const forgery: Problem = { code: 'session-without-event', detail: 'no login.succeeded' }
    // A session that lives is younger than any event may be that is forgotten for its age.
    if (row.ended_at === null) return [...problems, forgery]
    return [...problems, absenceProblem(parts, 'login.succeeded', row.created_at, forgery)]
  }
  const { leaf, columns } = start
  if (columns.salt_id === null) {
    // Whoever is erased has no session that lives: theirs end in the transaction that says so.
    const isForgotten = isErased && row.ended_at !== null
    return [...problems, { code: isForgotten ? 'user-erased' : 'event-closed', detail: `login.succeeded ${leaf.id}` }]
  }
  const { subject_id: subject } = columns
  if (subject !== row.subject_id) problems.push({ code: 'session-subject-differs', detail: `started by ${leaf.id}` })
  if (!holdsState(start, 'session', () => sessionState({ ...row, subject_id: subject ?? '' }))) {
    problems.push({ code: 'session-differs', detail: `started by ${leaf.id}` })
  }
  return problems
}

function judgeLife(row: Row, { starts, end, refreshes }: SessionEvents, look: Look): readonly Problem[] {
  const problems: Problem[] = []
  const ended = end === undefined ? undefined : look(end)
  if (ended !== undefined) {
    problems.push(
      isProven(ended) ? { code: 'session-revived', detail: `ended by ${ended.leaf.id}` } : unprovenProblem(ended),
    )
  }
  const newest =
    refreshes === undefined ? starts.flatMap((number) => look(number) ?? []).find(isProven) : look(refreshes.newest)
  // Nothing has started it, which was said already; or the event is gone since it was counted, and the row is looked at again.
  if (newest === undefined) return problems
  if (!isProven(newest)) return [...problems, unprovenProblem(newest)]
  const { leaf, columns, place } = newest
  if (refreshes?.lastPlace != null && refreshes.lastPlace > place) {
    problems.push({ code: 'event-order-differs', detail: `the newest by number is ${leaf.id}` })
  }
  if (columns.salt_id === null) problems.push({ code: 'event-closed', detail: `${leaf.type} ${leaf.id}` })
  else if (
    Number(row.refresh_counter) !== (refreshes?.rotations ?? 0) ||
    !holdsState(newest, 'rotation', () => rotationState(row))
  ) {
    problems.push({ code: 'session-rotation-differs', detail: `the newest is ${leaf.type} ${leaf.id}` })
  }
  return problems
}

function judgeEnd(parts: CheckParts, row: Row, { end }: SessionEvents, look: Look): readonly Problem[] {
  const ended = end === undefined ? undefined : look(end)
  if (ended === undefined) {
    const forgery: Problem = { code: 'session-ended-without-event', detail: 'no session.ended' }
    return [absenceProblem(parts, 'session.ended', row.ended_at!, forgery)]
  }
  if (!isProven(ended)) return [unprovenProblem(ended)]
  if (ended.leaf.reason === row.end_reason) return []
  return [{ code: 'session-end-differs', detail: `ended by ${ended.leaf.id}` }]
}

async function readSessionEvents(store: Store, rows: readonly Row[]): Promise<ReadonlyMap<string, SessionEvents>> {
  const found = new Map<string, SessionEvents>()
  const add = (id: string, more: Partial<SessionEvents>): void => {
    found.set(id, { ...(found.get(id) ?? { starts: [] }), ...more })
  }
  for (const ids of chunks(rows.map(({ id }) => id))) {
    const ends = await store.read((db) =>
      db
        .selectFrom('gatebook_event')
        .select((eb) => ['session_id', 'type', eb.fn.min('number').as('first'), eb.fn.max('number').as('last')])
        .where('session_id', 'in', ids)
        .where('type', 'in', ['login.succeeded', 'session.ended'])
        .groupBy(['session_id', 'type'])
        .execute(),
    )
    for (const { session_id: id, type, first, last } of ends) {
      if (type === 'session.ended') add(id!, { end: Number(last) })
      else add(id!, { starts: [...new Set([Number(first), Number(last)])] })
    }
  }
  for (const ids of chunks(rows.filter((row) => row.ended_at === null).map(({ id }) => id))) {
    const refreshes = await store.read((db) =>
      db
        .selectFrom('gatebook_event')
        .leftJoin('gatebook_entry', 'gatebook_entry.event_id', 'gatebook_event.id')
        .select((eb) => [
          'gatebook_event.session_id',
          eb.fn.max('gatebook_event.number').as('newest'),
          eb.fn.countAll().as('steps'),
          // Of a step that hands the same token out once more.
          eb.fn.count('gatebook_event.reason').as('graces'),
          eb.fn.max('gatebook_entry.log_index').as('last_place'),
        ])
        .where('gatebook_event.session_id', 'in', ids)
        .where('gatebook_event.type', '=', 'session.refreshed')
        .groupBy('gatebook_event.session_id')
        .execute(),
    )
    for (const { session_id: id, newest, steps, graces, last_place: lastPlace } of refreshes) {
      const rotations = Number(steps) - Number(graces)
      const place = lastPlace === null ? null : Number(lastPlace)
      add(id!, { refreshes: { newest: Number(newest), rotations, lastPlace: place } })
    }
  }
  return found
}

async function readByNumber(store: Store, numbers: readonly number[]): Promise<readonly EventColumnsRow[]> {
  const rows: EventColumnsRow[] = []
  for (const chunk of chunks(numbers)) {
    rows.push(
      ...(await store.read((db) =>
        db.selectFrom('gatebook_event').select(EVIDENCE_COLUMNS).where('number', 'in', chunk).execute(),
      )),
    )
  }
  return rows
}

async function findErased(store: Store, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const erased = new Set<string>()
  for (const chunk of chunks(ids)) {
    const rows = await store.read((db) =>
      db
        .selectFrom('gatebook_subject')
        .select('id')
        .where('id', 'in', chunk)
        .where('erased_at', 'is not', null)
        .execute(),
    )
    for (const { id } of rows) erased.add(id)
  }
  return erased
}
