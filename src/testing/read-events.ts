import type { EventFilter, Gatebook } from '../api.ts'
import type { LogEvent } from '../event/event.ts'

/** Every event that the filter lets through, oldest first, with those that were only counted until now. Throws ERR_QUERY_INVALID. */
export async function readEvents(gate: Gatebook, filter: EventFilter = {}): Promise<LogEvent[]> {
  await gate.log.flush()
  const events: LogEvent[] = []
  let cursor: string | undefined
  do {
    const page = await gate.log.search(filter, { limit: 500, ...(cursor !== undefined && { cursor }) })
    events.push(...page.items)
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
  return events.reverse()
}
