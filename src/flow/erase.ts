/**
 * Erase the personal data of a user or of an identifier.
 *
 * Events: `session.ended` (user-deleted) for each live session, and at the end one `log.erased`, which names nobody.
 *
 * 1  one transaction, with the subject locked: nobody logs in as this user any more, sessions end, user, password and roles
 *    go. A row of `gatebook_erasure` says what is left to do.
 * 2  batch by batch: one-time tokens, sessions, devices, counters, events.
 * 3  one transaction: nothing is left, `log.erased`, and the row of step 1 goes.
 *
 * A kill leaves the row of step 1: the next call, or any server, goes on. Several may be at it at once: whoever takes the row
 * away ends it, and nobody takes anything afterwards, for `log.erased` has told how much it was. What somebody else was
 * writing about the user at the moment of step 1 is found in the day after it and emptied too (`under-way`).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type {
  ErasureCounts,
  ErasureOptions,
  ErasurePreview,
  ErasureReport,
  ErasureTarget,
  RequestContext,
} from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { ErasureScope } from '../log/erase-events.ts'
import { takeTurn } from '../log/forgetting-turn.ts'
import { findStandingHold } from '../log/hold.ts'
import { scrub } from '../log/scrub.ts'
import type { EndedSession, EventSource } from '../session/end-sessions.ts'
import { lockLiveSessions } from '../session/session-row.ts'
import type { Transaction } from '../store/transaction.ts'
import { normalizeIdentifier } from '../user/identifier.ts'
import { lockSubject } from '../user/subject.ts'
import { parseUserId } from '../user/user-id.ts'
import { generateId, isId } from '../util/id.ts'
import { eraseRows, FinishedElsewhere, refuse } from './erase-rows.ts'
import { type Erasure, findErasure, findErasureOf, insertErasure, lockErasure } from './erasure-row.ts'
import { eventSource } from './event-source.ts'
import { checkReference } from './hold.ts'
import { type Inspection, inspectScope } from './inspect-erasure.ts'
import type { FlowParts } from './parts.ts'

/** What is being written at the moment of the first step is there when the last one looks, except for what takes long. */
const SETTLE_MILLISECONDS = 250

export async function previewErasure(parts: FlowParts, target: ErasureTarget): Promise<ErasurePreview> {
  const { scope, inspection } = await inspectTarget(parts, target)
  const { counts, actsOnOthers, holds } = inspection
  return { userId: scope.subjectId, ...counts, actsOnOthers, holds }
}

export async function erase(
  parts: FlowParts,
  target: ErasureTarget,
  options: ErasureOptions = {},
  context: RequestContext = {},
): Promise<ErasureReport> {
  const reference = checkReference(options.reference)
  const { scope, inspection } = await inspectTarget(parts, target)
  const source = eventSource(context, { kind: 'application' })
  for (let seen = inspection; ; seen = await inspectScope(parts, seen.scope)) {
    refuse(seen.holds[0] ?? null)
    if (seen.isNothing) return { userId: scope.subjectId, ...NOTHING }
    const erasure = await begin(parts, seen, source, reference)
    const counts = erasure === null ? null : await finish(parts, erasure, source)
    // Not where somebody else has finished it: that may have been over what came since, and this call was made after it.
    if (counts !== null) return { userId: scope.subjectId, ...counts }
  }
}

const NOTHING: ErasureCounts = { events: 0, networks: 0, sessions: 0, devices: 0, tokens: 0, counters: 0 }

async function inspectTarget(
  parts: FlowParts,
  target: ErasureTarget,
): Promise<{ readonly scope: ErasureScope; readonly inspection: Inspection }> {
  const scope = await resolve(parts, target)
  const inspection = await inspectScope(parts, scope)
  if (scope.subjectId !== null && inspection.isUnknown) throw new GatebookError('ERR_USER_NOT_FOUND')
  return { scope, inspection }
}

async function resolve({ store, seal }: FlowParts, { userId, identifier }: ErasureTarget): Promise<ErasureScope> {
  if ((userId === undefined) === (identifier === undefined)) {
    throw new GatebookError('ERR_QUERY_INVALID', { members: { members: ['userId', 'identifier'], expected: 'one' } })
  }
  if (userId !== undefined) return { subjectId: parseUserId(userId), identifiers: [] }
  const key = normalizeIdentifier(identifier!)
  const unfinished = await store.read((db) => findErasureOf(db, seal, key))
  if (unfinished !== null) return unfinished.scope
  const user = await store.read((db) =>
    db.selectFrom('gatebook_user').select('id').where('identifier_key', '=', key).executeTakeFirst(),
  )
  return { subjectId: user?.id ?? null, identifiers: [key] }
}

