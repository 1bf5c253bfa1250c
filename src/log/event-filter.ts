import type { Expression, ExpressionBuilder, SelectQueryBuilder, SqlBool } from 'kysely'
import type { EventFilter, EventValues } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { isApplicationGroup, OPERATORS, typesOfGroup, VALUE_OPERATORS, type ValueOperator } from '../query/operators.ts'
import type { Tables } from '../store/tables.ts'
import type { IdentifierKeys } from '../user/identifier.ts'
import { parseCidrRange } from '../util/address.ts'

/** A query that has `gatebook_event` in it. */
export type EventQuery = SelectQueryBuilder<Tables, 'gatebook_event', object>

type Builder = ExpressionBuilder<Tables, 'gatebook_event'>
type Column = 'type' | 'outcome' | 'reason' | 'subject_id' | 'identifier_hmac' | 'ip_key' | 'session_id' | 'id'
type EventColumn = Column | 'request_id' | 'device_id'

/** Where each value stands, and whether there are events without it: SQL has no answer to whether NULL is another one. */
const COLUMNS: Readonly<Record<ValueOperator, { readonly column: EventColumn; readonly optional: boolean }>> = {
  type: { column: 'type', optional: false },
  outcome: { column: 'outcome', optional: false },
  reason: { column: 'reason', optional: true },
  user: { column: 'subject_id', optional: true },
  identifier: { column: 'identifier_hmac', optional: true },
  ip: { column: 'ip_key', optional: true },
  session: { column: 'session_id', optional: true },
  event: { column: 'id', optional: false },
  request: { column: 'request_id', optional: true },
  device: { column: 'device_id', optional: true },
}

/** What a list of values means for a column: single ones, and ranges with both ends in them. */
export interface Wanted {
  readonly exact: readonly string[]
  readonly ranges: readonly { readonly low: string; readonly high: string }[]
}

/** What a filter means, for whatever looks at events: a database, or memory. */
export interface FilterConditions {
  readonly values: readonly { readonly member: ValueOperator; readonly not: boolean; readonly wanted: Wanted }[]
  readonly from: number | undefined
  readonly to: number | undefined
}

const VALUES_MAX = 100

/** All conditions of a filter. Throws ERR_QUERY_INVALID, naming the member and what it may hold, never its value. */
export function readFilter(filter: EventFilter, identifiers: IdentifierKeys): FilterConditions {
  const values: { member: ValueOperator; not: boolean; wanted: Wanted }[] = []
  for (const member of VALUE_OPERATORS) {
    const wanted = readValues(filter, member, '', identifiers)
    if (wanted !== null) values.push({ member, not: false, wanted })
    const refused = readValues(filter.not ?? {}, member, 'not.', identifiers)
    if (refused !== null) values.push({ member, not: true, wanted: refused })
  }
  const { from, to } = filter
  return {
    values,
    from: from === undefined ? undefined : instant('from', from),
    to: to === undefined ? undefined : instant('to', to),
  }
}

/** What `createMatcher` says of an event, in SQL. Throws ERR_QUERY_INVALID. */
export function applyFilter(query: EventQuery, filter: EventFilter, identifiers: IdentifierKeys): EventQuery {
  const { values, from, to } = readFilter(filter, identifiers)
  let filtered = query
  for (const { member, not, wanted } of values) {
    filtered = filtered.where((eb) =>
      not ? hasNoneOf(eb, member, wanted) : hasOneOf(eb, COLUMNS[member].column, wanted),
    )
  }
  if (from !== undefined) filtered = filtered.where('gatebook_event.at', '>=', from)
  if (to !== undefined) filtered = filtered.where('gatebook_event.at', '<', to)
  return filtered
}

/** The names of what a filter asks for, for the log. */
export function namesOfFilter({ not = {}, ...filter }: EventFilter): readonly string[] {
  const given = (members: object): string[] =>
    Object.entries(members).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  return [...given(filter), ...given(not).map((name) => `not.${name}`)].sort()
}

function readValues(
  values: EventValues,
  member: ValueOperator,
  prefix: '' | 'not.',
  identifiers: IdentifierKeys,
): Wanted | null {
  const given = values[member]
  if (given === undefined) return null
  const list = typeof given === 'string' ? [given] : given
  const { expected, accepts } = OPERATORS[member]
  // Nobody is one of nobody: an empty list is a mistake of whoever has made it.
  if (list.length === 0 || list.length > VALUES_MAX) throw invalid(prefix + member, `1 to ${VALUES_MAX} values`)
  // What is no identifier has a code of its own, which the digest throws.
  if (member === 'identifier') return { exact: list.flatMap((typed) => identifiers.digests(typed)), ranges: [] }
  if (!list.every(accepts)) throw invalid(prefix + member, expected)
  if (member === 'ip') return wantedAddresses(list)
  if (member !== 'type') return { exact: list, ranges: [] }
  return {
    exact: list.flatMap((type) => (isApplicationGroup(type) ? [] : (typesOfGroup(type) ?? [type]))),
    ranges: list.filter(isApplicationGroup).map(rangeOfGroup),
  }
}

/** One address is compared as one, so that the index has its events in their order. */
function wantedAddresses(list: readonly string[]): Wanted {
  const ranges = list.map((cidr) => parseCidrRange(cidr)!)
  return {
    exact: ranges.filter(({ low, high }) => low === high).map(({ low }) => low),
    ranges: ranges.filter(({ low, high }) => low !== high),
  }
}

/** `app.order.*` from `app.order.` to before `app.order/`: the column is compared byte by byte, and no type has a "~". */
function rangeOfGroup(group: string): { low: string; high: string } {
  return { low: group.slice(0, -1), high: `${group.slice(0, -1)}~` }
}

function hasOneOf(eb: Builder, name: EventColumn, { exact, ranges }: Wanted): Expression<SqlBool> {
  const column = `gatebook_event.${name}` as const
  const alternatives = ranges.map(({ low, high }) => eb.and([eb(column, '>=', low), eb(column, '<=', high)]))
  if (exact.length === 1) alternatives.push(eb.and([eb(column, '=', exact[0]!)]))
  if (exact.length > 1) alternatives.push(eb.and([eb(column, 'in', exact)]))
  return alternatives.length === 1 ? alternatives[0]! : eb.or(alternatives)
}

function hasNoneOf(eb: Builder, member: ValueOperator, { exact, ranges }: Wanted): Expression<SqlBool> {
  const { column: name, optional } = COLUMNS[member]
  const column = `gatebook_event.${name}` as const
  const conditions = ranges.map(({ low, high }) => eb.or([eb(column, '<', low), eb(column, '>', high)]))
  if (exact.length > 0) conditions.push(eb.or([eb(column, 'not in', exact)]))
  const other = eb.and(conditions)
  return optional ? eb.or([eb(column, 'is', null), other]) : other
}

function instant(member: string, value: number): number {
  if (!Number.isSafeInteger(value)) throw invalid(member, 'epoch milliseconds')
  return value
}

function invalid(member: string, expected: string): GatebookError {
  return new GatebookError('ERR_QUERY_INVALID', { members: { members: [member], expected } })
}
