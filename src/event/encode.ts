import { type CanonicalValue, encodeCanonical, formatCanonical } from './canonical.ts'
import { APPLICATION_EVENT, type DataKind, type EventType, findEventType } from './catalogue.ts'
import { computeCommitment, generateSalt } from './commitment.ts'
import type { EventData, Network, NewEvent } from './event.ts'
import { CAPS, cleanText } from './redact.ts'
import { computeStateDigest, type RowStates, STATE_KINDS } from './state.ts'

export const LEAF_VERSION = 1
/** A bundle of the tile format carries at most 65,535 bytes an entry; nothing here comes near this. */
export const LEAF_MAX_BYTES = 8192

/** The columns of `gatebook_event`: what is searched, and the opening of the two commitments. */
export interface EventColumns {
  readonly id: string
  readonly type: string
  readonly outcome: string
  readonly reason: string | null
  readonly at: number
  readonly actor_kind: string
  readonly actor_id: string | null
  readonly subject_id: string | null
  readonly identifier: string | null
  readonly identifier_mask: string | null
  readonly identifier_hmac: string | null
  readonly identifier_key: number | null
  readonly session_id: string | null
  readonly token_id: string | null
  readonly method: string | null
  readonly ip: string | null
  readonly ip_source: string | null
  readonly user_agent: string | null
  readonly device_id: string | null
  readonly request_id: string | null
  readonly trace_id: string | null
  readonly data: string | null
  readonly salt_id: Uint8Array
  readonly salt_net: Uint8Array
}

export interface EncodedEvent {
  readonly columns: EventColumns
  /** The bytes that are the evidence. */
  readonly leaf: Uint8Array
}

/**
 * Turns a fact into its columns and its leaf. Texts are cleaned and capped here, before anything is committed to, so that
 * columns and commitments always agree. Throws a TypeError when the event is not one that the catalogue allows: that is a
 * mistake in the code, never in the input of a user.
 */
export function encodeEvent(event: NewEvent, id: string, at: number): EncodedEvent {
  const type = checkAgainstCatalogue(event)
  const network: Network = event.network ?? { ipSource: 'unknown' }
  const data = encodeData(type, event)
  const columns = {
    id,
    type: event.type,
    outcome: event.outcome,
    reason: event.reason ?? null,
    at,
    actor_kind: event.actor.kind,
    actor_id: clean(event.actor.id, CAPS.actor),
    subject_id: clean(event.subject, CAPS.subject),
    identifier: clean(event.identifier?.clear, CAPS.identifier),
    identifier_mask: clean(event.identifier?.mask, CAPS.identifier),
    identifier_hmac: event.identifier?.hmac ?? null,
    identifier_key: event.identifier?.keyVersion ?? null,
    session_id: event.sessionId ?? null,
    token_id: event.tokenId ?? null,
    method: clean(event.method, CAPS.method),
    ip: clean(network.ip, 45),
    ip_source: network.ipSource === 'unknown' ? null : network.ipSource,
    user_agent: clean(network.userAgent, CAPS.userAgent),
    device_id: network.deviceId ?? null,
    request_id: clean(event.requestId, CAPS.requestId),
    trace_id: clean(event.traceId, CAPS.traceId),
    data: data === undefined ? null : formatCanonical(data),
    salt_id: generateSalt(),
    salt_net: generateSalt(),
  }
  return { columns, leaf: encodeLeaf(columns, data, event.state) }
}

/** The fields that each commitment covers, as they stand in the columns. */
export function committedFields(
  columns: Omit<EventColumns, 'salt_id' | 'salt_net'>,
): Record<'id' | 'net', Record<string, CanonicalValue | undefined>> {
  return {
    id: {
      actor: columns.actor_id ?? undefined,
      subject: columns.subject_id ?? undefined,
      identifier: columns.identifier ?? undefined,
      identifier_mask: columns.identifier_mask ?? undefined,
      identifier_hmac: columns.identifier_hmac ?? undefined,
      identifier_key: columns.identifier_key === null ? undefined : Number(columns.identifier_key),
    },
    net: {
      ip: columns.ip ?? undefined,
      ip_source: columns.ip_source ?? undefined,
      user_agent: columns.user_agent ?? undefined,
      device: columns.device_id ?? undefined,
    },
  }
}

