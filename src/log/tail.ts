import { setTimeout as sleep } from 'node:timers/promises'
import type { EventFilter } from '../api.ts'
import type { LogEvent } from '../event/event.ts'
import type { EventReader } from './reader.ts'

const POLL_MILLISECONDS = 250
const BATCH = 200

export interface TailOptions {
  /** Begin with so many of the newest events; default 0. */
  readonly last?: number
  readonly filter?: EventFilter
  readonly signal?: AbortSignal
}

/**
 * Events by their place in the log, which has no gaps, so that one that commits late is not missed and none comes twice.
 * An event shows when it has been sequenced. Ends when one of the two signals is aborted.
 */
export async function* tailEvents(
  reader: EventReader,
  closing: AbortSignal,
  options: TailOptions = {},
): AsyncGenerator<LogEvent, void, void> {
  const { last = 0, filter = {} } = options
  const signal = options.signal === undefined ? closing : AbortSignal.any([closing, options.signal])
  if (signal.aborted) return
  reader.check(filter)
  try {
    yield* follow(reader, signal, last, filter)
  } catch (error) {
    // What was being read when everything was closed: the end, and no failure.
    if (!closing.aborted) throw error
  }
}

async function* follow(
  reader: EventReader,
  signal: AbortSignal,
  last: number,
  filter: EventFilter,
): AsyncGenerator<LogEvent, void, void> {
  // What was there before gets its place only now: it must not come behind, nor what is on the first page a second time. Asked
  // for first: what gets its place in between is known then, and behind the last one otherwise.
  const known = new Set(await reader.withoutPlace())
  let after = await reader.lastPlace()
  if (last > 0) {
    const { items } = await reader.search(filter, { limit: last })
    for (const event of items.toReversed()) {
      known.add(event.id)
      yield event
    }
  }
  while (!signal.aborted) {
    const head = await reader.lastPlace()
    const batch = head > after ? await reader.follow(after, filter, BATCH) : []
    for (const { place, event } of batch) {
      after = place
      if (!known.delete(event.id)) yield event
    }
    if (batch.length === BATCH) continue
    // What the filter left out must not be read again.
    after = Math.max(after, head)
    try {
      await sleep(POLL_MILLISECONDS, undefined, { signal })
    } catch {
      return
    }
  }
}
