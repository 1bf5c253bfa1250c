import type { ApplicationEventName, EventTypeName, Outcome } from './catalogue.ts'
import type { RowStates } from './state.ts'

export const ACTOR_KINDS = ['user', 'admin', 'system', 'application', 'anonymous'] as const
export type ActorKind = (typeof ACTOR_KINDS)[number]

/** Who caused an event. `id` is a user id, or the name of a program for `system`. */
export interface Actor {
  readonly kind: ActorKind
  readonly id?: string
}

/** Where the client address was taken from. */
/**
 * Where an address was taken from. `header-ignored`: from the socket too, though the request had a forwarding header, which
 * did not come from a trusted proxy or could not be read.
 */
export type AddressSource = 'socket' | 'header-ignored' | 'forwarded' | 'x-forwarded-for' | 'application' | 'unknown'

/** What the network told about the caller. Everything in it expires with the `net` class. */
export interface Network {
  /** Textual IPv4 or IPv6 address in its canonical form. */
  readonly ip?: string
  readonly ipSource: AddressSource
  readonly userAgent?: string
  readonly deviceId?: string
}

/** How the log names what somebody typed as an identifier. In clear only when it resolved to a user. */
export interface IdentifierView {
  readonly clear?: string
  /** Only for the shape of an e-mail address that resolved to nobody. */
  readonly mask?: string
  /** Keyed digest of the normalised form, base64url. */
  readonly hmac: string
  readonly keyVersion: number
}

export type EventDataValue = string | number | boolean | readonly string[]
export type EventData = Readonly<Record<string, EventDataValue>>

/** A fact to be appended. `at` and `id` are added by the log. */
export interface NewEvent {
  readonly type: EventTypeName | ApplicationEventName
  readonly outcome: Outcome
  readonly reason?: string
  readonly actor: Actor
  /** The user that the event is about. */
  readonly subject?: string
  readonly identifier?: IdentifierView
  readonly sessionId?: string
  readonly tokenId?: string
  /** How somebody authenticated, e.g. `password`. */
  readonly method?: string
  readonly network?: Network
  readonly requestId?: string
  readonly traceId?: string
  readonly data?: EventData
  /** The rows that the transaction writes and that the catalogue asks of this type; only their digests are kept. */
  readonly state?: RowStates
}

/** An event as it is read back. Members that were never known or have been forgotten are null. */
export interface LogEvent {
  /** Position in the order in which events were written on this database; the number of the SQL views. */
  readonly number: number
  readonly id: string
  readonly type: string
  readonly outcome: Outcome
  readonly reason: string | null
  /** Epoch milliseconds. */
  readonly at: number
  readonly actor: { readonly kind: ActorKind; readonly id: string | null }
  readonly subject: string | null
  readonly identifier: string | null
  readonly identifierMask: string | null
  readonly identifierHmac: string | null
  readonly sessionId: string | null
  readonly tokenId: string | null
  readonly method: string | null
  readonly ip: string | null
  readonly ipSource: AddressSource | null
  readonly userAgent: string | null
  readonly deviceId: string | null
  readonly requestId: string | null
  readonly traceId: string | null
  readonly data: EventData
}