function encodeLeaf(columns: EventColumns, data: EventData | undefined, state: RowStates | undefined): Uint8Array {
  const fields = committedFields(columns)
  const leaf = encodeCanonical({
    v: LEAF_VERSION,
    id: columns.id,
    type: columns.type,
    outcome: columns.outcome,
    reason: columns.reason ?? undefined,
    at: columns.at,
    actor: columns.actor_kind,
    session: columns.session_id ?? undefined,
    token: columns.token_id ?? undefined,
    method: columns.method ?? undefined,
    request: columns.request_id ?? undefined,
    trace: columns.trace_id ?? undefined,
    data,
    state: digestStates(state, columns.salt_id),
    commit: {
      id: computeCommitment('id', columns.salt_id, fields.id),
      net: computeCommitment('net', columns.salt_net, fields.net),
    },
  })
  if (leaf.length > LEAF_MAX_BYTES) throw new TypeError(`a leaf must not be longer than ${LEAF_MAX_BYTES} bytes`)
  return leaf
}

function digestStates(state: RowStates | undefined, salt: Uint8Array): Record<string, string> | undefined {
  const digests: Record<string, string> = {}
  for (const kind of STATE_KINDS) {
    const fields = state?.[kind]
    if (fields !== undefined) digests[kind] = computeStateDigest(kind, salt, fields)
  }
  return Object.keys(digests).length === 0 ? undefined : digests
}

function clean(text: string | undefined, cap: number): string | null {
  return text === undefined ? null : cleanText(text, cap)
}

function checkAgainstCatalogue(event: NewEvent): EventType {
  const type = findEventType(event.type)
  if (type === null) throw new TypeError(`${event.type} is not an event type of the catalogue`)
  if (!type.outcomes.includes(event.outcome)) throw new TypeError(`${event.type} has no outcome ${event.outcome}`)
  const reasonMissing = event.reason === undefined && type.reasons.length > 0 && type.reasonOptional !== true
  const reasonUnknown = event.reason !== undefined && !type.reasons.includes(event.reason)
  if (reasonMissing || reasonUnknown) throw new TypeError(`${event.type} has no reason ${event.reason ?? '(none)'}`)
  for (const kind of STATE_KINDS) {
    const needed = type.state?.[kind]
    const given = event.state?.[kind] !== undefined
    // Whoever writes such a row and does not hand it over would leave one behind that nobody can tell from a forged one.
    if (given ? needed === undefined : needed === 'always') {
      throw new TypeError(`${event.type} ${given ? 'has no' : 'must have its'} row of kind ${kind}`)
    }
  }
  return type
}

function encodeData(type: EventType, event: NewEvent): EventData | undefined {
  if (event.data === undefined || Object.keys(event.data).length === 0) return undefined
  const cleaned: Record<string, string | number | boolean | readonly string[]> = {}
  for (const [name, value] of Object.entries(event.data)) {
    const kinds = type === APPLICATION_EVENT ? DATA_KINDS : [type.data[name]]
    if (!kinds.some((kind) => isOfKind(kind, value))) {
      throw new TypeError(`${event.type} has no data member ${name} of this kind`)
    }
    cleaned[name] =
      typeof value === 'string' ? cleanText(value, CAPS.dataText) : Array.isArray(value) ? value.map(cleanItem) : value
  }
  if (formatCanonical(cleaned).length > CAPS.dataBytes) {
    throw new TypeError(`the data of an event must not be longer than ${CAPS.dataBytes} characters`)
  }
  return cleaned
}

const DATA_KINDS: readonly DataKind[] = ['string', 'integer', 'boolean', 'strings']

function cleanItem(item: string): string {
  return cleanText(item, CAPS.dataText)
}

function isOfKind(kind: DataKind | undefined, value: unknown): boolean {
  switch (kind) {
    case 'string':
      return typeof value === 'string'
    case 'integer':
      return Number.isSafeInteger(value)
    case 'boolean':
      return typeof value === 'boolean'
    case 'strings':
      return Array.isArray(value) && Array.from(value).every((item) => typeof item === 'string')
    default:
      return false
  }
}
