import type { JSX } from 'preact'
import { formatQuery } from '../../../src/query/format-query.ts'
import type { OperatorName } from '../../../src/query/operators.ts'
import { networkOf } from '../addresses/network.ts'
import type { EventItem } from '../api/wire.ts'
import { useLanguage } from '../i18n/language.tsx'
import { Icon } from '../parts/icon.tsx'
import { Link } from '../router/link.tsx'
import type { Target } from '../router/location.ts'

const AROUND = 300_000

export function eventsBy(operator: OperatorName, value: string): Target {
  return { parts: ['events'], search: { q: formatQuery([{ operator, negated: false, values: [value] }]) } }
}

/** From one event to everything that has something in common with it. */
export function Pivots({ event }: { readonly event: EventItem }): JSX.Element {
  const { text } = useLanguage()
  const { pivot } = text.event
  const network = event.ip === null ? null : networkOf(event.ip)
  const targets: readonly (readonly [string, Target] | null)[] = [
    event.subject === null ? null : [pivot.user, { parts: ['users', event.subject] }],
    event.subject === null ? null : [pivot.userEvents, eventsBy('user', event.subject)],
    event.identifier === null ? null : [pivot.identifier, eventsBy('identifier', event.identifier)],
    event.ip === null ? null : [pivot.address, { parts: ['addresses', event.ip] }],
    network === null ? null : [pivot.prefix(network), { parts: ['addresses', network] }],
    event.device_id === null ? null : [pivot.device, eventsBy('device', event.device_id)],
    event.session_id === null ? null : [pivot.session, { parts: ['sessions', event.session_id] }],
    event.request_id === null ? null : [pivot.request, eventsBy('request', event.request_id)],
    [pivot.around, { parts: ['events'], search: { q: `since:${event.at - AROUND} until:${event.at + AROUND}` } }],
  ]
  return (
    <nav class="pivots" aria-label={text.event.pivots}>
      {targets.map((target) =>
        target === null ? null : (
          <Link key={target[0]} {...target[1]} class="pivot">
            {target[0]}
            <Icon name="arrow" />
          </Link>
        ),
      )}
    </nav>
  )
}
