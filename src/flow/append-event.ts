/**
 * Append an event of the application's own, in a transaction of its own or in the application's.
 *
 * Events: `app.*`.
 */
import type { AppendOptions, NewApplicationEvent } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { findEventType } from '../event/catalogue.ts'
import { encodeEvent } from '../event/encode.ts'
import type { NewEvent } from '../event/event.ts'
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
  if (!event.type.startsWith('app.') || findEventType(event.type) === null) {
    throw new GatebookError('ERR_EVENT_INVALID', {
      detail: 'type must be app. and words of a-z and 0-9 separated by dots or dashes',
    })
  }
  if (event.sessionId !== undefined && !isId('session', event.sessionId)) {
    throw new GatebookError('ERR_EVENT_INVALID', { detail: 'sessionId must be the id of a session' })
  }
  const subject = event.userId === undefined ? undefined : parseUserId(event.userId)
  const { tx: hostTransaction, ...context } = options
  const fact: NewEvent = {
    ...eventSource(context, { kind: 'application' }),
    type: event.type,
    outcome: event.outcome ?? 'success',
    ...(subject !== undefined && { subject }),
    ...(event.sessionId !== undefined && { sessionId: event.sessionId }),
    ...(event.data !== undefined && { data: event.data }),
  }
  requireEncodable(fact)
  const append = (tx: Transaction) => log.append(tx, [fact])
  // A member that is there and undefined is a variable that was meant to hold a transaction.
  const [id] = 'tx' in options ? await store.within(hostTransaction, append) : await store.transaction(append)
  return id!
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
