import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { EventItem } from '../api/wire.ts'
import { useDesk } from '../context.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { Icon } from '../parts/icon.tsx'
import { Problem } from '../parts/problem.tsx'
import { goWith, type Place } from '../router/location.ts'
import { Chips } from './chips.tsx'
import { EventDrawer } from './event-drawer.tsx'
import { EventTable } from './event-table.tsx'
import { ExportButton } from './export-button.tsx'
import { findQueryError, QueryBox } from './query-box.tsx'
import { useEvents } from './use-events.ts'
import { type Tail, useTail } from './use-tail.ts'

/** Above it, what waits is read anew instead of being shown one by one. */
const WAITING_MOST = 2000

export function EventsPage({ place }: { readonly place: Place }): JSX.Element {
  const { text, format } = useLanguage()
  const { api, surroundings } = useDesk()
  const q = place.search.get('q') ?? ''
  const opened = place.search.get('event')
  const live = place.search.get('live') === '1'
  const paused = place.search.get('paused') === '1'
  const asked = findQueryError(q) === null ? q : null
  const events = useEvents(api, asked)
  const [waiting, setWaiting] = useState<readonly EventItem[]>([])
  const held = useRef(false)
  const isTop = useRef(true)
  held.current = paused
  const tail = useTail(api, surroundings.admin, asked, live, {
    onReady: () => events.reload(),
    onEvents(fresh) {
      // Whoever has scrolled down reads; what is new waits at the top.
      if (held.current || !isTop.current) setWaiting((before) => [...before, ...fresh].slice(-WAITING_MOST))
      else events.add(fresh)
    },
  })
  useEffect(() => setWaiting([]), [q, live])

  function release(): void {
    if (waiting.length >= WAITING_MOST) events.reload()
    else events.add(waiting)
    setWaiting([])
  }

  const run = (next: string): void => goWith({ q: next, event: undefined })
  const open = (id: string | undefined): void => goWith({ event: id }, { replace: opened !== null })
  const at = events.items.findIndex(({ id }) => id === opened)
  const stepTo = (to: number): (() => void) | null => {
    const target = at === -1 ? undefined : events.items[to]
    return target === undefined ? null : () => open(target.id)
  }
  const empty = !events.loading && events.error === null && events.items.length === 0 && asked !== null
  return (
    <div class="events-page">
      <div class="page-head">
        <h1>{text.app.events}</h1>
        <div class="row">
          <LiveControls
            tail={tail}
            live={live}
            paused={paused}
            waiting={waiting.length}
            onLive={(on) => goWith({ live: on ? '1' : undefined, paused: undefined }, { replace: true })}
            onPause={(on) => {
              goWith({ paused: on ? '1' : undefined }, { replace: true })
              if (!on) release()
            }}
          />
          <button type="button" class="button" onClick={events.reload} disabled={events.loading}>
            <Icon name="reload" />
            <span>{text.actions.reload}</span>
          </button>
          <ExportButton api={api} q={asked} />
        </div>
      </div>
      <QueryBox q={q} onRun={run} />
      <Chips q={q} onRun={run} />
      {tail.overflown && <p class="notice">{text.events.overflow}</p>}
      {events.error !== null && <Problem error={events.error} onRetry={events.reload} />}
      <div class="table-frame">
        {waiting.length > 0 && !paused && (
          <button type="button" class="button primary waiting" onClick={release}>
            <Icon name="up" />
            {text.events.waiting(format.number(waiting.length))}
          </button>
        )}
        <EventTable
          items={events.items}
          more={events.more}
          loading={events.loading}
          selected={opened}
          onOpen={open}
          onEnd={events.loadMore}
          onTop={(top) => {
            isTop.current = top
          }}
        />
        {empty && (
          <div class="empty">
            <p>{text.events.empty}</p>
            <p class="quiet">{text.events.emptyAbout}</p>
          </div>
        )}
      </div>
      <p class="table-foot quiet small" role="status">
        {events.loading
          ? text.states.loading
          : asked === null
            ? ''
            : text.events.count(format.number(events.items.length), events.more)}
        <span class="hint">{text.events.hint}</span>
      </p>
      {opened !== null && (
        <EventDrawer
          id={opened}
          known={events.items[at] ?? null}
          onClose={() => goWith({ event: undefined }, { replace: true })}
          onNewer={stepTo(at - 1)}
          onOlder={stepTo(at + 1)}
        />
      )}
    </div>
  )
}

interface LiveControlsProps {
  readonly tail: Tail
  readonly live: boolean
  readonly paused: boolean
  readonly waiting: number
  readonly onLive: (on: boolean) => void
  readonly onPause: (on: boolean) => void
}

function LiveControls({ tail, live, paused, waiting, onLive, onPause }: LiveControlsProps): JSX.Element | null {
  const { text, format } = useLanguage()
  if (tail.state === 'absent') return <span class="quiet small">{text.states.absent}</span>
  const said = {
    off: '',
    connecting: text.events.connecting,
    following: paused ? text.events.paused : text.events.following,
    reconnecting: text.events.reconnecting,
    refused: text.events.ended,
    absent: '',
  }[tail.state]
  return (
    <div class="row live" data-tail={tail.state}>
      <span class="small quiet" role="status">
        {said}
        {paused && waiting > 0 && ` · ${text.events.waiting(format.number(waiting))}`}
      </span>
      {live && (
        <button type="button" class="button" onClick={() => onPause(!paused)}>
          <Icon name={paused ? 'play' : 'pause'} />
          <span>{paused ? text.events.resume : text.events.pause}</span>
        </button>
      )}
      <button
        type="button"
        class={live ? 'button toggled' : 'button'}
        aria-pressed={live}
        onClick={() => onLive(!live)}
      >
        <span class="live-dot" aria-hidden="true" />
        <span>{text.events.live}</span>
      </button>
    </div>
  )
}