/** Step 1; or the one that was taken before and not finished. Null when there is a hold that was not there before. */
async function begin(
  parts: FlowParts,
  { scope, knownHolds }: Inspection,
  source: EventSource,
  reference: string | null,
): Promise<Erasure | null> {
  const { store, settings, sessionEnder, seal } = parts
  const { subjectId } = scope
  const erasure = await store.transaction(async (tx) => {
    await takeTurn(tx)
    const holds = await parts.holds.read(tx.db)
    refuse(findStandingHold(holds, scope))
    if (holds.some(({ id }) => !knownHolds.has(id))) return null
    const known = await findErasure(tx.db, seal, scope)
    if (known !== null) return known
    const now = settings.clock.now()
    let reason: Erasure['reason'] = 'requested'
    if (subjectId !== null) {
      const subject = await lockSubject(tx, subjectId, now)
      // Somebody else has just finished it, or it was long ago: then this is about what came after.
      if (subject.erasedAt !== null) reason = 'under-way'
      const live: readonly EndedSession[] = await lockLiveSessions(tx, subjectId)
      await sessionEnder.end(tx, live, 'user-deleted', source)
      await removeUser(tx, subjectId, subject.erasedAt ?? now)
    }
    // Whoever is erased must not stand in the log as the one who asked for it.
    const { kind, id } = source.actor
    const actor = id === undefined || id === subjectId ? { kind } : { kind, id }
    return insertErasure(tx, seal, { id: generateId('erasure', now), scope, actor, reason, reference, now })
  })
  if (erasure !== null) parts.mails.forget([...(subjectId === null ? [] : [subjectId]), ...scope.identifiers])
  return erasure
}

/** The row of the subject stays, and with it nothing but that this id was erased: so nobody logs in under it again. */
async function removeUser(tx: Transaction, subjectId: string, now: number): Promise<void> {
  await tx.db
    .updateTable('gatebook_subject')
    .set((eb) => ({
      erased_at: now,
      disabled_at: now,
      generation: eb('generation', '+', 1),
      credential_version: eb('credential_version', '+', 1),
    }))
    .where('id', '=', subjectId)
    .execute()
  await tx.db.deleteFrom('gatebook_role').where('subject_id', '=', subjectId).execute()
  if (!isId('user', subjectId)) return
  await tx.db.deleteFrom('gatebook_credential').where('user_id', '=', subjectId).execute()
  await tx.db.deleteFrom('gatebook_user').where('id', '=', subjectId).execute()
}

/** Steps 2 and 3. Null when another process has finished it. */
export async function finish(parts: FlowParts, erasure: Erasure, source: EventSource): Promise<ErasureCounts | null> {
  const counts = await finishRows(parts, erasure, source)
  await scrub(parts, { erasure: erasure.id })
  return counts
}

async function finishRows(parts: FlowParts, erasure: Erasure, source: EventSource): Promise<ErasureCounts | null> {
  const { store, log } = parts
  try {
    // Twice, and not until nothing is left: whoever goes on typing the name must not keep this from coming to an end.
    await eraseRows(parts, erasure)
    await sleep(SETTLE_MILLISECONDS)
    await eraseRows(parts, erasure)
  } catch (error) {
    if (error instanceof FinishedElsewhere) return null
    throw error
  }
  return store.transaction(async (tx) => {
    await takeTurn(tx)
    const row = await lockErasure(tx, parts.seal, erasure.id)
    if (row === null) return null
    await tx.db.deleteFrom('gatebook_erasure').where('id', '=', row.id).execute()
    const total = Object.values(row.counts).reduce((sum, count) => sum + count, 0)
    // A user is gone in any case; beyond that, what has changed nothing leaves nothing.
    if (total === 0 && (row.scope.subjectId === null || row.reason === 'under-way')) return row.counts
    const { subjectId } = row.scope
    const isSelf = subjectId !== null && source.actor.id === subjectId
    const data = {
      scope: subjectId === null ? 'identifier' : 'user',
      ...row.counts,
      // Of one that somebody has copied, to have it told twice, an audit counts one.
      erasure: row.id,
      ...(row.reference !== null && { reference: row.reference }),
    }
    const actor = isSelf ? { kind: source.actor.kind } : source.actor
    await log.append(tx, [{ ...source, actor, type: 'log.erased', outcome: 'success', reason: row.reason, data }])
    return row.counts
  })
}
