/** The closed table of what reconciliation can say, with a sentence for people each. */

/** Somebody has meddled with the database. */
export const FORGERIES = {
  'session-without-event': 'There is a session that no log-in has started.',
  'session-differs': 'A session has another method, other roles, claims or times than its log-in gave it.',
  'session-subject-differs': 'A session belongs to somebody else than the one who has logged in.',
  'session-rotation-differs':
    'Counter, rotations or expiry of a session are not what its last refresh has left: a spent token may be good again.',
  'session-revived': 'A session lives that the log says has ended.',
  'session-ended-without-event': 'A session has ended, and the log does not say so.',
  'session-end-differs': 'A session has another reason for its end than the log.',
  'credential-without-event': 'There is a password that nobody has chosen, as far as the log knows.',
  'credential-differs': 'A password hash is not the one that was written last.',
  'user-without-event': 'There is a user who has neither registered nor been imported.',
  'user-differs': 'A user has another identifier than at registration.',
  'user-enabled-without-event': 'The log says that a user is disabled, and the user is not.',
  'user-disabled-without-event': 'A user is disabled, and the log does not say so.',
  'role-without-grant': 'A user has a role that the log does not know as granted.',
  'role-missing': 'The log says that a user has a role, and the user does not have it.',
  'client-without-event': 'There is a client that nobody has added.',
  'client-differs': 'A client has another secret or name than when it was added.',
  'client-revived': 'A client can ask that the log says was revoked.',
  'client-revoked-without-event': 'A client is revoked, and the log does not say so.',
  'key-without-event': 'Access tokens are accepted under a signing key that nobody has made.',
  'key-differs': 'A signing key has another public key or algorithm than when it was made.',
  'key-revived': 'Access tokens are accepted under a signing key that the log says was retired or revoked.',
  'hold-without-event': 'There is a legal hold that nobody has added.',
  'hold-revived': 'A legal hold stands in its table that the log says was released.',
  'hold-missing': 'The log says that there is a legal hold, and it is not in its table.',
  'invitation-without-event': 'There is an invitation that nobody has given out.',
  'invitation-revived': 'An invitation is good that the log says was used or revoked.',
  'invitation-reused': 'Somebody has registered with an invitation that was used or revoked before.',
  'event-without-entry': 'An event that a row rests on has no entry in the log.',
  'event-not-authentic': 'An event that a row rests on has an entry that nothing vouches for.',
  'event-malformed': 'The entry of an event that a row rests on is no leaf.',
  'event-differs': 'An event that a row rests on is not what its entry says.',
  'event-order-differs': 'Events that a row rests on stand in another order than their entries.',
  'event-closed': 'An event that a row rests on has lost its opening, though its user was not erased.',
} as const

/** Nobody can tell any more whether somebody has, and here is why. */
export const UNVERIFIABLE = {
  'user-erased': 'The user was erased, and the events that told about them with it.',
  'event-expired': 'The event is older than events of its type are kept.',
  'event-pruned': 'The row says that it is older than what was pruned, and so its event may be gone.',
  'row-in-motion': 'The row changed whenever it was looked at.',
} as const

export type DiscrepancyCode = keyof typeof FORGERIES | keyof typeof UNVERIFIABLE

export type RowKind = 'session' | 'credential' | 'user' | 'subject' | 'role' | 'client' | 'key' | 'hold' | 'invitation'

export interface Discrepancy {
  readonly verdict: 'finding' | 'unverifiable'
  readonly code: DiscrepancyCode
  readonly kind: RowKind
  /** Of the row: its id; of a role the subject, a space and the role. */
  readonly id: string
  /** Which event, and what about it. Never a value out of a row. */
  readonly detail: string
}

/** How far it has come. */
export interface Checked {
  readonly verdict: 'checked'
  readonly kind: RowKind
  readonly rows: number
}

export function isForgery(code: DiscrepancyCode): code is keyof typeof FORGERIES {
  return Object.hasOwn(FORGERIES, code)
}

export function describeDiscrepancy(code: DiscrepancyCode): string {
  return isForgery(code) ? FORGERIES[code] : UNVERIFIABLE[code]
}
