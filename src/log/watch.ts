import type { EventFilter, WatchOptions, WatchStep } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { LogEvent } from '../event/event.ts'
import type { Diagnostics } from '../options.ts'
import type { IdentifierKeys } from '../user/identifier.ts'
import { type Loop, startLoop } from '../util/loop.ts'
import { encodeCursor, parseCursor } from './cursor.ts'
import { createMatcher } from './event-matcher.ts'
import type { EventReader } from './reader.ts'

const POLL_MILLISECONDS = 250
const BATCH = 500
/** What one watcher may be behind; beyond, it has to come back with its cursor and is given pages. */
const BUFFER_MOST = 1000

/** What all watchers of a process share: one reader of the log, however many they are. */
export interface LogWatch {
  watch(options?: WatchOptions): AsyncGenerator<WatchStep, void, void>
  /** Ends every watch, and lets none begin. */
  release(): void
  stop(): Promise<void>
}

interface Placed {
  readonly place: number
  readonly event: LogEvent
}

interface Watcher {
  readonly matches: (event: LogEvent) => boolean
  /** Place of the last event that it has, or that it did not want. */
  after: number
  readonly buffer: Placed[]
  overflowed: boolean
  ended: boolean
  wake: (() => void) | null
}

export interface LogWatchParts {
  readonly reader: EventReader
  readonly identifiers: IdentifierKeys
  readonly closing: AbortSignal
  readonly diagnostics: Diagnostics
}

/**
 * A watcher reads pages from the database until it has met the shared reader, and from then on takes from a buffer what that
 * reader finds. Both go by the place in the log, which has no gaps: nothing is missed between the two, and nothing comes twice.
 */
export function createLogWatch({ reader, identifiers, closing, diagnostics }: LogWatchParts): LogWatch {
  const all = new Set<Watcher>()
  /** Those that have met the shared reader. */
  const live = new Set<Watcher>()
  let place = -1
  let released = false
  let loop: Loop | undefined

  function end(watcher: Watcher): void {
    watcher.ended = true
    all.delete(watcher)
    live.delete(watcher)
    watcher.wake?.()
  }

  function release(): void {
    released = true
    for (const watcher of [...all]) end(watcher)
  }

  function hand(found: readonly Placed[]): void {
    for (const placed of found) {
      for (const watcher of live) {
        if (placed.place <= watcher.after || !watcher.matches(placed.event)) continue
        if (watcher.buffer.length < BUFFER_MOST) watcher.buffer.push(placed)
        else {
          watcher.overflowed = true
          live.delete(watcher)
        }
        watcher.wake?.()
      }
    }
  }

  /** One step of the shared reader; true when there is more. */
  async function advance(): Promise<boolean> {
    if (live.size === 0) return false
    const from = place
    const head = await reader.lastPlace()
    const found = head > from ? await reader.follow(from, {}, BATCH) : []
    // Meanwhile the last watcher has gone and another one has come, who began elsewhere.
    if (place !== from) return true
    // The log was set back, and gives these places anew.
    if (head < from) for (const watcher of live) watcher.after = Math.min(watcher.after, head)
    hand(found)
    const last = found.at(-1)?.place ?? from
    if (found.length === BATCH) place = last
    // What has no event any more must not be asked for again.
    else place = head > from ? Math.max(last, head) : head
    return found.length === BATCH
  }

  /** False when the shared reader is further on. */
  function join(watcher: Watcher, after: number): boolean {
    if (live.size === 0) place = after
    if (after < place) return false
    watcher.after = after
    live.add(watcher)
    loop ??= startLoop(POLL_MILLISECONDS, advance, (error) =>
      diagnostics.error({ err: error }, 'Reading the log for those who watch it failed; it is tried again.'),
    )
    return true
  }

  async function* catchUp(
    watcher: Watcher,
    from: number,
    filter: EventFilter,
    known: Set<string>,
  ): AsyncGenerator<WatchStep, number, void> {
    let at = from
    for (;;) {
      const head = await reader.lastPlace()
      while (at < head) {
        const page = await reader.follow(at, filter, BATCH)
        for (const placed of page) {
          if (watcher.ended) return at
          at = placed.place
          if (!known.delete(placed.event.id)) yield step('event', at, placed.event)
        }
        if (page.length < BATCH) at = Math.max(at, head)
      }
      if (watcher.ended || join(watcher, at)) return at
    }
  }

  async function* run(watcher: Watcher, options: WatchOptions): AsyncGenerator<WatchStep, void, void> {
    const { filter = {}, after, idleMilliseconds } = options
    // What was committed before now and gets its place only later is not new. Asked for first: what gets it in between is known.
    const known = new Set(after === undefined ? await reader.withoutPlace() : [])
    const head = await reader.lastPlace()
    const from = after === undefined ? head : parsePlace(after)
    // A backup has been brought back: its places are given anew.
    if (from > head) throw new GatebookError('ERR_CURSOR_INVALID')
    yield step('ready', from)
    let at = yield* catchUp(watcher, from, filter, known)
    while (!watcher.ended) {
      const next = watcher.buffer.shift()
      if (next !== undefined) {
        at = next.place
        if (!known.delete(next.event.id)) yield step('event', at, next.event)
      } else if (watcher.overflowed) {
        yield step('overflow', at)
        return
      } else if (!(await isWoken(watcher, idleMilliseconds)) && watcher.buffer.length === 0 && live.has(watcher)) {
        // Whoever comes back with this does not read again what the filter left out.
        at = Math.max(at, place)
        yield step('idle', at)
      }
    }
  }

  async function* watch(options: WatchOptions = {}): AsyncGenerator<WatchStep, void, void> {
    const { filter = {}, signal } = options
    if (signal?.aborted) return
    if (released) throw new GatebookError('ERR_CLOSED')
    const matches = createMatcher(filter, identifiers)
    const watcher: Watcher = { matches, after: -1, buffer: [], overflowed: false, ended: false, wake: null }
    const onAbort = () => end(watcher)
    all.add(watcher)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      yield* run(watcher, options)
    } catch (error) {
      // What was being read when everything was closed: the end, and no failure.
      if (!closing.aborted) throw error
    } finally {
      end(watcher)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  closing.addEventListener('abort', release, { once: true })
  return { watch, release, stop: async () => loop?.stop() }
}

function step(kind: 'event', place: number, event: LogEvent): WatchStep
function step(kind: 'ready' | 'idle' | 'overflow', place: number): WatchStep
function step(kind: WatchStep['kind'], place: number, event?: LogEvent): WatchStep {
  const cursor = encodeCursor(`${CURSOR_KIND}${place}`)
  return (event === undefined ? { kind, cursor } : { kind, cursor, event }) as WatchStep
}

/** Numbers of events, which the cursors of pages hold, are no places. */
const CURSOR_KIND = 'place:'

function parsePlace(cursor: string): number {
  const text = parseCursor(cursor)
  if (!/^place:(?:-1|0|[1-9][0-9]{0,14})$/.test(text)) throw new GatebookError('ERR_CURSOR_INVALID')
  return Number(text.slice(CURSOR_KIND.length))
}

/** False when nothing came for so long. */
function isWoken(watcher: Watcher, milliseconds: number | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (woken: boolean) => {
      clearTimeout(timer)
      watcher.wake = null
      resolve(woken)
    }
    const timer = milliseconds === undefined ? undefined : setTimeout(() => settle(false), milliseconds)
    watcher.wake = () => settle(true)
  })
}
