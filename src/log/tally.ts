import type { EventTypeName } from '../event/catalogue.ts'
import type { Network, NewEvent } from '../event/event.ts'
import type { Store } from '../store/store.ts'
import { addressPrefix } from '../util/address.ts'
import type { Clock } from '../util/clock.ts'
import type { EventLog } from './log.ts'

/** Prefixes that are told apart; what comes from more of them is counted together. */
export const PREFIXES_KEPT = 10_000
const WINDOW_MILLISECONDS = 1000
/** Other writers wait for a transaction, so that of a large flood is in parts. */
const SUMMARIES_PER_TRANSACTION = 500

/** Refusals of one kind, from one address prefix, within a second. */
export interface Counted {
  readonly type: EventTypeName
  /** How many of each reason. */
  readonly counts: Map<string, number>
  /** Epoch milliseconds of the first. */
  readonly from: number
  /** The prefix, by the address of the first from there; absent where too many are counted together. */
  readonly network?: Network
  /** Of the first. */
  readonly requestId?: string
}

/**
 * Counts in memory what somebody can cause as often as he likes, and appends one summary for each kind and address prefix a
 * second. A kill loses at most the counts of that second.
 */
export interface Tally {
  /** Never throws and never waits. */
  count(kind: string, refusal: NewEvent): void
  /** Appends everything. Resolves when it is committed, also where another call was about to. */
  flush(): Promise<void>
  /** Leaves out what was counted at this very instant: while a clock stands still, only `flush` ends a window. */
  flushPast(): Promise<void>
}

/** Beyond either, what comes from more prefixes is counted together, for each kind. */
export interface TallyLimits {
  /** Prefixes in memory, of all kinds. */
  readonly kept: number
  /** Prefixes that get summaries of their own within a second, of all kinds, however often is appended. */
  readonly perWindow: number
}

export interface TallyParts {
  readonly store: Store
  readonly log: EventLog
  readonly clock: Clock
}

export function createTally(
  { store, log, clock }: TallyParts,
  summarize: (counted: Counted) => NewEvent,
  { kept, perWindow }: TallyLimits = { kept: PREFIXES_KEPT, perWindow: Number.POSITIVE_INFINITY },
): Tally {
  const open = new Map<string, Counted>()
  let closed: Counted[] = []
  let appending: Promise<void> = Promise.resolve()
  let window = { from: 0, begun: 0 }

  /** What an unreachable database leaves here has a bound as well: then windows grow longer instead of more. */
  const isFull = (): boolean => open.size + closed.length >= kept

  /** Whether one more prefix may have a summary of its own. A clock that is set back begins a window, too. */
  function hasRoom(now: number): boolean {
    if (Math.abs(now - window.from) >= WINDOW_MILLISECONDS) window = { from: now, begun: 0 }
    return window.begun < perWindow && !isFull()
  }

  function close(isDue: (counted: Counted) => boolean): void {
    for (const [key, counted] of open) {
      if (!isDue(counted)) continue
      open.delete(key)
      closed.push(counted)
    }
  }

  /** Closes what is due first, unless that would make too many. */
  function openAt(key: string, now: number): Counted | undefined {
    const counted = open.get(key)
    if (counted === undefined || now - counted.from < WINDOW_MILLISECONDS || isFull()) return counted
    close(({ from }) => now - from >= WINDOW_MILLISECONDS)
    return undefined
  }

  async function appendClosed(): Promise<void> {
    const taken = closed
    closed = []
    let appended = 0
    try {
      while (appended < taken.length) {
        const part = taken.slice(appended, appended + SUMMARIES_PER_TRANSACTION)
        await store.transaction((tx) => log.append(tx, part.map(summarize)))
        appended += part.length
      }
    } catch (error) {
      // They are not lost: the next time takes them along.
      closed = [...taken.slice(appended), ...closed]
      throw error
    }
  }

  function append(): Promise<void> {
    appending = appending.catch(() => undefined).then(appendClosed)
    return appending
  }

  /** Throws while the database cannot be reached: closing every second would add to memory for as long as that takes. */
  async function makeRoom(): Promise<void> {
    if (closed.length > 0 && isFull()) await append()
  }

  return {
    count(kind, refusal) {
      const now = clock.now()
      const own = `${kind} ${prefixOf(refusal)}`
      const others = openAt(own, now) === undefined && !hasRoom(now)
      const key = others ? `${kind} others` : own
      let counted = openAt(key, now)
      if (counted === undefined) {
        counted = beginCount(refusal, now, others)
        open.set(key, counted)
        if (!others) window.begun += 1
      }
      const reason = refusal.reason ?? 'other'
      counted.counts.set(reason, (counted.counts.get(reason) ?? 0) + 1)
    },

    async flush() {
      await makeRoom()
      close(() => true)
      await append()
    },

    async flushPast() {
      await makeRoom()
      const now = clock.now()
      close(({ from }) => from !== now)
      if (closed.length > 0) await append()
    },
  }
}

/** What counts as one client in a log of refusals. */
export function prefixOf({ network }: NewEvent): string {
  return network?.ip === undefined ? 'unknown' : addressPrefix(network.ip)
}

/** Holds on to nothing long, and to nobody's name. */
function beginCount({ type, network, requestId }: NewEvent, from: number, others: boolean): Counted {
  return {
    type: type as EventTypeName,
    counts: new Map(),
    from,
    ...(!others && network !== undefined && { network: slim(network) }),
    ...(requestId !== undefined && { requestId }),
  }
}

function slim({ ip, ipSource }: Network): Network {
  return { ipSource, ...(ip !== undefined && { ip }) }
}
