import type { NewEvent } from '../event/event.ts'
import { type Counted, createTally, PREFIXES_KEPT, prefixOf, type TallyParts } from './tally.ts'

/** Refusals of one type from one prefix that are events of their own, in each window. */
export const EXACT_REFUSALS = 100
const WINDOW_MILLISECONDS = 600_000

/**
 * Leaves the events of refusals, which an attacker can have as many of as he likes. The first hundred of an address prefix
 * in ten minutes are exact, and so are the first hundred that the throttle turned away: so every attempt at which a
 * password was looked at is exact, because the throttle lets through fewer. What comes after them is counted in memory
 * and appended every second as one event of reason `flood` for each prefix; a kill loses at most that second.
 *
 * Only the address, the time and what the client sees anyway (429 or not) decide, so that nothing can be read off it.
 */
export interface RefusalLog {
  /** One refusal in a transaction of its own, with the events that belong to it; or counted. */
  append(refusal: NewEvent, more?: readonly NewEvent[]): Promise<void>
  /** Appends what has been counted. */
  flush(): Promise<void>
  /** The same, but for what was counted at this very instant. */
  flushPast(): Promise<void>
}

interface Bucket {
  windowAt: number
  seen: number
}

export function createRefusalLog(parts: TallyParts): RefusalLog {
  const { store, log, clock } = parts
  const buckets = new Map<string, Bucket>()
  const tally = createTally(parts, summarize)

  function bucketOf(kind: string, refusal: NewEvent, now: number): Bucket {
    const key = `${kind} ${prefixOf(refusal)}`
    let bucket = buckets.get(key)
    if (bucket === undefined && buckets.size >= PREFIXES_KEPT) forgetOldWindows(now)
    if (bucket === undefined && buckets.size >= PREFIXES_KEPT) bucket = buckets.get(`${kind} others`)
    if (bucket === undefined) {
      bucket = { windowAt: now, seen: 0 }
      buckets.set(buckets.size >= PREFIXES_KEPT ? `${kind} others` : key, bucket)
    }
    return bucket
  }

  function forgetOldWindows(now: number): void {
    for (const [key, bucket] of buckets) {
      if (now - bucket.windowAt >= WINDOW_MILLISECONDS) buckets.delete(key)
    }
  }

  return {
    async append(refusal, more = []) {
      const now = clock.now()
      // What the throttle turned away costs nothing to make, so it must not use up the place of what was looked at.
      const kind = refusal.reason === 'throttled' ? `${refusal.type} throttled` : refusal.type
      const bucket = bucketOf(kind, refusal, now)
      if (now - bucket.windowAt >= WINDOW_MILLISECONDS) {
        bucket.windowAt = now
        bucket.seen = 0
      }
      bucket.seen += 1
      const exact = bucket.seen <= EXACT_REFUSALS
      if (!exact) tally.count(kind, refusal)
      const events = exact ? [refusal, ...more] : more
      if (events.length > 0) await store.transaction((tx) => log.append(tx, events))
    },
    flush: tally.flush,
    flushPast: tally.flushPast,
  }
}

/** The one event for all that were counted: exact numbers, the prefix, nobody's name. */
function summarize({ type, network, from, counts }: Counted): NewEvent {
  return {
    type,
    outcome: 'denied',
    reason: 'flood',
    actor: { kind: 'anonymous' },
    ...(network !== undefined && { network }),
    data: {
      count: [...counts.values()].reduce((sum, count) => sum + count, 0),
      counted_from: from,
      counts: [...counts].map(([reason, count]) => `${reason}:${count}`).sort(),
    },
  }
}
