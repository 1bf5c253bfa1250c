import type { ComponentChildren, JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import type { EventItem } from '../api/wire.ts'
import { useDesk } from '../context.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { Copy } from '../parts/copy.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { type Field, Fields } from '../parts/fields.tsx'
import { Foreign } from '../parts/foreign.tsx'
import { Icon } from '../parts/icon.tsx'
import { Outcome } from '../parts/outcome.tsx'
import { Showing } from '../parts/panel.tsx'
import { useLoad } from '../parts/use-load.ts'
import { EventProof } from './event-proof.tsx'
import { useReason, useTypeName } from './event-words.tsx'
import { Pivots } from './pivots.tsx'

interface EventDrawerProps {
  readonly id: string
  /** What is known of it already. */
  readonly known: EventItem | null
  readonly onClose: () => void
  /** To the one that is newer or older in the list; null where there is none. */
  readonly onNewer?: (() => void) | null
  readonly onOlder?: (() => void) | null
}

/** One event with every field, its proof, and where to go from it. */
export function EventDrawer({ id, known, onClose, onNewer = null, onOlder = null }: EventDrawerProps): JSX.Element {
  const { text } = useLanguage()
  const { api } = useDesk()
  const read = useLoad(id, (signal) => api.get<EventItem>(`/events/${encodeURIComponent(id)}`, {}, signal))
  const event = read.data?.id === id ? read.data : known?.id === id ? known : null
  useEffect(() => {
    const onKey = (pressed: KeyboardEvent): void => {
      const typing = pressed.target instanceof HTMLElement && pressed.target.matches('input, select, textarea, pre')
      if (typing || pressed.altKey || pressed.ctrlKey || pressed.metaKey) return
      const step =
        pressed.key === 'ArrowUp' || pressed.key === 'k'
          ? onNewer
          : pressed.key === 'ArrowDown' || pressed.key === 'j'
            ? onOlder
            : null
      if (step === null) return
      pressed.preventDefault()
      step()
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [onNewer, onOlder])
  const steps = (
    <>
      <Step name={text.event.previous} icon="up" go={onNewer} />
      <Step name={text.event.next} icon="down" go={onOlder} />
    </>
  )
  return (
    <Dialog
      kind="drawer"
      title={text.event.title}
      onClose={onClose}
      actions={onNewer === null && onOlder === null ? undefined : steps}
    >
      {event === null ? <Showing loaded={read}>{() => null}</Showing> : <EventBody event={event} />}
    </Dialog>
  )
}

function Step({
  name,
  icon,
  go,
}: {
  readonly name: string
  readonly icon: 'up' | 'down'
  readonly go: (() => void) | null
}): JSX.Element {
  return (
    <button type="button" class="button icon-button" aria-label={name} disabled={go === null} onClick={() => go?.()}>
      <Icon name={icon} />
    </button>
  )
}

function EventBody({ event }: { readonly event: EventItem }): JSX.Element {
  const { text, format, words } = useLanguage()
  const { event: names } = text
  const name = useTypeName(event.type)
  const reason = useReason(event.reason)
  const about = Object.hasOwn(words.typeAbout, event.type)
    ? words.typeAbout[event.type as keyof typeof words.typeAbout]
    : words.ofApplication
  const sources = text.addressSources as Readonly<Record<string, string>>
  const source = event.ip_source === null ? null : (sources[event.ip_source] ?? event.ip_source)
  const actors = text.actors as Readonly<Record<string, string>>
  return (
    <div class="event-body">
      <div class="event-title">
        <Outcome outcome={event.outcome} />
        <strong>{name ?? <Foreign text={event.type} mono />}</strong>
        {reason !== null && <span>· {reason}</span>}
      </div>
      <p class="quiet">{about}</p>
      <Pivots event={event} />
      <EventProof event={event} />
      <FieldGroup
        title={names.sections.what}
        items={[
          plain(names.at, <time dateTime={event.time}>{format.exact(event.at)}</time>),
          plain(names.type, <code>{event.type}</code>),
          plain(names.outcome, <code>{event.outcome}</code>),
          value(names.reason, event.reason),
          ...Object.entries(event.data).map(([member, given]) => dataField(member, given, format.exact)),
          plain(names.id, <Id value={event.id} what={names.id} />),
          plain(names.number, <span class="number">{event.number}</span>),
        ]}
      />
      <FieldGroup
        title={names.sections.who}
        items={[
          value(names.subject, event.subject),
          value(names.identifier, event.identifier),
          value(names.identifierMask, event.identifier_mask),
          value(names.identifierHmac, event.identifier_hmac),
          plain(
            names.actor,
            <>
              {actors[event.actor.kind] ?? event.actor.kind}
              {event.actor.id !== null && (
                <>
                  {' '}
                  <Foreign text={event.actor.id} mono />
                </>
              )}
            </>,
          ),
          value(names.session, event.session_id),
          value(names.token, event.token_id),
          value(names.method, event.method),
        ]}
      />
      <FieldGroup
        title={names.sections.where}
        items={[
          value(names.ip, event.ip),
          plain(names.ipSource, source ?? <None />),
          value(names.userAgent, event.user_agent),
          value(names.device, event.device_id),
        ]}
      />
      <FieldGroup
        title={names.sections.how}
        items={[value(names.request, event.request_id), value(names.trace, event.trace_id)]}
      />
    </div>
  )
}

function FieldGroup({ title, items }: { readonly title: string; readonly items: readonly Field[] }): JSX.Element {
  return (
    <section class="field-group">
      <h3>{title}</h3>
      <Fields items={items} />
    </section>
  )
}

function plain(name: string, shown: ComponentChildren): Field {
  return { name, value: shown }
}

function value(name: string, text: string | null): Field {
  return { name, value: text === null ? <None /> : <Id value={text} what={name} /> }
}

function None(): JSX.Element {
  const { text } = useLanguage()
  return (
    <span class="quiet" title={text.states.forgotten}>
      –
    </span>
  )
}

function Id({ value: id, what }: { readonly value: string; readonly what: string }): JSX.Element {
  return (
    <span class="with-copy">
      <Foreign text={id} most={1000} mono />
      <Copy value={id} what={what} />
    </span>
  )
}

const INSTANTS: ReadonlySet<string> = new Set(['counted_from', 'until', 'before', 'expires_at', 'from', 'to'])

function dataField(member: string, given: unknown, exact: (at: number) => string): Field {
  const shown = Array.isArray(given) ? given.map(String).join(', ') : String(given)
  const instant = INSTANTS.has(member) && typeof given === 'number' ? ` (${exact(given)})` : ''
  return { name: member, value: <Foreign text={shown + instant} most={2000} mono /> }
}
