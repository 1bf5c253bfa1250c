/**
 * Append an event of the application's own, in a transaction of its own or in the application's.
 *
 * Events: `app.*`.
 */
import type { AppendOptions, NewApplicationEvent } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { findEventType } from '../event/catalogue.ts'
import { encodeEvent } from '../event/encode.ts'
import type { EventData, NewEvent } from '../event/event.ts'
import type { Transaction } from '../store/transaction.ts'
import { parseUserId } from '../user/user-id.ts'
import { isId } from '../util/id.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

export async function appendApplicationEvent(
  { store, log }: Pick<FlowParts, 'store' | 'log'>,
  event: NewApplicationEvent,
  options: AppendOptions = {},
): Promise<string> {
  // Read once: what was looked at is what is written, also where a member is a function of somebody's.
  const { type, outcome = 'success', userId, sessionId } = event
  const data = copyData(event.data)
  if (!type.startsWith('app.') || findEventType(type) === null) {
    throw new GatebookError('ERR_EVENT_INVALID', {
      detail: 'type must be app. and words of a-z and 0-9 separated by dots or dashes',
    })
  }
  if (sessionId !== undefined && !isId('session', sessionId)) {
    throw new GatebookError('ERR_EVENT_INVALID', { detail: 'sessionId must be the id of a session' })
  }
  const subject = userId === undefined ? undefined : parseUserId(userId)
  const { tx: hostTransaction, ...context } = options
  const fact: NewEvent = {
    ...eventSource(context, { kind: 'application' }),
    type,
    outcome,
    ...(subject !== undefined && { subject }),
    ...(sessionId !== undefined && { sessionId }),
    ...(data !== undefined && { data }),
  }
  requireEncodable(fact)
  const append = (tx: Transaction) => log.append(tx, [fact])
  // A member that is there and undefined is a variable that was meant to hold a transaction.
  const [id] = 'tx' in options ? await store.within(hostTransaction, append) : await store.transaction(append)
  return id!
}

function copyData(data: EventData | undefined): EventData | undefined {
  if (data === undefined) return undefined
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, isList(value) ? [...value] : value]))
}

function isList(value: unknown): value is readonly string[] {
  return Array.isArray(value)
}

/** Before anything is written: in the application's transaction a mistake must not cost more than this event. */
function requireEncodable(fact: NewEvent): void {
  try {
    encodeEvent(fact, '', 0)
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    throw new GatebookError('ERR_EVENT_INVALID', { cause: error, detail: problem })
  }
}
