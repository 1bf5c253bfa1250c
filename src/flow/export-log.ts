/**
 * Take entries out of the log, for somebody else to check.
 *
 * Events: `log.exported` for each receipt and each run of entries that an admin or an operator asks for, before anything is
 * handed out; none for the application's own reading, which has no context.
 */
import type { EventReceipt, RequestContext } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { EventData } from '../event/event.ts'
import type { LogFiles } from '../log/log-files.ts'
import type { LogKeys } from '../log/log-keys.ts'
import { proveEvent } from '../log/prove.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

type Parts = Pick<FlowParts, 'store' | 'log'>

export async function proveForOthers(
  parts: Parts,
  keys: LogKeys,
  eventId: string,
  context: RequestContext | undefined,
): Promise<EventReceipt> {
  const receipt = await proveEvent(parts.store, keys, eventId)
  await leave(parts, context, { format: 'receipt', first: receipt.index, entries: 1 })
  return receipt
}

export async function* exportLeaves(
  parts: Parts,
  files: LogFiles,
  { from, to }: { readonly from: number; readonly to: number },
  context: RequestContext | undefined,
): AsyncGenerator<readonly Uint8Array[], void, void> {
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from < 0 || from > to) {
    throw new GatebookError('ERR_ARGUMENT_INVALID', { detail: 'log.leaves: from and to are no range of entries.' })
  }
  if (from === to) return
  await leave(parts, context, { format: 'tiles', first: from, entries: to - from })
  yield* files.leaves(from, to)
}

async function leave({ store, log }: Parts, context: RequestContext | undefined, data: EventData): Promise<void> {
  if (context === undefined) return
  const source = eventSource(context, { kind: 'application' })
  await store.transaction((tx) => log.append(tx, [{ ...source, type: 'log.exported', outcome: 'success', data }]))
}
