import type { JSX } from 'preact'
import { formatQuery } from '../../../src/query/format-query.ts'
import { parseQuery } from '../../../src/query/parse-query.ts'
import type { QueryTerm } from '../../../src/query/query-term.ts'
import { useLanguage } from '../i18n/language.tsx'
import { showUnseen } from '../parts/foreign.tsx'
import { Icon } from '../parts/icon.tsx'

/** The terms of a query that can be asked; none otherwise. */
export function termsOf(q: string): readonly QueryTerm[] {
  try {
    return parseQuery(q, { now: Date.now() }).terms
  } catch {
    return []
  }
}

/** The query in parts that can be taken away one by one. */
export function Chips({ q, onRun }: { readonly q: string; readonly onRun: (q: string) => void }): JSX.Element | null {
  const { text } = useLanguage()
  const terms = termsOf(q)
  if (terms.length === 0) return null
  return (
    <ul class="chips" aria-label={text.events.chips}>
      {terms.map((term, at) => {
        const said = showUnseen(`${term.operator}: ${term.values.join(', ')}`)
        const name = term.negated ? text.events.negated(said) : said
        return (
          <li key={formatQuery([term])} class={term.negated ? 'chip negated' : 'chip'}>
            <bdi>{name}</bdi>
            <button
              type="button"
              aria-label={text.actions.remove(name)}
              onClick={() => onRun(formatQuery(terms.filter((_, other) => other !== at)))}
            >
              <Icon name="close" />
            </button>
          </li>
        )
      })}
    </ul>
  )
}
