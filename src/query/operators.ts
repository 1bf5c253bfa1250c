import type { EventValues } from '../api.ts'
import { EVENT_TYPES, findEventType } from '../event/catalogue.ts'
import { normalizeIdentifier } from '../user/normalize-identifier.ts'
import { parseCidrRange } from '../util/address.ts'
import { ID_PREFIXES, isId } from '../util/id-kind.ts'
import { INSTANT_EXAMPLES, parseInstant } from '../util/parse-instant.ts'

/** Operators that compare a value of the event, and are named as the member of the filter. */
export type ValueOperator = keyof EventValues

export type OperatorName = ValueOperator | 'since' | 'until'

export interface Operator {
  /** The rest of "It takes …". */
  readonly expected: string
  readonly about: string
  readonly example: string
  /** Closed sets, for hints and completion. */
  readonly known: readonly string[]
  /** What ids of this kind begin with. */
  readonly prefix?: string
  /** Times stand once, alone, and are not turned round. */
  readonly time?: true
  /** Whether any event could have the value: no engine shall meet what it cannot hold, and a misspelt type is no type. */
  accepts(value: string): boolean
}

const TYPE_NAMES: readonly string[] = Object.keys(EVENT_TYPES)
const GROUPS: readonly string[] = [...new Set(TYPE_NAMES.map((type) => `${type.split('.')[0]}.*`)), 'app.*']
const REASONS: readonly string[] = [...new Set(Object.values(EVENT_TYPES).flatMap(({ reasons }) => reasons))].sort()
const OUTCOMES: readonly string[] = ['success', 'failure', 'denied']

/** The closed table of operators, in the order in which they are offered. `docs/search.md` is generated from it. */
export const OPERATORS: Readonly<Record<OperatorName, Operator>> = {
  type: {
    expected: 'an event type, or the first word of one and .*',
    about: 'What has happened. `session.*` is every type that begins so.',
    example: 'type:login.failed',
    known: [...TYPE_NAMES, ...GROUPS],
    accepts: (value) => findEventType(value) !== null || isGroup(value),
  },
  outcome: {
    expected: 'success, failure or denied',
    about: 'How it ended. `denied` is what was refused before anything was checked.',
    example: 'outcome:failure,denied',
    known: OUTCOMES,
    accepts: (value) => OUTCOMES.includes(value),
  },
  reason: {
    expected: 'a reason of the catalogue',
    about: 'Why it failed or ended.',
    example: 'reason:wrong-password',
    known: REASONS,
    accepts: (value) => REASONS.includes(value),
  },
  user: {
    expected: 'a user id',
    about: 'The user that it is about, by id; on the command line by identifier, too.',
    example: 'user:42',
    known: [],
    prefix: ID_PREFIXES.user,
    accepts: isPlainText,
  },
  identifier: {
    expected: 'what somebody typed at a log-in',
    about: 'What was typed, whether it belongs to a user or not. In quotes where it has a blank or a comma.',
    example: 'identifier:"anna maria"',
    known: [],
    accepts: isIdentifier,
  },
  ip: {
    expected: 'an address or a CIDR',
    about: 'The address that it came from, or a range of them.',
    example: 'ip:203.0.113.0/24',
    known: [],
    accepts: (value) => parseCidrRange(value) !== null,
  },
  session: {
    expected: 'a session id',
    about: 'One session, from its log-in to its end.',
    example: 'session:ses_01m8bzjdxxm4aj5wey65bkyydt',
    known: [],
    prefix: ID_PREFIXES.session,
    accepts: (value) => isId('session', value),
  },
  event: {
    expected: 'an event id',
    about: 'One event.',
    example: 'event:evt_01m8bzjdxxm4aj5wey65bkyydt',
    known: [],
    prefix: ID_PREFIXES.event,
    accepts: (value) => isId('event', value),
  },
  request: {
    expected: 'a request id',
    about: 'The request, as its answer names it.',
    example: 'request:req_01m8bzjdxxm4aj5wey65bkyydt',
    known: [],
    prefix: ID_PREFIXES.request,
    accepts: isPlainText,
  },
  device: {
    expected: 'a device id',
    about: 'One device that somebody has logged in from.',
    example: 'device:dev_01m8bzjdxxm4aj5wey65bkyydt',
    known: [],
    prefix: ID_PREFIXES.device,
    accepts: (value) => isId('device', value),
  },
  since: {
    expected: `a time such as ${INSTANT_EXAMPLES}`,
    about: 'From this time on.',
    example: 'since:24h',
    known: ['1h', '24h', '7d', '30d'],
    time: true,
    accepts: (value) => parseInstant(value, { now: 0 }) !== null,
  },
  until: {
    expected: `a time such as ${INSTANT_EXAMPLES}`,
    about: 'Before this time.',
    example: 'until:2025-11-24T08:00+01:00',
    known: ['1h', '24h', '7d', '30d'],
    time: true,
    accepts: (value) => parseInstant(value, { now: 0 }) !== null,
  },
}

export const OPERATOR_NAMES: readonly OperatorName[] = Object.keys(OPERATORS) as OperatorName[]

export const VALUE_OPERATORS: readonly ValueOperator[] = OPERATOR_NAMES.filter(
  (name): name is ValueOperator => OPERATORS[name].time !== true,
)

/** The types of the catalogue that begin as `login.*` says, or null for what is not in this form. */
export function typesOfGroup(group: string): readonly string[] | null {
  return group.endsWith('.*') ? TYPE_NAMES.filter((type) => type.startsWith(group.slice(0, -1))) : null
}

/** The application's own types are not known; any beginning of theirs is a group. */
export function isApplicationGroup(type: string): boolean {
  return type.length <= 64 && /^app\.(?:[a-z0-9]+[.-])*\*$/.test(type) && type.endsWith('.*')
}

function isGroup(type: string): boolean {
  return isApplicationGroup(type) || (typesOfGroup(type)?.length ?? 0) > 0
}

function isPlainText(value: string): boolean {
  return value.length >= 1 && value.length <= 128 && value.isWellFormed() && !value.includes('\0')
}

function isIdentifier(value: string): boolean {
  try {
    normalizeIdentifier(value)
    return true
  } catch {
    return false
  }
}
