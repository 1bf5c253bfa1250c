import { GatebookError } from '../errors.ts'

export type QueryErrorCode =
  | 'ERR_QUERY_TERM'
  | 'ERR_QUERY_OPERATOR'
  | 'ERR_QUERY_VALUE'
  | 'ERR_QUERY_VALUE_MISSING'
  | 'ERR_QUERY_QUOTE'
  | 'ERR_QUERY_NEGATION'
  | 'ERR_QUERY_TWICE'
  | 'ERR_QUERY_CONTRADICTION'
  | 'ERR_QUERY_LENGTH'

/** What can be wrong with a query. The codes are stable; `docs/search.md` lists them. */
export const QUERY_ERRORS: Readonly<Record<QueryErrorCode, string>> = {
  ERR_QUERY_TERM: 'This is no operator with a value, and no address, identifier or id either.',
  ERR_QUERY_OPERATOR: 'There is no operator of this name.',
  ERR_QUERY_VALUE: 'The operator does not take this value.',
  ERR_QUERY_VALUE_MISSING: 'A value is missing.',
  ERR_QUERY_QUOTE: 'A quote is not closed, or does not stand around a whole value.',
  ERR_QUERY_NEGATION: 'This operator cannot have a minus in front of it.',
  ERR_QUERY_TWICE: 'The operator stands twice.',
  ERR_QUERY_CONTRADICTION: 'No event can be all of this.',
  ERR_QUERY_LENGTH: 'The query is too long.',
}

/** A stretch of the text, as `text.slice(start, end)` takes it: from 0, in UTF-16 units. */
export interface Place {
  readonly start: number
  readonly end: number
}

/** Thrown by `parseQuery`. Neither `message` nor `hint` repeats what was typed. */
export class QueryError extends Error implements Place {
  override readonly name = 'QueryError'
  readonly code: QueryErrorCode
  readonly start: number
  readonly end: number
  /** What to write instead. */
  readonly hint: string

  constructor(code: QueryErrorCode, { start, end }: Place, hint: string) {
    super(QUERY_ERRORS[code])
    this.code = code
    this.start = start
    this.end = end
    this.hint = hint
  }

  /** Where it is wrong, from 1. */
  get column(): number {
    return this.start + 1
  }
}

/** The same as callers of the API are told it. */
export function refuseQuery({ code, column, message, hint }: QueryError): GatebookError {
  const members = { members: ['q'], reason: code, column, expected: hint }
  return new GatebookError('ERR_QUERY_INVALID', { detail: `${message} ${hint}`, members })
}
