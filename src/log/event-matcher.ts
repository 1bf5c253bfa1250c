import type { EventFilter } from '../api.ts'
import type { LogEvent } from '../event/event.ts'
import type { ValueOperator } from '../query/operators.ts'
import type { IdentifierKeys } from '../user/identifier.ts'
import { parseCidrRange } from '../util/address.ts'
import { readFilter, type Wanted } from './event-filter.ts'

/** The values that `COLUMNS` names, of an event in memory. */
const VALUES: Readonly<Record<ValueOperator, (event: LogEvent) => string | null>> = {
  type: (event) => event.type,
  outcome: (event) => event.outcome,
  reason: (event) => event.reason,
  user: (event) => event.subject,
  identifier: (event) => event.identifierHmac,
  ip: (event) => (event.ip === null ? null : (parseCidrRange(event.ip)?.low ?? null)),
  session: (event) => event.sessionId,
  event: (event) => event.id,
  request: (event) => event.requestId,
  device: (event) => event.deviceId,
}

/**
 * Says of an event in memory what `applyFilter` says in SQL; MySQL takes a blank at the end of a value for none, and no id has one.
 * Throws ERR_QUERY_INVALID.
 */
export function createMatcher(filter: EventFilter, identifiers: IdentifierKeys): (event: LogEvent) => boolean {
  const { values, from, to } = readFilter(filter, identifiers)
  const conditions = values.map(({ member, not, wanted }) => {
    const has = holds(wanted)
    const read = VALUES[member]
    // An event without the value does not have any of these.
    return (event: LogEvent) => {
      const value = read(event)
      return value === null ? not : has(value) !== not
    }
  })
  return (event) =>
    (from === undefined || event.at >= from) &&
    (to === undefined || event.at < to) &&
    conditions.every((condition) => condition(event))
}

function holds({ exact, ranges }: Wanted): (value: string) => boolean {
  const single = new Set(exact)
  return (value) => single.has(value) || ranges.some(({ low, high }) => value >= low && value <= high)
}
