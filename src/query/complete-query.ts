import { findEventType } from '../event/catalogue.ts'
import { formatValue } from './format-query.ts'
import { OPERATOR_NAMES, OPERATORS, type OperatorName } from './operators.ts'
import type { Place } from './query-error.ts'
import { splitTerms, type TypedTerm } from './split-terms.ts'

/** `text` is to stand in the query in the place of what is there from `start` to `end`. */
export interface Suggestion extends Place {
  readonly text: string
  /** What it means; empty where there is nothing to say. */
  readonly about: string
}

/**
 * What may be meant at a place of a query that is being typed (an offset, from 0): behind an operator its values, elsewhere
 * operators and then values with theirs. The best first; nothing where values are not known.
 */
export function completeQuery(text: string, cursor: number): readonly Suggestion[] {
  const terms = splitTerms(text)
  const term = terms.find(({ start, end }) => start <= cursor && cursor <= end)
  if (term?.operator != null && cursor >= term.operator.end) return completeValue(term, cursor, text)
  const others = terms.filter((other) => other !== term && !other.negated).map(({ operator }) => operator?.name)
  const start = term === undefined ? cursor : term.start + (term.negated ? 1 : 0)
  const end = term === undefined ? cursor : (term.operator?.end ?? term.end)
  const typed = text.slice(start, Math.max(start, cursor)).toLowerCase()
  const possible = OPERATOR_NAMES.filter((name) =>
    term?.negated === true ? OPERATORS[name].time !== true : !others.includes(name),
  )
  const operators = possible
    .filter((name) => name.startsWith(typed))
    .map((name) => ({ text: `${name}:`, about: OPERATORS[name].about, start, end }))
  // A value would come in front of the one that is there.
  if (typed === '' || term?.operator != null) return operators
  const values = possible.flatMap((name) =>
    OPERATORS[name].known
      .filter((value) => value.startsWith(typed))
      .map((value) => ({ text: `${name}:${value}`, about: aboutValue(name, value), start, end })),
  )
  return [...operators, ...values]
}

function completeValue({ operator, values }: TypedTerm, cursor: number, text: string): readonly Suggestion[] {
  const name = operator!.name.toLowerCase() as OperatorName
  const value = values.find((candidate) => candidate.start <= cursor && cursor <= candidate.end)
  if (!Object.hasOwn(OPERATORS, name) || value === undefined) return []
  const typed = text.slice(value.start, cursor).replace(/^"/, '').toLowerCase()
  const others = values.filter((other) => other !== value).map((other) => other.text)
  return OPERATORS[name].known
    .filter((known) => known.startsWith(typed) && !others.includes(known))
    .map((known) => ({
      text: formatValue(known),
      about: aboutValue(name, known),
      start: value.start,
      end: value.end,
    }))
}

function aboutValue(operator: OperatorName, value: string): string {
  return operator === 'type' ? (findEventType(value)?.about ?? '') : ''
}
