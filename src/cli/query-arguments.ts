import type { Command } from 'commander'
import type { EventFilter, EventValues } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { OPERATOR_NAMES } from '../query/operators.ts'
import { parseQuery } from '../query/parse-query.ts'
import { QueryError, refuseQuery } from '../query/query-error.ts'
import { type FilterFlags, parseEventFilter } from './event-filter.ts'

/** A query that is refused, with what it takes to point at the place. */
export class QueryProblem extends GatebookError {
  readonly query: string
  readonly start: number
  readonly end: number

  constructor(query: string, error: QueryError) {
    const { code, detail, members } = refuseQuery(error)
    super(code, { detail: detail!, members: { ...members, query } })
    this.query = query
    this.start = error.start
    this.end = error.end
  }
}

/** A minus and something that is spelled with more than letters: `-reason:flood`, `-anna@example.org`, `-203.0.113.7`, `-ses_…`. */
const NEGATED = /^-[^-].*[:@._]/s

/** `[query...]`, whose words may begin with a minus. Flags keep their form: `-foo@example.org` must not be `-f` and another name. */
export function addQueryArgument(command: Command): Command {
  const about = `OPERATOR:VALUE, with - in front for what is left out; operators are ${OPERATOR_NAMES.join(', ')}`
  const parseOptions = command.parseOptions.bind(command)
  const takesValue = (word: string | undefined) =>
    command.options.some(({ long, short, required }) => required && word !== undefined && [long, short].includes(word))
  // A word that begins with a blank is no flag; to a query, blanks in front are nothing.
  command.parseOptions = (words) =>
    parseOptions(words.map((word, at) => (NEGATED.test(word) && !takesValue(words[at - 1]) ? ` ${word}` : word)))
  return command.argument('[query...]', about)
}

/** What the words and the flags ask for together. Throws QueryProblem, and ERR_USAGE for what both say. */
export function readQueryArguments(words: readonly string[], flags: FilterFlags, now: number): EventFilter {
  const byFlags = parseEventFilter(flags, now)
  const byQuery = parseWords(words, now)
  const twice = Object.keys(byFlags).find((member) => Object.hasOwn(byQuery, member))
  if (twice !== undefined) {
    const name = { from: 'since', to: 'until' }[twice] ?? twice
    throw new GatebookError('ERR_USAGE', { detail: `--${name} and ${name}: mean the same; give one of the two.` })
  }
  const { from = -Infinity, to = Infinity } = { ...byFlags, ...byQuery }
  if (from >= to) throw new GatebookError('ERR_USAGE', { detail: 'The end is not after the beginning.' })
  return { ...byFlags, ...byQuery }
}

function parseWords(words: readonly string[], now: number): EventFilter {
  const query = words.map((word) => word.trimStart()).join(' ')
  try {
    return parseQuery(query, { now }).filter
  } catch (error) {
    throw error instanceof QueryError ? new QueryProblem(query, error) : error
  }
}

/** The filter with each user by id, who may have been typed in another way. */
export async function resolveUsers(
  filter: EventFilter,
  idOf: (typed: string) => Promise<string>,
): Promise<EventFilter> {
  const resolve = async ({ user }: EventValues): Promise<EventValues> => {
    if (user === undefined) return {}
    return { user: typeof user === 'string' ? await idOf(user) : await Promise.all(user.map(idOf)) }
  }
  const { not } = filter
  return { ...filter, ...(await resolve(filter)), ...(not && { not: { ...not, ...(await resolve(not)) } }) }
}
