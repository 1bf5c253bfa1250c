import { parseCidrRange } from '../util/address.ts'
import type { Place } from './query-error.ts'

/** A value as it was typed, with its quotes in the place and without them in the text. */
export interface TypedValue extends Place {
  readonly text: string
  /** Its quote is not closed, or does not stand around all of it. */
  readonly broken: boolean
}

/** What stands between two blanks, before anything is known of operators. */
export interface TypedTerm extends Place {
  readonly negated: boolean
  /** With the colon in its place; null for a value alone. */
  readonly operator: (Place & { readonly name: string }) | null
  /** At least one, which may be empty. */
  readonly values: readonly TypedValue[]
}

/** Every text can be split, also one that is still being typed. */
export function splitTerms(text: string): readonly TypedTerm[] {
  const terms: TypedTerm[] = []
  let at = 0
  for (;;) {
    at += match(/\s*/y, text, at).length
    if (at === text.length) return terms
    const term = readTerm(text, at)
    terms.push(term)
    at = term.end
  }
}

function readTerm(text: string, start: number): TypedTerm {
  const negated = text[start] === '-'
  let at = negated ? start + 1 : start
  // `fe80::1` is no operator with a value.
  const isAddress = parseCidrRange(match(/[^\s,"]*/y, text, at)) !== null
  const name = isAddress ? '' : match(/[A-Za-z_][\w.-]*:/y, text, at)
  const operator = name === '' ? null : { name: name.slice(0, -1), start: at, end: at + name.length }
  at += name.length
  const values: TypedValue[] = []
  for (;;) {
    const value = readValue(text, at)
    values.push(value)
    at = value.end
    if (text[at] !== ',') return { start, end: at, negated, operator, values }
    at += 1
  }
}

function readValue(text: string, start: number): TypedValue {
  const quoted = match(/"(?:[^"\\]|\\[\s\S])*"?/y, text, start)
  const bare = quoted === '' ? match(/[^\s,"]*/y, text, start) : quoted
  const closed = quoted === '' || /^"(?:[^"\\]|\\[\s\S])*"$/.test(quoted)
  const rest = match(/[^\s,]*/y, text, start + bare.length)
  const end = start + bare.length + rest.length
  const inner = quoted === '' ? bare : unquote(quoted.slice(1, closed ? -1 : undefined))
  return { text: inner, broken: !closed || rest !== '', start, end }
}

/** A backslash in front of anything else is one: names of Windows domains have some. */
function unquote(text: string): string {
  return text.replace(/\\(["\\])/g, '$1')
}

function match(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0] ?? ''
}
