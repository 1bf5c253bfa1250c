import type { JSX } from 'preact'
import type { EventItem } from '../api/wire.ts'
import { useLanguage } from '../i18n/language.tsx'
import { Foreign } from '../parts/foreign.tsx'

/** What has happened, in words, with the reason behind it. */
export function EventName({ event }: { readonly event: Pick<EventItem, 'type' | 'reason'> }): JSX.Element {
  const name = useTypeName(event.type)
  const reason = useReason(event.reason)
  return (
    <span class="event-name" title={event.reason === null ? event.type : `${event.type} ${event.reason}`}>
      <span class="event-type">{name ?? <Foreign text={event.type} most={64} mono />}</span>
      {reason !== null && <span class="event-reason quiet">{reason}</span>}
    </span>
  )
}

/** Null for a type of the application. */
export function useTypeName(type: string): string | null {
  const { words } = useLanguage()
  return Object.hasOwn(words.types, type) ? words.types[type as keyof typeof words.types] : null
}

export function useReason(reason: string | null): string | null {
  const { words } = useLanguage()
  return reason === null ? null : (words.reasons[reason] ?? reason)
}

/** Identifiers of users, as far as these events tell them: not every event repeats the name of whom it is about. */
export function namesOf(events: readonly EventItem[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (const { subject, identifier } of events) {
    if (subject !== null && identifier !== null && !names.has(subject)) names.set(subject, identifier)
  }
  return names
}

interface WhoProps {
  readonly event: EventItem
  readonly names: ReadonlyMap<string, string>
}

/** Whom it is about, as well as that is known. */
export function Who({ event, names }: WhoProps): JSX.Element | null {
  const { identifier, identifier_mask: mask, subject, actor } = event
  const id = subject ?? actor.id
  const said = identifier ?? mask ?? (id === null ? null : (names.get(id) ?? id))
  return said === null ? null : <Foreign text={said} most={80} />
}
