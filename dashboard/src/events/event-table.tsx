import type { JSX, TargetedKeyboardEvent } from 'preact'
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { EventItem } from '../api/wire.ts'
import { useLanguage } from '../i18n/language.tsx'
import { Foreign } from '../parts/foreign.tsx'
import { Outcome } from '../parts/outcome.tsx'
import { EventName, namesOf, Who } from './event-words.tsx'

interface EventTableProps {
  readonly items: readonly EventItem[]
  readonly more: boolean
  readonly loading: boolean
  readonly selected: string | null
  readonly onOpen: (id: string) => void
  readonly onEnd: () => void
  /** Whether what is newest can be seen. */
  readonly onTop?: (isTop: boolean) => void
}

/** Pixels, the same as `--row` in `events.css`; narrow pages have two lines in a row. */
const ROW = 36
const ROW_NARROW = 62
const NARROW = '(max-width: 46rem)'
/** Rows beyond the edges, so that a fast scroll meets no gap. */
const BEYOND = 12

/** Only the rows that can be seen are in the page, however many there are. */
export function EventTable({ items, more, loading, selected, onOpen, onEnd, onTop }: EventTableProps): JSX.Element {
  const { text, format } = useLanguage()
  const scroller = useRef<HTMLDivElement>(null)
  const narrow = useMedia(NARROW)
  const row = narrow ? ROW_NARROW : ROW
  const [view, setView] = useState({ top: 0, height: 800 })
  const [active, setActive] = useState(0)
  const wantsFocus = useRef(false)
  const first = useRef<string | null>(null)

  useLayoutEffect(() => {
    const element = scroller.current!
    const look = (): void => setView({ top: element.scrollTop, height: element.clientHeight })
    look()
    const observer = new ResizeObserver(look)
    observer.observe(element)
    return () => observer.disconnect()
  }, [])

  // What comes in at the top must not move what somebody is reading.
  useLayoutEffect(() => {
    const element = scroller.current!
    const before = first.current
    first.current = items[0]?.id ?? null
    if (before === null || before === first.current) return
    const added = items.findIndex(({ id }) => id === before)
    if (added <= 0) return
    setActive((at) => at + added)
    if (element.scrollTop > 0) element.scrollTop += added * row
  }, [items])

  useEffect(() => onTop?.(view.top < row), [view.top < row])
  const from = Math.max(0, Math.floor(view.top / row) - BEYOND)
  const to = Math.min(items.length, Math.ceil((view.top + view.height) / row) + BEYOND)
  useEffect(() => {
    if (more && !loading && to >= items.length - BEYOND) onEnd()
  }, [more, loading, to, items.length])

  function move(to: number): void {
    const at = Math.max(0, Math.min(items.length - 1, to))
    const element = scroller.current!
    wantsFocus.current = true
    setActive(at)
    if (at * row < element.scrollTop) element.scrollTop = at * row
    const bottom = (at + 1) * row
    if (bottom > element.scrollTop + element.clientHeight) element.scrollTop = bottom - element.clientHeight
    // At once, and not with the event of the scroll: the row has to be there to have the focus.
    setView({ top: element.scrollTop, height: element.clientHeight })
  }

  function onKeyDown(event: TargetedKeyboardEvent<HTMLDivElement>): void {
    const page = Math.max(1, Math.floor(view.height / row) - 1)
    const steps: Readonly<Record<string, number>> = {
      ...{ ArrowDown: active + 1, ArrowUp: active - 1, j: active + 1, k: active - 1 },
      ...{ PageDown: active + page, PageUp: active - page, Home: 0, End: items.length - 1 },
    }
    const target = steps[event.key]
    if (target === undefined || event.metaKey || event.ctrlKey || event.altKey) return
    event.preventDefault()
    move(target)
  }

  useLayoutEffect(() => {
    if (!wantsFocus.current) return
    wantsFocus.current = false
    scroller.current?.querySelector<HTMLElement>(`[data-at="${active}"]`)?.focus({ preventScroll: true })
  }, [active])

  const names = useMemo(() => namesOf(items), [items])
  const { columns } = text.events
  return (
    <div
      class="event-table"
      role="table"
      aria-label={text.events.table}
      aria-rowcount={more ? -1 : items.length + 1}
      aria-colcount={6}
      aria-busy={loading}
    >
      <div role="rowgroup" class="event-head">
        <div role="row" class="event-row" aria-rowindex={1}>
          <span role="columnheader">{columns.at}</span>
          <span role="columnheader">{columns.outcome}</span>
          <span role="columnheader">{columns.type}</span>
          <span role="columnheader">{columns.who}</span>
          <span role="columnheader">{columns.ip}</span>
          <span role="columnheader">{columns.agent}</span>
        </div>
      </div>
      <div
        ref={scroller}
        role="rowgroup"
        class="event-scroll"
        tabIndex={items.length === 0 ? 0 : -1}
        onScroll={(event) => setView({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })}
        onKeyDown={onKeyDown}
      >
        <div class="event-rows" role="presentation" style={{ height: `${items.length * row}px` }}>
          {items.slice(from, to).map((item, offset) => {
            const at = from + offset
            return (
              <div
                key={item.id}
                role="row"
                class={item.id === selected ? 'event-row selected' : 'event-row'}
                aria-rowindex={at + 2}
                aria-selected={item.id === selected}
                style={{ transform: `translateY(${at * row}px)`, height: `${row}px` }}
                onClick={() => {
                  setActive(at)
                  onOpen(item.id)
                }}
              >
                <span role="cell" class="cell-at">
                  <button
                    type="button"
                    data-at={at}
                    class="row-button"
                    tabIndex={at === Math.min(Math.max(active, from), to - 1) ? 0 : -1}
                    aria-label={text.events.open(item.type, format.instant(item.at))}
                    onFocus={() => setActive(at)}
                  >
                    <time dateTime={item.time} class="number">
                      {format.instant(item.at)}
                    </time>
                  </button>
                </span>
                <span role="cell" class="cell-outcome">
                  <Outcome outcome={item.outcome} />
                </span>
                <span role="cell" class="cell-type">
                  <EventName event={item} />
                </span>
                <span role="cell" class="cell-who">
                  <Who event={item} names={names} />
                </span>
                <span role="cell" class="cell-ip">
                  {item.ip !== null && <span class="mono number">{item.ip}</span>}
                </span>
                <span role="cell" class="cell-agent quiet">
                  {item.user_agent !== null && <Foreign text={item.user_agent} most={160} />}
                </span>
              </div>
            )
          })}
        </div>
      </div>
    </div>
  )
}

function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => window.matchMedia(query).matches)
  useEffect(() => {
    const media = window.matchMedia(query)
    const follow = (): void => setMatches(media.matches)
    follow()
    media.addEventListener('change', follow)
    return () => media.removeEventListener('change', follow)
  }, [query])
  return matches
}
