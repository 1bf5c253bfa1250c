import type { EventFilter } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { EVENT_TYPES, type EventType, findEventType, type Outcome } from '../event/catalogue.ts'
import { findNearest } from '../util/nearest.ts'
import { parseTime } from './parse-time.ts'

/** The filter flags as they were typed. */
export interface FilterFlags {
  readonly type?: string
  readonly outcome?: string
  readonly reason?: string
  readonly user?: string
  readonly identifier?: string
  readonly ip?: string
  readonly session?: string
  readonly request?: string
  readonly device?: string
  readonly since?: string
  readonly from?: string
  readonly until?: string
  readonly to?: string
}

/** Flag, name of its value, and what it is for: the rows of the help. */
export const FILTER_FLAGS: readonly (readonly [string, string])[] = [
  ['--type <type>', 'event type, or a group such as session.*'],
  ['--outcome <outcome>', 'success, failure or denied'],
  ['--reason <reason>', 'why something failed or ended, e.g. wrong-password'],
  ['--user <user>', 'id or identifier of the user that the event is about'],
  ['--identifier <text>', 'what was typed at a log-in, whether it belongs to a user or not'],
  ['--ip <address>', 'address, or CIDR such as 203.0.113.0/24'],
  ['--session <id>', 'session id'],
  ['--request <id>', 'request id, as in the answer to a client'],
  ['--device <id>', 'device id'],
]

export const TIME_FLAGS: readonly (readonly [string, string])[] = [
  ['--since <time>', 'from this time on: 15m, 24h, 7d, 2025-11-24, 2025-11-24T08:00+01:00 (also --from)'],
  ['--until <time>', 'before this time (also --to)'],
]

const OUTCOMES: readonly Outcome[] = ['success', 'failure', 'denied']
const REASONS: ReadonlySet<string> = new Set(
  (Object.values(EVENT_TYPES) as EventType[]).flatMap(({ reasons }) => [...reasons]),
)
const GROUPS: readonly string[] = [
  ...new Set(Object.keys(EVENT_TYPES).map((type) => `${type.split('.')[0]}.*`)),
  'app.*',
]

/** A filter that can match something, or ERR_USAGE: a misspelt type would answer "nothing happened". */
export function parseEventFilter(flags: FilterFlags, now: number): EventFilter {
  const { type, outcome, reason, user, identifier, ip, session, request, device } = flags
  if (type !== undefined && findEventType(type) === null && !/^[a-z]+(\.[a-z0-9-]+)*\.\*$/.test(type)) {
    throw unknown('--type', type, [...Object.keys(EVENT_TYPES), ...GROUPS])
  }
  if (outcome !== undefined && !OUTCOMES.includes(outcome as Outcome)) throw unknown('--outcome', outcome, OUTCOMES)
  if (reason !== undefined && !REASONS.has(reason)) throw unknown('--reason', reason, REASONS)
  const from = oneOf(flags.since, '--since', flags.from, '--from', now)
  const to = oneOf(flags.until, '--until', flags.to, '--to', now)
  if (from !== undefined && to !== undefined && from >= to) {
    throw new GatebookError('ERR_USAGE', { detail: '--until is not after --since, so that nothing can be in between.' })
  }
  const given = { type, outcome, reason, user, identifier, ip, session, request, device, from, to }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as EventFilter
}

function oneOf(
  first: string | undefined,
  firstFlag: string,
  second: string | undefined,
  secondFlag: string,
  now: number,
): number | undefined {
  if (first !== undefined && second !== undefined) {
    throw new GatebookError('ERR_USAGE', {
      detail: `${firstFlag} and ${secondFlag} mean the same; give one of the two.`,
    })
  }
  if (first !== undefined) return parseTime(first, firstFlag, now)
  return second === undefined ? undefined : parseTime(second, secondFlag, now)
}

function unknown(flag: string, typed: string, known: Iterable<string>): GatebookError {
  const all = [...known]
  const nearest = findNearest(typed, all)
  const hint = nearest === null ? `It is one of ${all.join(', ')}.` : `Did you mean ${nearest}?`
  return new GatebookError('ERR_USAGE', {
    detail: `${flag} does not know ${JSON.stringify(typed.slice(0, 100))}. ${hint}`,
  })
}
