/**
 * Look at an address as an admin or an operator.
 *
 * Events: `log.read`, as every search leaves it.
 */
import type { AddressReport, AddressWindow, RequestContext } from '../api.ts'
import { reportAddress } from '../log/address-report.ts'
import { namesOfFilter } from '../log/event-filter.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

export async function readAddress(
  { store, log, settings }: Pick<FlowParts, 'store' | 'log' | 'settings'>,
  address: string,
  window: AddressWindow,
  context: RequestContext,
): Promise<AddressReport> {
  const { report, events } = await reportAddress(store, address, window, settings.clock.now())
  const filters = namesOfFilter({ ip: address, ...window })
  const source = eventSource(context, { kind: 'application' })
  await store.transaction((tx) =>
    log.append(tx, [{ ...source, type: 'log.read', outcome: 'success', data: { filters, returned: events } }]),
  )
  return report
}
