import type { Settings } from '../options.ts'
import type { ThrottleTable } from '../store/tables.ts'

export type ThrottleScope = ThrottleTable['scope']

/** Scopes that have so many in a window. */
type WindowScope = Exclude<ThrottleScope, 'pair'>

export interface Counter {
  readonly failures: number
  /** When the first failure that counts was. */
  readonly windowAt: number
  /** No attempt before this instant. */
  readonly freeAt: number
}

export interface Verdict {
  /** The counter with this attempt counted as a failure; unchanged when it is refused. */
  readonly counter: Counter
  /** 0, or how long the caller has to wait. */
  readonly waitMilliseconds: number
  /** This attempt used up the last failure that was free. */
  readonly locks: boolean
}

const FIRST_WAIT = 1000

type Limits = Pick<
  Settings,
  | 'throttlePairFree'
  | 'throttlePairMaxWaitSeconds'
  | 'throttleAddressFailures'
  | 'throttleAddressWindowSeconds'
  | 'throttleAccountFailures'
  | 'throttleAccountWindowSeconds'
  | 'mailsPerHour'
>

/**
 * Counts one attempt. A pair of account and address (or known device) has some failures free, then waits that double from
 * one second; an address and an account have so many failures in a window that begins with the first one, and an account is
 * sent so many mails of a kind.
 */
export function countAttempt(scope: ThrottleScope, before: Counter, now: number, limits: Limits): Verdict {
  return scope === 'pair' ? countPair(before, now, limits) : countWindow(scope, before, now, limits)
}

function countPair(before: Counter, now: number, limits: Limits): Verdict {
  // A pair that has been quiet for as long as an account's window starts afresh.
  const forgotten = isOver(before.windowAt, limits.throttleAccountWindowSeconds * 1000, now)
  const failures = forgotten ? 0 : before.failures
  if (!forgotten && before.freeAt > now) return { counter: before, waitMilliseconds: before.freeAt - now, locks: false }
  const beyond = failures + 1 - limits.throttlePairFree
  const wait = beyond < 0 ? 0 : Math.min(FIRST_WAIT * 2 ** beyond, limits.throttlePairMaxWaitSeconds * 1000)
  return {
    counter: { failures: failures + 1, windowAt: now, freeAt: wait === 0 ? 0 : now + wait },
    waitMilliseconds: 0,
    locks: false,
  }
}

const HOUR_SECONDS = 3600

/** How many in a window of how many seconds. */
export function windowOf(scope: WindowScope, limits: Limits): readonly [allowed: number, seconds: number] {
  switch (scope) {
    case 'address':
      return [limits.throttleAddressFailures, limits.throttleAddressWindowSeconds]
    case 'account':
      return [limits.throttleAccountFailures, limits.throttleAccountWindowSeconds]
    case 'mail':
      return [limits.mailsPerHour, HOUR_SECONDS]
  }
}

function countWindow(scope: WindowScope, before: Counter, now: number, limits: Limits): Verdict {
  const [allowed, seconds] = windowOf(scope, limits)
  const window = seconds * 1000
  const over = before.failures === 0 || isOver(before.windowAt, window, now)
  const failures = over ? 0 : before.failures
  const windowAt = over ? now : before.windowAt
  if (failures >= allowed) return { counter: before, waitMilliseconds: windowAt + window - now, locks: false }
  return {
    counter: { failures: failures + 1, windowAt, freeAt: 0 },
    waitMilliseconds: 0,
    // That somebody has been sent enough mail locks nobody out.
    locks: scope !== 'mail' && failures + 1 === allowed,
  }
}

/** A window that begins in the future was begun by a clock that was ahead; it must not lock anybody until then. */
function isOver(windowAt: number, window: number, now: number): boolean {
  return now - windowAt >= window || windowAt > now
}
