/**
 * Forgets what is older than the policy keeps it.
 *
 * The life of a boundary, for each rule: once a day it moves on. What is older is counted, without a lock; where there is
 * anything, `log.expired` announces the boundary in a transaction of its own; then the rows go, a few in each of many short
 * transactions, which remember how far they have come. A kill in between is continued by the next run, of any process, under
 * the announcement that is there. So an audit knows of each row that is empty or missing whether a rule announced it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { ExpiredCount, ExpiryReport } from '../api.ts'
import type { NewEvent } from '../event/event.ts'
import type { Settings } from '../options.ts'
import type { RowSeal } from '../secret/row-seal.ts'
import type { EventSource } from '../session/end-sessions.ts'
import { chunks } from '../store/chunks.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/transaction.ts'
import type { IdentifierKeys } from '../user/identifier.ts'
import { parseData } from './event-row.ts'
import { type RetentionState, readState, takeTurn, writeState } from './forgetting-turn.ts'
import { createHoldCheck, type HoldableRow } from './hold.ts'
import type { HoldReader } from './hold-reader.ts'
import type { EventLog } from './log.ts'
import { boundaryOf, covers, listRules, type RetentionRule, readPolicy } from './retention-policy.ts'
import { scrub } from './scrub.ts'

/** Rows that are looked at in one transaction. SQLite has one writer, and log-ins stand behind it. */
const BATCH = 250
/** Between two batches passes this much of the time that one has taken, so that everybody else has the database meanwhile. */
const PAUSE_FACTOR = 2

export interface RetentionParts {
  readonly store: Store
  readonly log: EventLog
  readonly settings: Settings
  readonly identifiers: IdentifierKeys
  readonly seal: RowSeal
  readonly holds: HoldReader
}

export interface ExpireOptions {
  /** Only counts. */
  readonly dryRun?: boolean
  readonly source: EventSource
  /** Ends the run between two batches; the next one goes on. */
  readonly signal?: AbortSignal
}

export async function expireLog(parts: RetentionParts, options: ExpireOptions): Promise<ExpiryReport> {
  const { settings } = parts
  const items: ExpiredCount[] = []
  for (const rule of listRules(await readPolicy(parts))) {
    const count = await runRule(parts, rule, options)
    const before = boundaryOf(rule, settings.clock.now())
    if (count > 0) items.push({ class: rule.class, actors: rule.actors, volume: rule.volume, before, count })
  }
  if (options.dryRun !== true && items.length > 0) await scrub(parts)
  return { dryRun: options.dryRun === true, items }
}

async function runRule(parts: RetentionParts, rule: RetentionRule, options: ExpireOptions): Promise<number> {
  const { store, settings } = parts
  const boundary = boundaryOf(rule, settings.clock.now())
  const state = await store.read((db) => readState(db, rule.name))
  if (state.done_at >= boundary) return 0
  if (options.dryRun === true) return countDue(parts, rule, state, boundary, options)
  let changed = 0
  // What was announced before and not finished needs no other announcement, unless it is to be kept longer by now.
  const announced = Math.min(state.before_at, boundary)
  if (state.done_at < announced) changed += await work(parts, rule, announced, options)
  if (announced < boundary && !isAborted(options)) {
    const from = await store.read((db) => readState(db, rule.name))
    const due = await countDue(parts, rule, from, boundary, options)
    if (isAborted(options)) return changed
    if (due > 0) {
      await announce(parts, rule, boundary, due, options.source)
      changed += await work(parts, rule, boundary, options)
    } else await pass(parts, from, boundary)
  }
  return changed
}

async function countDue(
  parts: RetentionParts,
  rule: RetentionRule,
  state: RetentionState,
  before: number,
  { signal }: ExpireOptions,
): Promise<number> {
  const { store, identifiers, holds } = parts
  const isHeld = createHoldCheck(await store.read(holds.read), identifiers)
  let due = 0
  for (let at = state; signal?.aborted !== true; ) {
    const begun = performance.now()
    const rows = await store.read((db) => readBatch(db, rule, at, before))
    due += rows.filter((row) => row.due && isHeld(row) === null).length
    if (rows.length < BATCH) return due
    at = reach(at, rows.at(-1)!)
    await pause(begun)
  }
  return due
}

async function announce(
  { store, log }: RetentionParts,
  rule: RetentionRule,
  before: number,
  count: number,
  source: EventSource,
): Promise<void> {
  await store.transaction(async (tx) => {
    await takeTurn(tx)
    const state = await readState(tx.db, rule.name)
    // Another process was quicker.
    if (state.before_at >= before) return
    await writeState(tx, { ...state, before_at: before })
    const { class: kind, actors, volume } = rule
    const data = { class: kind, actors, before, count, ...(volume !== null && { volume }) }
    await log.append(tx, [{ ...source, type: 'log.expired', outcome: 'success', data } satisfies NewEvent])
  })
}

/** There was nothing between the two, unless a hold that was released meanwhile has set the walk back. */
async function pass({ store }: RetentionParts, from: RetentionState, boundary: number): Promise<void> {
  await store.transaction(async (tx) => {
    await takeTurn(tx)
    const state = await readState(tx.db, from.name)
    if (state.done_at !== from.done_at || state.done_key !== from.done_key) return
    await writeState(tx, { ...state, done_at: boundary, done_key: '' })
  }, 'relaxed')
}

