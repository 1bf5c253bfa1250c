import type { QueryTerm } from './query-term.ts'

/** The text that `parseQuery` makes these terms of. */
export function formatQuery(terms: readonly QueryTerm[]): string {
  return terms
    .map(({ operator, negated, values }) => `${negated ? '-' : ''}${operator}:${values.map(formatValue).join(',')}`)
    .join(' ')
}

/** In quotes where it needs them. */
export function formatValue(value: string): string {
  return /[\s,"]/.test(value) ? `"${value.replace(/["\\]/g, '\\$&')}"` : value
}
