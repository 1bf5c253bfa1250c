import type { JSX, TargetedKeyboardEvent } from 'preact'
import { useEffect, useId, useMemo, useRef, useState } from 'preact/hooks'
import { completeQuery, type Suggestion } from '../../../src/query/complete-query.ts'
import { OPERATORS, type OperatorName } from '../../../src/query/operators.ts'
import { parseQuery } from '../../../src/query/parse-query.ts'
import { QueryError } from '../../../src/query/query-error.ts'
import { useLanguage } from '../i18n/language.tsx'
import type { Vocabulary } from '../i18n/vocabulary.ts'
import { showUnseen } from '../parts/foreign.tsx'
import { Icon } from '../parts/icon.tsx'
import { useStateFrom } from '../parts/use-state-from.ts'

/** Null for a query that can be asked. */
export function findQueryError(q: string): QueryError | null {
  try {
    parseQuery(q, { now: Date.now() })
    return null
  } catch (error) {
    if (error instanceof QueryError) return error
    throw error
  }
}

interface QueryBoxProps {
  readonly q: string
  readonly onRun: (q: string) => void
}

/** The query as it is typed: with suggestions for what may stand at the cursor, and with what is wrong, and where. */
export function QueryBox({ q, onRun }: QueryBoxProps): JSX.Element {
  const { text, words } = useLanguage()
  const [typed, setTyped] = useStateFrom(q, String)
  const [cursor, setCursor] = useState(q.length)
  const [open, setOpen] = useState(false)
  const [chosen, setChosen] = useState(-1)
  const [judged, setJudged] = useStateFrom(q, () => true)
  const input = useRef<HTMLInputElement>(null)
  const moveTo = useRef<number | null>(null)
  const ids = useId()

  useEffect(() => {
    if (moveTo.current === null) return
    input.current?.setSelectionRange(moveTo.current, moveTo.current)
    moveTo.current = null
  })

  const suggestions = useMemo(() => (open ? completeQuery(typed, cursor).slice(0, 40) : []), [typed, cursor, open])
  const error = useMemo(() => (judged ? findQueryError(typed) : null), [typed, judged])
  const showing = open && suggestions.length > 0

  function accept({ text: insert, start, end }: Suggestion): void {
    const isOperator = insert.endsWith(':')
    const tail = typed.slice(end)
    const blank = isOperator || /^[\s,]/.test(tail) ? '' : ' '
    const next = typed.slice(0, start) + insert + blank + tail
    setTyped(next)
    setCursor(start + insert.length + blank.length)
    moveTo.current = start + insert.length + blank.length
    setChosen(-1)
    setOpen(true)
    input.current?.focus()
  }

  function run(): void {
    setOpen(false)
    setChosen(-1)
    setJudged(true)
    if (findQueryError(typed) === null) onRun(typed.trim())
  }

  function onKeyDown(event: TargetedKeyboardEvent<HTMLInputElement>): void {
    if (event.isComposing) return
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      if (!open) {
        setOpen(true)
        return
      }
      const step = event.key === 'ArrowDown' ? 1 : -1
      const count = suggestions.length
      if (count > 0) setChosen((before) => (before + step + count + (before === -1 && step === -1 ? 1 : 0)) % count)
    } else if (event.key === 'Escape' && showing) {
      event.preventDefault()
      setOpen(false)
      setChosen(-1)
    } else if ((event.key === 'Enter' || (event.key === 'Tab' && !event.shiftKey)) && showing && chosen !== -1) {
      event.preventDefault()
      accept(suggestions[chosen]!)
    }
  }

  return (
    <form
      class="query"
      role="search"
      onSubmit={(event) => {
        event.preventDefault()
        run()
      }}
    >
      <div class="query-line">
        <Icon name="search" />
        <input
          ref={input}
          class="query-input mono"
          role="combobox"
          aria-label={text.events.query}
          aria-expanded={showing}
          aria-controls={`${ids}-list`}
          aria-autocomplete="list"
          aria-activedescendant={showing && chosen !== -1 ? `${ids}-${chosen}` : undefined}
          aria-invalid={error !== null}
          aria-describedby={error === null ? undefined : `${ids}-error`}
          placeholder={text.events.placeholder}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          value={typed}
          onInput={(event) => {
            setTyped(event.currentTarget.value)
            setCursor(event.currentTarget.selectionStart ?? event.currentTarget.value.length)
            setOpen(true)
            setChosen(-1)
            if (error === null) setJudged(false)
          }}
          onKeyDown={onKeyDown}
          onKeyUp={(event) => setCursor(event.currentTarget.selectionStart ?? 0)}
          onClick={(event) => {
            setCursor(event.currentTarget.selectionStart ?? 0)
            setOpen(true)
          }}
          onBlur={() => setOpen(false)}
        />
        <button type="submit" class="button primary">
          {text.events.run}
        </button>
      </div>
      <ul id={`${ids}-list`} class="suggestions" role="listbox" aria-label={text.events.suggestions} hidden={!showing}>
        {suggestions.map((suggestion, at) => (
          <li
            key={suggestion.text}
            id={`${ids}-${at}`}
            role="option"
            aria-selected={at === chosen}
            class={at === chosen ? 'chosen' : ''}
            ref={(item: HTMLLIElement | null) => {
              if (at === chosen) item?.scrollIntoView({ block: 'nearest' })
            }}
            onMouseDown={(event) => {
              event.preventDefault()
              accept(suggestion)
            }}
          >
            <code>{suggestion.text}</code>
            <span class="quiet">{aboutOf(suggestion, words)}</span>
          </li>
        ))}
      </ul>
      <div class="unseen" role="status">
        {showing ? text.events.suggestionCount(suggestions.length) : ''}
      </div>
      {error !== null && <QueryProblem id={`${ids}-error`} typed={typed} error={error} />}
    </form>
  )
}

function QueryProblem({
  id,
  typed,
  error,
}: {
  readonly id: string
  readonly typed: string
  readonly error: QueryError
}): JSX.Element {
  const { text, words } = useLanguage()
  const { start, end, code, hint, column } = error
  return (
    <div class="query-error" id={id} role="alert">
      <p class="query-place mono" aria-hidden="true">
        <bdi>
          {showUnseen(typed.slice(Math.max(0, start - 60), start))}
          <mark>{showUnseen(typed.slice(start, Math.min(end, start + 80))) || '␣'}</mark>
          {showUnseen(typed.slice(end, end + 40))}
        </bdi>
      </p>
      <p>
        <strong>{text.events.atColumn(column)}:</strong> {words.queryErrors[code]} {words.hint(hint)}
      </p>
    </div>
  )
}

function aboutOf({ text }: Suggestion, words: Vocabulary): string {
  const [, operator, value = ''] = /^(?:(\w+):)?(.*)$/.exec(text) ?? []
  if (operator !== undefined && value === '' && operator in OPERATORS) return words.operators[operator as OperatorName]
  if (value in words.types) return words.typeAbout[value as keyof typeof words.typeAbout]
  return words.reasons[value] ?? ''
}
