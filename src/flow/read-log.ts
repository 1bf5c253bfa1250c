/**
 * Search the log as an admin or an operator.
 *
 * Events: `log.read` for each page, with the names of the filters and the number of events, never with their values.
 */
import type { EventFilter, Page, PageOptions, RequestContext } from '../api.ts'
import type { LogEvent } from '../event/event.ts'
import { namesOfFilter } from '../log/event-filter.ts'
import type { EventReader } from '../log/reader.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

export async function readLog(
  { store, log }: Pick<FlowParts, 'store' | 'log'>,
  reader: EventReader,
  filter: EventFilter,
  options: PageOptions,
  context: RequestContext,
): Promise<Page<LogEvent>> {
  const page = await reader.search(filter, options)
  const source = eventSource(context, { kind: 'application' })
  await store.transaction((tx) =>
    log.append(tx, [
      {
        ...source,
        type: 'log.read',
        outcome: 'success',
        data: { filters: namesOfFilter(filter), returned: page.items.length },
      },
    ]),
  )
  return page
}
