import { sql } from 'kysely'
import type { HoldTable } from '../../store/tables.ts'
import { EVIDENCE_COLUMNS, type EventColumnsRow, isProven, proveEvents } from './evidence.ts'
import { type NamedEvents, NO_EVENTS, readNamedEvents } from './named-rows.ts'
import { memberOf } from './roles.ts'
import { absenceProblem, BATCH, type CheckParts, type Problem, type RowCheck, unprovenProblem } from './row-check.ts'

const COLUMNS = ['id', 'created_at'] as const
type Row = Pick<HoldTable, (typeof COLUMNS)[number]>

/** Each hold was added, and has not been released. What it says is under a seal, which is looked at whenever something is forgotten. */
export function checkHolds(parts: CheckParts): RowCheck<Row> {
  const { store } = parts
  return {
    kind: 'hold',
    idOf: ({ id }) => String(id),
    read: (after) =>
      store.read((db) => {
        const query = db.selectFrom('gatebook_hold').select(COLUMNS).orderBy('id').limit(sql.lit(BATCH))
        return (after === null ? query : query.where('id', '>', after.id)).execute()
      }),
    find: ({ id }) =>
      store.read((db) => db.selectFrom('gatebook_hold').select(COLUMNS).where('id', '=', id).executeTakeFirst()),
    async judge(rows) {
      const found = await readNamedEvents(
        parts,
        ['log.held', 'log.released'],
        'hold',
        new Set(rows.map(({ id }) => id)),
      )
      return rows.map((row) => judgeHold(parts, row, found.get(row.id) ?? NO_EVENTS))
    },
  }
}

function judgeHold(parts: CheckParts, row: Row, { events, problems }: NamedEvents): readonly Problem[] {
  const found = [...problems]
  if (!events.some(({ leaf }) => leaf.type === 'log.held')) {
    const forgery: Problem = { code: 'hold-without-event', detail: 'no log.held' }
    found.push(absenceProblem(parts, 'log.held', row.created_at, forgery))
  }
  const released = events.find(({ leaf }) => leaf.type === 'log.released')
  if (released !== undefined) found.push({ code: 'hold-revived', detail: `released by ${released.leaf.id}` })
  return found
}

/** Each hold that the log knows and that was not released is in its table. */
export function checkHeld(parts: CheckParts): RowCheck<EventColumnsRow> {
  const { store, isAuthentic } = parts
  const isHeld = (db: Parameters<Parameters<typeof store.read>[0]>[0]) =>
    db.selectFrom('gatebook_event').select(EVIDENCE_COLUMNS).where('type', '=', 'log.held')
  return {
    kind: 'hold',
    idOf: ({ id, data }) => memberOf(data, 'hold') ?? id,
    keyOf: ({ number }) => [String(number).padStart(20, '0')],
    read: (after) =>
      store.read((db) => {
        const query = isHeld(db).orderBy('number').limit(sql.lit(BATCH))
        return (after === null ? query : query.where('number', '>', after.number)).execute()
      }),
    find: ({ number }) => store.read((db) => isHeld(db).where('number', '=', number).executeTakeFirst()),
    async judge(rows) {
      const proven = await proveEvents(store, rows, isAuthentic)
      // Only what can be an id: MySQL compares nothing else with one.
      const names = new Set(
        rows.map(({ data }) => memberOf(data, 'hold') ?? '').filter((name) => /^\w{1,64}$/.test(name)),
      )
      const named = await readNamedEvents(parts, ['log.released'], 'hold', names)
      const present = await store.read((db) =>
        db
          .selectFrom('gatebook_hold')
          .select('id')
          .where('id', 'in', [...names, ''])
          .execute(),
      )
      const ids = new Set(present.map(({ id }) => id))
      return proven.map((event) => {
        if (!isProven(event)) return [unprovenProblem(event)]
        const name = memberOf(event.columns.data, 'hold') ?? ''
        const isOver = (named.get(name) ?? NO_EVENTS).events.length > 0
        return isOver || ids.has(name) ? [] : [{ code: 'hold-missing', detail: `held by ${event.leaf.id}` }]
      })
    },
  }
}
