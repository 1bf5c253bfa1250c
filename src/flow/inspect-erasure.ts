import { sql } from 'kysely'
import type { ErasureCounts } from '../api.ts'
import { type ErasureScope, listPaths, readConcerned, readNewest } from '../log/erase-events.ts'
import { createHoldCheck, findStandingHold, type HoldRow } from '../log/hold.ts'
import { normalizeIdentifier } from '../user/identifier.ts'
import { isId } from '../util/id.ts'
import { countCounters, walkTokens } from './erase-rows.ts'
import { findErasure } from './erasure-row.ts'
import type { FlowParts } from './parts.ts'

export interface Inspection {
  /** With every identifier that is known to be the user's. */
  readonly scope: ErasureScope
  readonly counts: ErasureCounts
  readonly actsOnOthers: number
  readonly holds: readonly string[]
  /** Every hold that there was when this began to look. */
  readonly knownHolds: ReadonlySet<string>
  /** There never was such a user. */
  readonly isUnknown: boolean
  /** All of it is gone already. */
  readonly isNothing: boolean
}

const BATCH = 500
/** Names that one user has been typed under; more is somebody's script. */
const IDENTIFIERS_MAX = 200

/** Looks, and changes nothing: a batch at a time, each along an index. */
export async function inspectScope(parts: FlowParts, given: ErasureScope): Promise<Inspection> {
  const { store, seal } = parts
  const { subjectId } = given
  const unfinished = await store.read((db) => findErasure(db, seal, given))
  const scope = await withIdentifiers(parts, unfinished?.scope ?? given)
  const rows = await store.read(parts.holds.read)
  const isHeld = createHoldCheck(rows, parts.identifiers)
  const holds = new Set<string>()
  const standing = findStandingHold(rows, scope)
  if (standing !== null) holds.add(standing)
  const seen = { events: 0, networks: 0 }
  const upTo = await store.read(readNewest)
  for (const path of listPaths(scope, parts.identifiers)) {
    for (let after = 0; ; ) {
      const { events, last } = await store.read((db) => readConcerned(db, scope, path, { after, upTo, limit: BATCH }))
      for (const event of events) {
        const hold = isHeld(event)
        if (hold !== null) holds.add(hold)
        seen.events += 1
        if (event.opensNetwork && !event.networkIsOfStaff) seen.networks += 1
      }
      if (last === null) break
      after = last
    }
  }
  if (subjectId !== null) {
    for (const hold of rows) if (await isSignedInDuring(parts, subjectId, hold)) holds.add(hold.id)
  }
  const subject = subjectId === null ? undefined : await findSubject(parts, subjectId)
  const counts = { ...seen, ...(await countRows(parts, scope)) }
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  const nothing = total === 0 && unfinished === null
  return {
    scope,
    counts,
    actsOnOthers: subjectId === null ? 0 : await countActsOnOthers(parts, subjectId),
    holds: [...holds],
    knownHolds: new Set(rows.map(({ id }) => id)),
    isUnknown: nothing && subject === undefined,
    isNothing: nothing && (subject === undefined || subject.erased_at !== null),
  }
}

/** The one that the user has, and the ones that the application's own login form was given for them. */
async function withIdentifiers(parts: FlowParts, scope: ErasureScope): Promise<ErasureScope> {
  const { subjectId } = scope
  if (subjectId === null) return scope
  const keys = new Set(scope.identifiers)
  // An id of the application's may have characters that the column of our own ids cannot be compared with.
  const user = isId('user', subjectId)
    ? await parts.store.read((db) =>
        db.selectFrom('gatebook_user').select('identifier_key').where('id', '=', subjectId).executeTakeFirst(),
      )
    : undefined
  if (user !== undefined) keys.add(user.identifier_key)
  const path = { column: 'subject_id', value: subjectId } as const
  const upTo = await parts.store.read(readNewest)
  for (let after = 0; keys.size < IDENTIFIERS_MAX; ) {
    const { events, last } = await parts.store.read((db) =>
      readConcerned(db, scope, path, { after, upTo, limit: BATCH }),
    )
    for (const { identifier } of events) {
      const key = identifier === null ? null : keyOf(identifier)
      if (key !== null) keys.add(key)
    }
    if (last === null) break
    after = last
  }
  return { subjectId, identifiers: [...keys] }
}

/** Cut to the cap of the log, a very long one is none any more. */
function keyOf(identifier: string): string | null {
  try {
    return normalizeIdentifier(identifier)
  } catch {
    return null
  }
}

async function findSubject({ store }: FlowParts, id: string): Promise<{ erased_at: number | null } | undefined> {
  return store.read((db) =>
    db.selectFrom('gatebook_subject').select('erased_at').where('id', '=', id).executeTakeFirst(),
  )
}

/** A hold on a time alone is also about whoever was signed in then and did nothing. */
async function isSignedInDuring({ store, settings }: FlowParts, subjectId: string, hold: HoldRow): Promise<boolean> {
  if (hold.subject_id !== null || hold.identifier !== null) return false
  const { from_at: from, to_at: to } = hold
  // The erasure would end one that is live now.
  const isLive = from === null || settings.clock.now() >= from
  const row = await store.read((db) =>
    db
      .selectFrom('gatebook_session')
      .select('id')
      .where('subject_id', '=', subjectId)
      .$if(from !== null, (query) =>
        query.where(({ eb, or }) => or([eb('ended_at', '>=', from), ...(isLive ? [eb('ended_at', 'is', null)] : [])])),
      )
      .$if(to !== null, (query) => query.where('created_at', '<', to))
      .limit(sql.lit(1))
      .executeTakeFirst(),
  )
  return row !== undefined
}

async function countRows(
  parts: FlowParts,
  scope: ErasureScope,
): Promise<Pick<ErasureCounts, 'sessions' | 'devices' | 'tokens' | 'counters'>> {
  let tokens = 0
  await walkTokens(parts, scope, async (ids) => {
    tokens += ids.length
  })
  const { subjectId } = scope
  const count = async (table: 'gatebook_session' | 'gatebook_device'): Promise<number> => {
    if (subjectId === null) return 0
    const { rows } = await parts.store.read((db) =>
      db
        .selectFrom(table)
        .select((eb) => eb.fn.countAll<number>().as('rows'))
        .where('subject_id', '=', subjectId)
        .executeTakeFirstOrThrow(),
    )
    return Number(rows)
  }
  return {
    sessions: await count('gatebook_session'),
    devices: await count('gatebook_device'),
    tokens,
    counters: await countCounters(parts, scope),
  }
}

async function countActsOnOthers({ store }: FlowParts, subjectId: string): Promise<number> {
  const { acts } = await store.read((db) =>
    db
      .selectFrom('gatebook_event')
      .select((eb) => eb.fn.countAll<number>().as('acts'))
      .where('actor_id', '=', subjectId)
      .where(({ eb, or }) =>
        or([
          eb('subject_id', '<>', subjectId),
          eb.and([eb('subject_id', 'is', null), eb('actor_kind', '<>', sql.lit('user'))]),
        ]),
      )
      .executeTakeFirstOrThrow(),
  )
  return Number(acts)
}
