import type { EventFilter } from '../api.ts'
import { parseCidrRange } from '../util/address.ts'
import { findNearest } from '../util/nearest.ts'
import { parseInstant } from '../util/parse-instant.ts'
import {
  isApplicationGroup,
  OPERATOR_NAMES,
  OPERATORS,
  type OperatorName,
  typesOfGroup,
  VALUE_OPERATORS,
} from './operators.ts'
import { type Place, QueryError } from './query-error.ts'
import type { QueryTerm } from './query-term.ts'
import { splitTerms, type TypedTerm, type TypedValue } from './split-terms.ts'

export interface QueryOptions {
  /** Epoch milliseconds: what `since:24h` is before. */
  readonly now: number
  /** IANA name, for times without an offset; the zone of this machine unless given. */
  readonly timeZone?: string
}

export interface PlacedTerm extends QueryTerm, Place {}

export interface Query {
  readonly terms: readonly PlacedTerm[]
  /** What all the terms together ask for. */
  readonly filter: EventFilter
}

export const QUERY_MAX_LENGTH = 4_000
const VALUES_MAX = 100

/** What somebody types who does not know the operator. */
const OTHER_NAMES: Readonly<Record<string, OperatorName>> = {
  ...{ from: 'since', after: 'since', to: 'until', before: 'until', event_type: 'type', result: 'outcome' },
  ...{
    address: 'ip',
    cidr: 'ip',
    email: 'identifier',
    login: 'identifier',
    name: 'identifier',
    username: 'identifier',
  },
  ...{
    subject: 'user',
    user_id: 'user',
    session_id: 'session',
    request_id: 'request',
    device_id: 'device',
    id: 'event',
  },
}

/** `user:42 outcome:failure -reason:throttled since:24h`: all of it has to hold. Throws QueryError. */
export function parseQuery(text: string, options: QueryOptions): Query {
  if (text.length > QUERY_MAX_LENGTH) {
    throw new QueryError('ERR_QUERY_LENGTH', { start: QUERY_MAX_LENGTH, end: text.length }, 'Leave something out.')
  }
  const terms = splitTerms(text).map(readTerm)
  requireOnce(terms)
  const filter = toFilter(terms, options)
  requirePossible(terms, filter)
  return { terms, filter }
}

function readTerm(typed: TypedTerm): PlacedTerm {
  const { negated, start, end } = typed
  const broken = typed.values.find((value) => value.broken)
  if (broken !== undefined) {
    throw new QueryError('ERR_QUERY_QUOTE', broken, 'Quotes stand around a whole value; within them, \\" is a quote.')
  }
  const operator = typed.operator === null ? guessOperator(typed.values) : findOperator(typed.operator)
  const { time } = OPERATORS[operator]
  if (time === true && negated) {
    const other = operator === 'since' ? 'until' : 'since'
    throw new QueryError('ERR_QUERY_NEGATION', { start, end: start + 1 }, `Write ${other}: instead.`)
  }
  const most = time === true ? 1 : VALUES_MAX
  const beyond = typed.values[most]
  if (beyond !== undefined) {
    throw new QueryError('ERR_QUERY_VALUE', beyond, `It takes ${most === 1 ? 'one time' : `${most} values at most`}.`)
  }
  const values = typed.values.map((value) => readValue(operator, value))
  return { operator, negated, values, start, end }
}

function findOperator({ name, ...place }: NonNullable<TypedTerm['operator']>): OperatorName {
  const lower = name.toLowerCase()
  if (Object.hasOwn(OPERATORS, lower)) return lower as OperatorName
  const meant = Object.hasOwn(OTHER_NAMES, lower) ? OTHER_NAMES[lower]! : findNearest(lower, OPERATOR_NAMES)
  const hint = meant === null ? `Operators are ${OPERATOR_NAMES.join(', ')}.` : `Did you mean ${meant}?`
  throw new QueryError('ERR_QUERY_OPERATOR', place, hint)
}

/** Of values alone: what cannot be mistaken for anything else. */
function guessOperator(values: readonly TypedValue[]): OperatorName {
  const [first, ...more] = values.map((value) => ({ value, operator: guessOf(value) }))
  const other = more.find(({ operator }) => operator !== first!.operator)
  if (other !== undefined) {
    throw new QueryError('ERR_QUERY_TERM', other.value, 'Put a blank instead of the comma between different things.')
  }
  return first!.operator
}

