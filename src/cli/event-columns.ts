import type { LogEvent } from '../event/event.ts'
import type { Column } from './table.ts'
import { type Colour, formatTime } from './terminal.ts'

const OUTCOME_COLOURS: Readonly<Record<string, Colour | undefined>> = { failure: 'yellow', denied: 'red' }

/** One line an event. The id stays, since it leads to `log show`; the rest gives way on a narrow terminal. */
export const EVENT_COLUMNS: readonly Column<LogEvent>[] = [
  { title: 'TIME', value: ({ at }) => formatTime(at), usual: 26 },
  {
    title: 'EVENT',
    value: ({ type }) => type,
    usual: 23,
    least: 16,
    colour: ({ outcome }) => OUTCOME_COLOURS[outcome],
  },
  { title: 'REASON', value: ({ reason }) => reason ?? '', usual: 15, least: 10, drop: 3 },
  { title: 'WHO', value: who, usual: 30, least: 12, drop: 5 },
  { title: 'IP', value: ({ ip }) => ip ?? '', usual: 15, least: 15, drop: 4 },
  { title: 'USER AGENT', value: ({ userAgent }) => userAgent ?? '', usual: 30, least: 12, drop: 1 },
  { title: 'ID', value: ({ id }) => id, usual: 30, drop: 2 },
]

/** The best name that there is for whom an event is about. */
function who({ identifier, identifierMask, subject, actor }: LogEvent): string {
  return identifier ?? identifierMask ?? subject ?? (actor.kind === 'anonymous' ? '' : (actor.id ?? actor.kind))
}

/** Everything that is known of an event, for `log show`; what is not known is left out. */
export function describeEvent(event: LogEvent): readonly (readonly [string, string | null])[] {
  return [
    ['id', event.id],
    ['number', String(event.number)],
    ['time', `${formatTime(event.at)} (${new Date(event.at).toISOString()})`],
    ['type', event.type],
    ['outcome', event.outcome],
    ['reason', event.reason],
    ['actor', event.actor.id === null ? event.actor.kind : `${event.actor.kind} ${event.actor.id}`],
    ['subject', event.subject],
    ['identifier', event.identifier ?? event.identifierMask],
    ['identifier hmac', event.identifierHmac],
    ['session', event.sessionId],
    ['token', event.tokenId],
    ['method', event.method],
    ['ip', event.ip === null ? null : `${event.ip} (from ${event.ipSource ?? 'unknown'})`],
    ['user agent', event.userAgent],
    ['device', event.deviceId],
    ['request', event.requestId],
    ['trace', event.traceId],
    ...Object.entries(event.data).map(([name, value]): [string, string] => [`data.${name}`, JSON.stringify(value)]),
  ]
}
