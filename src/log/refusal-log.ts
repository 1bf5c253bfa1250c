import type { EventTypeName } from '../event/catalogue.ts'
import type { NewEvent } from '../event/event.ts'
import type { Store } from '../store/store.ts'
import { addressPrefix } from '../util/address.ts'
import type { Clock } from '../util/clock.ts'
import type { EventLog } from './log.ts'

/** Refusals of one type from one prefix that are events of their own, in each window. */
export const EXACT_REFUSALS = 100
const WINDOW_MILLISECONDS = 600_000
/** Prefixes that are told apart; what comes from more of them is counted together. */
const PREFIXES_KEPT = 10_000

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
}

interface Bucket {
  readonly type: EventTypeName
  windowAt: number
  seen: number
  /** Counted since the last flush. */
  counts: Map<string, number>
  countedFrom: number
  /** The last of them: its address stands for the prefix. */
  last: NewEvent | undefined
}

export function createRefusalLog(store: Store, log: EventLog, clock: Clock): RefusalLog {
  const buckets = new Map<string, Bucket>()
  const counted = new Set<Bucket>()

  function bucketOf(refusal: NewEvent, now: number): Bucket {
    const ip = refusal.network?.ip
    // What the throttle turned away costs nothing to make, so it must not use up the place of what was looked at.
    const kind = refusal.reason === 'throttled' ? `${refusal.type} throttled` : refusal.type
    const key = `${kind} ${ip === undefined ? 'unknown' : addressPrefix(ip)}`
    let bucket = buckets.get(key)
    if (bucket === undefined && buckets.size >= PREFIXES_KEPT) forgetOldWindows(now)
    if (bucket === undefined && buckets.size >= PREFIXES_KEPT) bucket = buckets.get(`${kind} others`)
    if (bucket === undefined) {
      bucket = {
        type: refusal.type as EventTypeName,
        windowAt: now,
        seen: 0,
        counts: new Map(),
        countedFrom: 0,
        last: undefined,
      }
      buckets.set(buckets.size >= PREFIXES_KEPT ? `${kind} others` : key, bucket)
    }
    return bucket
  }

  function forgetOldWindows(now: number): void {
    for (const [key, bucket] of buckets) {
      if (now - bucket.windowAt >= WINDOW_MILLISECONDS && !counted.has(bucket)) buckets.delete(key)
    }
  }

  return {
    async append(refusal, more = []) {
      const now = clock.now()
      const bucket = bucketOf(refusal, now)
      if (now - bucket.windowAt >= WINDOW_MILLISECONDS) {
        bucket.windowAt = now
        bucket.seen = 0
      }
      bucket.seen += 1
      const exact = bucket.seen <= EXACT_REFUSALS
      if (!exact) {
        const reason = refusal.reason ?? 'other'
        if (bucket.counts.size === 0) bucket.countedFrom = now
        bucket.counts.set(reason, (bucket.counts.get(reason) ?? 0) + 1)
        bucket.last = refusal
        counted.add(bucket)
      }
      const events = exact ? [refusal, ...more] : more
      if (events.length > 0) await store.transaction((tx) => log.append(tx, events))
    },

    async flush() {
      const full = [...counted]
      if (full.length === 0) return
      const events = full.map(summarize)
      const taken = full.map(({ counts, countedFrom }) => ({ counts, countedFrom }))
      for (const bucket of full) bucket.counts = new Map()
      counted.clear()
      try {
        await store.transaction((tx) => log.append(tx, events))
      } catch (error) {
        // They are not lost: the next flush takes them along.
        full.forEach((bucket, place) => {
          bucket.countedFrom = taken[place]!.countedFrom
          for (const [reason, count] of taken[place]!.counts)
            bucket.counts.set(reason, (bucket.counts.get(reason) ?? 0) + count)
          counted.add(bucket)
        })
        throw error
      }
    },
  }
}

/** The one event for all that were counted: exact numbers, the prefix by its last address, nobody's name. */
function summarize({ type, counts, countedFrom, last }: Bucket): NewEvent {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  return {
    type,
    outcome: 'denied',
    reason: 'flood',
    actor: { kind: 'anonymous' },
    ...(last?.network !== undefined && { network: { ipSource: last.network.ipSource, ...ipOf(last) } }),
    data: {
      count: total,
      counted_from: countedFrom,
      counts: [...counts].map(([reason, count]) => `${reason}:${count}`).sort(),
    },
  }
}

function ipOf({ network }: NewEvent): { readonly ip?: string } {
  return network?.ip === undefined ? {} : { ip: network.ip }
}