/** Walks on to `before`, which has been announced; the number of rows that went. */
async function work(
  parts: RetentionParts,
  rule: RetentionRule,
  before: number,
  { signal }: ExpireOptions,
): Promise<number> {
  const { store, identifiers } = parts
  let changed = 0
  while (signal?.aborted !== true) {
    const begun = performance.now()
    const result = await store.transaction(async (tx) => {
      // Waits where another process has it: each does a batch in turn, and neither ends before all is done.
      await takeTurn(tx)
      const state = await readState(tx.db, rule.name)
      if (state.done_at >= before || state.before_at < before) return 'done'
      const rows = await readBatch(tx.db, rule, state, before)
      const isHeld = createHoldCheck(await parts.holds.read(tx.db), identifiers)
      const due = rows.filter((row) => row.due && isHeld(row) === null)
      await forget(tx, rule, due)
      const finished = rows.length < BATCH
      await writeState(tx, finished ? { ...state, done_at: before, done_key: '' } : reach(state, rows.at(-1)!))
      return { finished, count: due.length }
    }, 'relaxed')
    // Another process has finished it, or a hold that was released asks for another announcement.
    if (result === 'done') return changed
    changed += result.count
    if (result.finished) return changed
    await pause(begun)
  }
  return changed
}

interface WalkedRow extends HoldableRow {
  /** Where the walk goes on: the number of an event, the id of a session. */
  readonly key: string
  readonly due: boolean
}

function reach(state: RetentionState, row: WalkedRow): RetentionState {
  return { ...state, done_at: row.at, done_key: row.key }
}

/** The next rows in the order of their age, due or not, so that a statement looks at no more than a batch. */
async function readBatch(
  db: Transaction['db'],
  rule: RetentionRule,
  { done_at: at, done_key: key }: RetentionState,
  before: number,
): Promise<readonly WalkedRow[]> {
  if (rule.class === 'session') return readSessions(db, at, key, before)
  const number = key === '' ? 0 : Number(key)
  const rows = await db
    .selectFrom('gatebook_event')
    .select(['number', 'at', 'type', 'actor_kind', 'actor_id', 'subject_id', 'identifier_hmac'])
    .select(sql<number>`case when salt_net is null then 0 else 1 end`.as('has_net'))
    .select(sql<string | null>`case when type = 'login.succeeded' then data end`.as('data'))
    .where('at', '>=', at)
    .where('at', '<', before)
    .where(({ eb, or }) => or([eb('at', '>', at), eb('number', '>', number)]))
    .orderBy('at')
    .orderBy('number')
    .limit(sql.lit(BATCH))
    .execute()
  return rows.map((row) => ({
    key: String(row.number),
    at: Number(row.at),
    subject_id: row.subject_id,
    actor_id: row.actor_id,
    identifier_hmac: row.identifier_hmac,
    due:
      covers(rule, { type: row.type, actorKind: row.actor_kind, data: parseData(row.data) }) &&
      (rule.class === 'event' || Number(row.has_net) === 1),
  }))
}

async function readSessions(
  db: Transaction['db'],
  at: number,
  key: string,
  before: number,
): Promise<readonly WalkedRow[]> {
  const rows = await db
    .selectFrom('gatebook_session')
    .select(['id', 'subject_id', 'created_at', 'ended_at'])
    .where('ended_at', '>=', at)
    .where('ended_at', '<', before)
    .where(({ eb, or }) => or([eb('ended_at', '>', at), eb('id', '>', key)]))
    .orderBy('ended_at')
    .orderBy('id')
    .limit(sql.lit(BATCH))
    .execute()
  return rows.map((row) => ({
    key: row.id,
    at: Number(row.ended_at),
    since: Number(row.created_at),
    subject_id: row.subject_id,
    due: true,
  }))
}

/** The columns that make up the network data of an event, and the salt that its commitment cannot be opened without. */
export const FORGOTTEN_NETWORK = {
  ip: null,
  ip_key: null,
  ip_source: null,
  user_agent: null,
  device_id: null,
  salt_net: null,
} as const

async function forget(tx: Transaction, rule: RetentionRule, rows: readonly WalkedRow[]): Promise<void> {
  for (const chunk of chunks(rows.map(({ key }) => key))) {
    if (rule.class === 'session') await tx.db.deleteFrom('gatebook_session').where('id', 'in', chunk).execute()
    else if (rule.class === 'event')
      await tx.db.deleteFrom('gatebook_event').where('number', 'in', chunk.map(Number)).execute()
    else
      await tx.db
        .updateTable('gatebook_event')
        .set(FORGOTTEN_NETWORK)
        .where('number', 'in', chunk.map(Number))
        .execute()
  }
}

function isAborted({ signal }: ExpireOptions): boolean {
  return signal?.aborted === true
}

async function pause(begun: number): Promise<void> {
  await sleep((performance.now() - begun) * PAUSE_FACTOR)
}
