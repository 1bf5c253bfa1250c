import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { formatQuery } from '../../../src/query/format-query.ts'
import type { OperatorName } from '../../../src/query/operators.ts'
import { useDesk } from '../context.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { Foreign } from '../parts/foreign.tsx'
import { Outcome } from '../parts/outcome.tsx'
import { Panel } from '../parts/panel.tsx'
import { Problem } from '../parts/problem.tsx'
import { Time } from '../parts/time.tsx'
import { Link } from '../router/link.tsx'
import { goWith, type Place } from '../router/location.ts'
import { EventDrawer } from './event-drawer.tsx'
import { EventName } from './event-words.tsx'
import { eventsBy } from './pivots.tsx'
import { useEvents } from './use-events.ts'

interface TimelineProps {
  readonly operator: OperatorName
  readonly value: string
  /** Another number reads it again. */
  readonly changes?: number
  readonly place: Place
  readonly title: string
  readonly about?: string
  readonly oldestFirst?: boolean
}

/** The events of one user, session or address, with the drawer for each of them. */
export function Timeline(props: TimelineProps): JSX.Element {
  const { operator, value, changes = 0, place, title, about, oldestFirst = false } = props
  const { text } = useLanguage()
  const { api } = useDesk()
  const events = useEvents(api, formatQuery([{ operator, negated: false, values: [value] }]))
  const opened = place.search.get('event')
  useEffect(() => {
    if (changes > 0) events.reload()
  }, [changes])
  const items = oldestFirst ? events.items.toReversed() : events.items
  return (
    <Panel
      title={title}
      {...(about !== undefined && { about })}
      actions={
        <Link {...eventsBy(operator, value)} class="button">
          {text.user.allEvents}
        </Link>
      }
    >
      {events.error !== null && <Problem error={events.error} onRetry={events.reload} />}
      {oldestFirst && events.more && (
        <button type="button" class="button" onClick={events.loadMore} disabled={events.loading}>
          {text.actions.more}
        </button>
      )}
      <ol class="timeline">
        {items.map((event) => (
          <li key={event.id}>
            <button type="button" class="timeline-item" onClick={() => goWith({ event: event.id })}>
              <Time at={event.at} />
              <Outcome outcome={event.outcome} />
              <EventName event={event} />
              <span class="mono quiet">{event.ip ?? ''}</span>
              <span class="quiet timeline-agent">
                {event.user_agent !== null && <Foreign text={event.user_agent} most={60} />}
              </span>
            </button>
          </li>
        ))}
      </ol>
      {events.loading && (
        <p class="quiet loading" role="status">
          {text.states.loading}
        </p>
      )}
      {!events.loading && events.error === null && items.length === 0 && <p class="quiet">{text.states.empty}</p>}
      {!oldestFirst && events.more && !events.loading && (
        <button type="button" class="button" onClick={events.loadMore}>
          {text.actions.more}
        </button>
      )}
      {opened !== null && (
        <EventDrawer
          id={opened}
          known={events.items.find(({ id }) => id === opened) ?? null}
          onClose={() => goWith({ event: undefined }, { replace: true })}
        />
      )}
    </Panel>
  )
}
