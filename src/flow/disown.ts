/**
 * "This wasn't me": a user says of an event in the own history that somebody else did it. Its session ends with everything that came
 * of it, and with the log-in that it came of itself where an application was only handed the user; the device of the session is not known any more. Whoever can log in with the password can do so again, so the
 * application has to ask for a new one next.
 *
 * Events: `session.disowned`, once for each session; before it `session.ended` (disowned) where the session was live.
 */
import type { DisownedSession, RequestContext } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { EventReader } from '../log/reader.ts'
import { findHandedOver, lockLive, lockSession, type SessionRow } from '../session/session-row.ts'
import type { Transaction } from '../store/transaction.ts'
import { lockLivingSubject } from '../user/subject.ts'
import { isId } from '../util/id.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

export async function disown(
  parts: FlowParts,
  reader: Pick<EventReader, 'find'>,
  { userId, eventId }: { readonly userId: string; readonly eventId: string },
  context: RequestContext = {},
): Promise<DisownedSession> {
  const event = await reader.find(eventId)
  // Somebody else's is answered like none, so that ids cannot be tried out.
  if (event === null || event.subject !== userId) throw new GatebookError('ERR_EVENT_NOT_FOUND')
  const { sessionId } = event
  if (sessionId === null) throw new GatebookError('ERR_EVENT_NOT_DISOWNABLE')
  const source = eventSource(context, { kind: 'user', id: userId })
  return parts.store.transaction(async (tx) => {
    await lockLivingSubject(tx, userId, parts.settings.clock.now())
    const lineage = await lockLineage(tx, sessionId, userId)
    const session = await lockSession(tx, sessionId)
    const wasLive = session !== null && session.ended_at === null
    if (!wasLive && (await wasDisowned(tx, sessionId))) return { sessionId, wasLive: false }
    await parts.sessionEnder.end(tx, lineage, 'disowned', source)
    const deviceId = session?.device_id ?? event.deviceId
    const forgotten = deviceId !== null && (await forgetDevice(tx, deviceId, userId))
    await parts.log.append(tx, [
      {
        ...source,
        type: 'session.disowned',
        outcome: 'success',
        subject: userId,
        sessionId,
        data: { event: eventId, was_live: wasLive, device_forgotten: forgotten },
      },
    ])
    return { sessionId, wasLive }
  })
}

/** Whoever was handed over had the log-in as well, and may have been handed over elsewhere. */
async function lockLineage(tx: Transaction, sessionId: string, userId: string): Promise<readonly SessionRow[]> {
  if (!isId('session', sessionId)) return []
  const row = await tx.db
    .selectFrom('gatebook_session')
    .select('parent_id')
    .where('id', '=', sessionId)
    .executeTakeFirst()
  const root = row?.parent_id ?? sessionId
  // The log-in before what came of it, like everything that ends both.
  const first = await lockLive(tx, [root])
  return [...first, ...(await lockLive(tx, await findHandedOver(tx, userId, root)))]
}

async function wasDisowned({ db }: Transaction, sessionId: string): Promise<boolean> {
  const row = await db
    .selectFrom('gatebook_event')
    .select('number')
    .where('session_id', '=', sessionId)
    .where('type', '=', 'session.disowned')
    .executeTakeFirst()
  return row !== undefined
}

/** Its token would let whoever has it try passwords past the limit of the account. */
async function forgetDevice({ db }: Transaction, deviceId: string, userId: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('gatebook_device')
    .where('id', '=', deviceId)
    .where('subject_id', '=', userId)
    .executeTakeFirst()
  return numDeletedRows > 0n
}