function guessOf(value: TypedValue): OperatorName {
  const { text } = value
  if (text.trim() === '') throw missing(value, 'Write an operator, a colon and a value, such as outcome:failure.')
  if (parseCidrRange(text) !== null) return 'ip'
  const byPrefix = VALUE_OPERATORS.find((name) => text.startsWith(OPERATORS[name].prefix ?? '\0'))
  if (byPrefix !== undefined) return byPrefix
  if (text.includes('@')) return 'identifier'
  const known = VALUE_OPERATORS.map((name) => [name, findNearest(text, OPERATORS[name].known)] as const)
  const exact = known.find(([name]) => OPERATORS[name].known.includes(text))
  const near = exact ?? known.find(([, nearest]) => nearest !== null)
  if (exact !== undefined) throw new QueryError('ERR_QUERY_TERM', value, `Write ${exact[0]}:${text}.`)
  if (near !== undefined) throw new QueryError('ERR_QUERY_TERM', value, `Did you mean ${near[0]}:${near[1]}?`)
  throw new QueryError(
    'ERR_QUERY_TERM',
    value,
    'Write an operator in front of it, such as user: or identifier:, and put a value with a blank in quotes.',
  )
}

function readValue(operator: OperatorName, value: TypedValue): string {
  const { expected, known, accepts, time } = OPERATORS[operator]
  if (value.text.trim() === '') throw missing(value, `Behind ${operator}: stands ${expected}, without a blank between.`)
  if (accepts(value.text)) return value.text
  const nearest = time === true ? null : findNearest(value.text, known)
  throw new QueryError(
    'ERR_QUERY_VALUE',
    value,
    nearest === null ? `It takes ${expected}.` : `Did you mean ${nearest}?`,
  )
}

function missing({ start, end }: Place, hint: string): QueryError {
  return new QueryError('ERR_QUERY_VALUE_MISSING', { start, end }, hint)
}

/** Two that have to hold at once are mostly meant as "one of", which is written otherwise. Negated ones add up. */
function requireOnce(terms: readonly PlacedTerm[]): void {
  const seen = new Set<OperatorName>()
  for (const { operator, negated, start, end } of terms) {
    if (negated) continue
    if (seen.has(operator)) {
      const hint =
        OPERATORS[operator].time === true
          ? `Leave one ${operator}: out.`
          : `Put the values into one term, with commas between: ${operator}:…,…`
      throw new QueryError('ERR_QUERY_TWICE', { start, end }, hint)
    }
    seen.add(operator)
  }
}

function toFilter(terms: readonly PlacedTerm[], options: QueryOptions): EventFilter {
  const valuesOf = (negated: boolean): [string, string | string[]][] =>
    VALUE_OPERATORS.flatMap((operator) => {
      const found = terms.filter((term) => term.operator === operator && term.negated === negated)
      const values = [...new Set(found.flatMap((term) => term.values))]
      return values.length === 0 ? [] : [[operator, values.length === 1 ? values[0]! : values]]
    })
  const instantOf = (operator: 'since' | 'until'): number | null => {
    const term = terms.find((candidate) => candidate.operator === operator)
    return term === undefined ? null : parseInstant(term.values[0]!, options)
  }
  const not = valuesOf(true)
  const from = instantOf('since')
  const to = instantOf('until')
  return {
    ...Object.fromEntries(valuesOf(false)),
    ...(not.length > 0 && { not: Object.fromEntries(not) }),
    ...(from !== null && { from }),
    ...(to !== null && { to }),
  }
}

/** "Nothing happened" must not be the answer to a question that cannot have another one. */
function requirePossible(terms: readonly PlacedTerm[], { from, to }: EventFilter): void {
  if (from !== undefined && to !== undefined && from >= to) {
    const [second] = terms.filter(({ operator }) => OPERATORS[operator].time === true).slice(1)
    throw new QueryError('ERR_QUERY_CONTRADICTION', second!, 'until: has to be later than since:.')
  }
  for (const wanted of terms.filter(({ negated }) => !negated)) {
    const refused = terms.filter(({ operator, negated }) => negated && operator === wanted.operator)
    const excluded = refused.flatMap(({ values }) => values)
    const { operator } = wanted
    if (excluded.length > 0 && wanted.values.every((value) => excluded.some((one) => covers(operator, one, value)))) {
      const later = [wanted, ...refused].sort((a, b) => b.start - a.start)[0]!
      throw new QueryError('ERR_QUERY_CONTRADICTION', later, `It leaves out all that ${operator}: asks for.`)
    }
  }
}

/** Whether everything that `value` means is meant by `wide`, too, as far as that can be told from the texts. */
function covers(operator: OperatorName, wide: string, value: string): boolean {
  if (wide === value) return true
  if (operator === 'ip') {
    const [outer, inner] = [parseCidrRange(wide)!, parseCidrRange(value)!]
    return outer.low <= inner.low && inner.high <= outer.high
  }
  if (operator !== 'type') return false
  if (isApplicationGroup(wide)) return value.startsWith(wide.slice(0, -1))
  return typesOfGroup(wide)?.includes(value) === true
}
