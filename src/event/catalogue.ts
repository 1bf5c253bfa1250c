/** The closed table of event types: what the system can say. `spec/event.md` is generated from it. */
import type { StateKind } from './state.ts'

export type Outcome = 'success' | 'failure' | 'denied'

export const EVENT_VOLUMES = ['high', 'medium', 'low'] as const
export type EventVolume = (typeof EVENT_VOLUMES)[number]

/** What a member of `data` holds. */
export type DataKind = 'string' | 'integer' | 'boolean' | 'strings'

export interface EventType {
  readonly outcomes: readonly Outcome[]
  /**
   * Exact: one event per fact, in the transaction of the fact. Aggregate: counted in memory, appended as summaries.
   * Exact until flood: exact for the first hundred of an address prefix in ten minutes, then summaries of reason `flood`.
   */
  readonly kind: 'exact' | 'exact-until-flood' | 'aggregate'
  /** Closed list; empty when the type has no reason. A reason is optional only where `reasonOptional` says so. */
  readonly reasons: readonly string[]
  readonly reasonOptional?: true
  /** The only members that `data` may have. Never personal: they stand in the leaf in clear. */
  readonly data: Readonly<Record<string, DataKind>>
  /** The rows whose digests stand in the leaf: always, or where the transaction has written one. */
  readonly state?: Readonly<Partial<Record<StateKind, 'always' | 'sometimes'>>>
  /** How many to expect: `high` grows with traffic, `low` with administration. */
  readonly volume: EventVolume
  /** Never expires as a whole, and goes with what is pruned: rows that live on are compared with it, or it explains what is missing in the log. */
  readonly lasts?: true
  /** OWASP Logging Vocabulary. */
  readonly owasp: string
  /** OCSF 1.8 `type_uid`. */
  readonly ocsf: number
  /** ECS `event.category` / `event.type`. */
  readonly ecs: string
  /** OpenID CAEP or RISC event name, where one exists. */
  readonly caep?: string
  readonly about: string
}

export const LOGIN_FAILURE_REASONS = [
  'unknown-user',
  'wrong-password',
  'disabled',
  'throttled',
  'second-factor',
  'expired-password',
  'refused-by-application',
] as const
export type LoginFailureReason = (typeof LOGIN_FAILURE_REASONS)[number]

export const SESSION_END_REASONS = [
  'logout',
  'logout-everywhere',
  'ended-by-user',
  'ended-by-admin',
  'ended-by-application',
  'password-changed',
  'refresh-reused',
  'user-disabled',
  'user-deleted',
  'session-limit',
  'expired',
  'disowned',
  'code-reused',
  'replaced',
  'client-revoked',
] as const
export type SessionEndReason = (typeof SESSION_END_REASONS)[number]

/** At the door of an application: whether a code is given out for it, and whether one is taken. */
export const AUTHORIZATION_REFUSAL_REASONS = [
  'unknown-client',
  'revoked-client',
  'redirect-not-allowed',
  'unknown-code',
  'expired-code',
  'used-code',
  'wrong-client',
  'wrong-redirect',
  'wrong-verifier',
  'session-ended',
] as const
export type AuthorizationRefusalReason = (typeof AUTHORIZATION_REFUSAL_REASONS)[number]

export const REFRESH_REFUSAL_REASONS = ['invalid', 'expired', 'ended', 'superseded', 'reused', 'wrong-client'] as const
export type RefreshRefusalReason = (typeof REFRESH_REFUSAL_REASONS)[number]

export const REGISTRATION_REFUSAL_REASONS = [
  'closed',
  'identifier-taken',
  'throttled',
  'confirmation-invalid',
  'invitation-missing',
  'invitation-invalid',
  'wrong-password',
] as const
export type RegistrationRefusalReason = (typeof REGISTRATION_REFUSAL_REASONS)[number]

export const TOKEN_REFUSAL_REASONS = [
  'missing',
  'invalid',
  'expired',
  'revoked',
  'stale',
  'forbidden',
  'not-fresh',
  'cross-site',
] as const
export type TokenRefusalReason = (typeof TOKEN_REFUSAL_REASONS)[number]

export const RESET_FAILURE_REASONS = ['invalid', 'expired', 'used', 'superseded', 'disabled'] as const
export type ResetFailureReason = (typeof RESET_FAILURE_REASONS)[number]

export const CLIENT_REFUSAL_REASONS = ['unknown-client', 'wrong-secret', 'revoked'] as const
export type ClientRefusalReason = (typeof CLIENT_REFUSAL_REASONS)[number]

/** A summary: how many, since when (epoch milliseconds), and `reason:number` for each reason. */
const FLOOD_DATA: Readonly<Record<string, DataKind>> = { count: 'integer', counted_from: 'integer', counts: 'strings' }

export const EVENT_TYPES: Readonly<Record<EventTypeName, EventType>> = {
  'user.registered': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { confirmed: 'boolean', confusable: 'boolean', invitation: 'string' },
    state: { credential: 'always' },
    volume: 'medium',
    lasts: true,
    owasp: 'user_created',
    ocsf: 300101,
    ecs: 'iam / creation, user',
    about:
      'A user with an identifier and a password exists from now on. `confusable`: there is another user whose identifier looks the same.',
  },
  'user.imported': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { confirmed: 'boolean', confusable: 'boolean', hash: 'string' },
    state: { credential: 'always' },
    volume: 'low',
    lasts: true,
    owasp: 'user_created',
    ocsf: 300101,
    ecs: 'iam / creation, user',
    about: 'A user was brought along from another system, with a password hash of the kind `hash`.',
  },
  'user.disabled': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: {},
    volume: 'low',
    lasts: true,
    owasp: 'user_archived',
    ocsf: 300105,
    ecs: 'iam / change, user',
    caep: 'risc account-disabled',
    about: 'The user can no longer log in; each session that was live has a session.ended of its own.',
  },
  'user.enabled': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: {},
    volume: 'low',
    lasts: true,
    owasp: 'user_updated',
    ocsf: 300102,
    ecs: 'iam / change, user',
    caep: 'risc account-enabled',
    about: 'The user can log in again.',
  },
  'registration.refused': {
    outcomes: ['denied'],
    kind: 'exact-until-flood',
    reasons: [...REGISTRATION_REFUSAL_REASONS, 'flood'],
    data: { ...FLOOD_DATA, retry_after: 'integer', scope: 'string' },
    volume: 'medium',
    owasp: 'authz_fail',
    ocsf: 300101,
    ecs: 'iam / creation, user',
    about: 'A registration with well-formed input was refused.',
  },
  'registration.requested': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: {},
    volume: 'medium',
    owasp: 'user_created',
    ocsf: 300101,
    ecs: 'iam / creation, user',
    about: 'Somebody wants to register, and the address that they gave has to be confirmed first.',
  },
  'invitation.created': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { invitation: 'string', roles: 'strings', expires_at: 'integer' },
    volume: 'low',
    owasp: 'user_created',
    ocsf: 300101,
    ecs: 'iam / creation, user',
    about: 'Whoever holds the invitation may register once.',
  },
  'invitation.revoked': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { invitation: 'string' },
    volume: 'low',
    owasp: 'user_updated',
    ocsf: 300102,
    ecs: 'iam / change, user',
    about: 'An invitation that had not been used is void.',
  },
  'login.succeeded': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { known_device: 'boolean', rehashed: 'boolean', client: 'string', parent: 'string' },
    state: { session: 'always', rotation: 'always', credential: 'sometimes' },
    volume: 'high',
    owasp: 'authn_login_success',
    ocsf: 300201,
    ecs: 'authentication / start',
    caep: 'caep session-established',
    about:
      'A usable session exists from now on. With `client`, in an application that the user was handed over to by the session `parent`.',
  },
  'login.failed': {
    outcomes: ['failure', 'denied'],
    kind: 'exact-until-flood',
    reasons: [...LOGIN_FAILURE_REASONS, 'flood'],
    data: { retry_after: 'integer', scope: 'string', ...FLOOD_DATA },
    volume: 'high',
    owasp: 'authn_login_fail',
    ocsf: 300201,
    ecs: 'authentication / start',
    about: 'A log-in was refused. `denied` when no password was looked at (throttled), `failure` otherwise.',
  },
  'session.refreshed': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: ['grace'],
    reasonOptional: true,
    data: { counter: 'integer' },
    state: { rotation: 'always' },
    volume: 'high',
    owasp: 'session_renewed',
    ocsf: 300299,
    ecs: 'authentication / info',
    caep: 'caep session-presented',
    about: 'A refresh token was rotated, or (reason grace) its successor was handed out once more.',
  },
  'session.refresh-refused': {
    outcomes: ['denied'],
    kind: 'exact-until-flood',
    reasons: [...REFRESH_REFUSAL_REASONS, 'flood'],
    data: { counter: 'integer', ...FLOOD_DATA },
    volume: 'medium',
    owasp: 'authn_token_reuse',
    ocsf: 300299,
    ecs: 'authentication / info',
    about: 'A refresh token was refused. `reused` ends the session, which has a session.ended of its own.',
  },
  'session.ended': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: SESSION_END_REASONS,
    data: {},
    volume: 'high',
    owasp: 'session_expired',
    ocsf: 300202,
    ecs: 'authentication / end',
    caep: 'caep session-revoked',
    about: 'The session is over; its access tokens are refused from now on.',
  },
  'session.disowned': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { event: 'string', was_live: 'boolean', device_forgotten: 'boolean' },
    volume: 'low',
    owasp: 'session_expired',
    ocsf: 300202,
    ecs: 'authentication / info',
    caep: 'risc account-credential-change-required',
    about:
      'The user said of `event`, in the own history, that it was somebody else. A session that was live is ended with it, in an event of its own.',
  },
  'authorization.granted': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { client: 'string' },
    volume: 'high',
    owasp: 'authn_token_created',
    ocsf: 300208,
    ecs: 'authentication / info',
    about:
      'A user who is logged in goes on to the application `client`: it was given a code, which it may redeem once.',
  },
  'authorization.refused': {
    outcomes: ['denied'],
    kind: 'exact-until-flood',
    reasons: [...AUTHORIZATION_REFUSAL_REASONS, 'flood'],
    data: { client: 'string', ...FLOOD_DATA },
    volume: 'low',
    owasp: 'authn_login_fail',
    ocsf: 300201,
    ecs: 'authentication / start',
    about: 'Nobody was handed over: the application is not known or not at this address, or its code is not good.',
  },
  'token.refused': {
    outcomes: ['denied'],
    kind: 'aggregate',
    reasons: TOKEN_REFUSAL_REASONS,
    data: { count: 'integer', counted_from: 'integer' },
    volume: 'medium',
    owasp: 'authz_fail',
    ocsf: 300201,
    ecs: 'authentication / info',
    about:
      'Requests to protected routes were refused: `count` of one reason from one address prefix within a second. The address and the request id are those of the first.',
  },
  'password.changed': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: {},
    state: { credential: 'always' },
    volume: 'low',
    lasts: true,
    owasp: 'authn_password_change',
    ocsf: 300103,
    ecs: 'iam / change, user',
    caep: 'caep credential-change',
    about: 'The password is another one; by the user who knew the old one, or by an operator.',
  },
  'password.change-failed': {
    outcomes: ['failure', 'denied'],
    kind: 'exact-until-flood',
    reasons: ['wrong-password', 'throttled', 'flood'],
    data: { retry_after: 'integer', scope: 'string', ...FLOOD_DATA },
    volume: 'low',
    owasp: 'authn_password_change_fail',
    ocsf: 300103,
    ecs: 'iam / change, user',
    about: 'The current password that was given is not right.',
  },
  'password.reset-requested': {
    outcomes: ['success', 'failure', 'denied'],
    kind: 'exact-until-flood',
    reasons: ['unknown-user', 'disabled', 'throttled', 'flood'],
    reasonOptional: true,
    data: { retry_after: 'integer', scope: 'string', ...FLOOD_DATA },
    volume: 'medium',
    owasp: 'authn_password_change',
    ocsf: 300104,
    ecs: 'iam / change, user',
    caep: 'risc recovery-activated',
    about: 'Somebody asked for a new password. Only a success makes a token, which is sent or handed out.',
  },
  'password.reset': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { confirmed: 'boolean' },
    state: { credential: 'always' },
    volume: 'low',
    lasts: true,
    owasp: 'authn_password_change',
    ocsf: 300104,
    ecs: 'iam / change, user',
    caep: 'caep credential-change',
    about: 'A one-time token was traded for a new password. `confirmed`: it had been sent to the address of the user.',
  },
  'password.reset-failed': {
    outcomes: ['failure', 'denied'],
    kind: 'exact-until-flood',
    reasons: [...RESET_FAILURE_REASONS, 'flood'],
    data: { ...FLOOD_DATA },
    volume: 'low',
    owasp: 'authn_password_change_fail',
    ocsf: 300104,
    ecs: 'iam / change, user',
    about: 'A one-time token for a new password was refused.',
  },
  'role.granted': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { role: 'string' },
    volume: 'low',
    lasts: true,
    owasp: 'authz_change',
    ocsf: 300503,
    ecs: 'iam / change, user',
    caep: 'caep token-claims-change',
    about: 'The user has one role more.',
  },
  'role.revoked': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { role: 'string' },
    volume: 'low',
    lasts: true,
    owasp: 'authz_change',
    ocsf: 300504,
    ecs: 'iam / change, user',
    caep: 'caep token-claims-change',
    about: 'The user has one role less.',
  },
  'key.created': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { kid: 'string', algorithm: 'string' },
    state: { key: 'always' },
    volume: 'low',
    lasts: true,
    owasp: 'sys_startup',
    ocsf: 300401,
    ecs: 'configuration / creation',
    about: 'A signing key was made.',
  },
  'key.activated': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { kid: 'string', algorithm: 'string' },
    volume: 'low',
    lasts: true,
    owasp: 'sys_startup',
    ocsf: 300403,
    ecs: 'configuration / change',
    about: 'Access tokens are signed with this key from now on.',
  },
  'key.retired': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { kid: 'string', algorithm: 'string' },
    volume: 'low',
    lasts: true,
    owasp: 'sys_startup',
    ocsf: 300403,
    ecs: 'configuration / change',
    about: 'Nothing that this signing key has signed can be valid any more; it is published no longer.',
  },
  'key.revoked': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { kid: 'string', algorithm: 'string' },
    volume: 'low',
    lasts: true,
    owasp: 'sys_startup',
    ocsf: 300403,
    ecs: 'configuration / change',
    about: 'A signing key was ended at once: what it has signed is refused.',
  },
  'client.created': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { client: 'string' },
    state: { client: 'always' },
    volume: 'low',
    lasts: true,
    owasp: 'user_created',
    ocsf: 300401,
    ecs: 'configuration / creation',
    about: 'A program may ask about tokens from now on, or users may be handed over to it.',
  },
  'client.revoked': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { client: 'string' },
    volume: 'low',
    lasts: true,
    owasp: 'user_updated',
    ocsf: 300403,
    ecs: 'configuration / change',
    about:
      'A program may ask about nothing and take over nobody any more; its sessions end, each in an event of its own.',
  },
  'client.refused': {
    outcomes: ['denied'],
    kind: 'exact-until-flood',
    reasons: [...CLIENT_REFUSAL_REASONS, 'flood'],
    data: { client: 'string', ...FLOOD_DATA },
    volume: 'low',
    owasp: 'authn_login_fail',
    ocsf: 300201,
    ecs: 'authentication / start',
    about: 'Somebody asked about tokens, or wanted some, and could not show that it is a program that may.',
  },
  'throttle.locked': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { scope: 'string', until: 'integer' },
    volume: 'medium',
    owasp: 'authn_login_lock',
    ocsf: 300109,
    ecs: 'iam / change, user',
    caep: 'risc account-disabled',
    about: 'The last free failure of an address or of an account in its window was used up.',
  },
  'throttle.unlocked': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { counters: 'integer' },
    volume: 'low',
    owasp: 'user_updated',
    ocsf: 300112,
    ecs: 'iam / change, user',
    caep: 'risc account-enabled',
    about: 'An operator set the counters of an account back.',
  },
  'log.read': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { filters: 'strings', returned: 'integer' },
    volume: 'low',
    owasp: 'sensitive_read',
    ocsf: 300402,
    ecs: 'iam / admin',
    about: 'An admin or an operator searched the log. `filters` names the filters, never their values.',
  },
  'log.epoch': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: ['restored', 'guard-adopted', 'quarantined'],
    data: {
      epoch: 'integer',
      size: 'integer',
      root: 'string',
      previous_size: 'integer',
      previous_root: 'string',
      quarantined: 'integer',
      missing: 'integer',
    },
    volume: 'low',
    lasts: true,
    owasp: 'sys_restart',
    ocsf: 300499,
    ecs: 'iam / admin',
    about:
      'The log goes on from a restored backup (`restored`; `previous_…` is what had been signed before), with a guard in place of a lost one, or without entries that no writer has made (`quarantined`: how many; `missing`: places that had no entry; nothing was changed before `size`).',
  },
  'log.expired': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { class: 'string', actors: 'string', volume: 'string', before: 'integer', count: 'integer' },
    volume: 'low',
    lasts: true,
    owasp: 'sys_monitor_disabled',
    ocsf: 300404,
    ecs: 'configuration / deletion',
    about:
      'The period of something is over: whatever of `class` (`net`: network data, `event`: whole events, `session`: sessions that have ended), `actors` and `volume` is older than `before` goes, unless it is held. `count`: how much that was when this was written.',
  },
  'log.erased': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: ['requested', 'under-way'],
    data: {
      scope: 'string',
      events: 'integer',
      networks: 'integer',
      sessions: 'integer',
      devices: 'integer',
      tokens: 'integer',
      counters: 'integer',
      erasure: 'string',
      reference: 'string',
    },
    volume: 'low',
    lasts: true,
    owasp: 'sys_monitor_disabled',
    ocsf: 300404,
    ecs: 'configuration / deletion',
    about:
      'The personal data of one user or identifier is gone: out of so many `events` (and of `networks` the network data), and the rows of the rest. Names nobody. `under-way`: an event that was being written meanwhile has been emptied afterwards.',
  },
  'log.pruned': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { first: 'integer', entries: 'integer', lasting: 'integer', before: 'integer' },
    volume: 'low',
    lasts: true,
    owasp: 'sys_monitor_disabled',
    ocsf: 300404,
    ecs: 'configuration / deletion',
    about:
      'The beginning of the log goes: `entries` of it, with their events, so that entry `first` is the first one. All of them are older than `before`. `lasting`: how many of these would not have expired.',
  },
  'log.held': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { hold: 'string', from: 'integer', to: 'integer', reference: 'string' },
    volume: 'low',
    lasts: true,
    owasp: 'sys_monitor_disabled',
    ocsf: 300403,
    ecs: 'configuration / change',
    about: 'A legal hold: what it covers (a user, an identifier, a time, or everything) neither expires nor is erased.',
  },
  'log.released': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { hold: 'string', reference: 'string' },
    volume: 'low',
    lasts: true,
    owasp: 'sys_monitor_disabled',
    ocsf: 300403,
    ecs: 'configuration / change',
    about: 'A legal hold has ended.',
  },
  'log.exported': {
    outcomes: ['success'],
    kind: 'exact',
    reasons: [],
    data: { format: 'string', first: 'integer', entries: 'integer' },
    volume: 'low',
    owasp: 'sensitive_read',
    ocsf: 300402,
    ecs: 'iam / admin',
    about:
      'An admin or an operator took entries out of the log: the `receipt` of one, or as `tiles` so many from the first one on. Left before the first byte is handed out.',
  },
  'log.audited': {
    outcomes: ['success', 'failure'],
    kind: 'exact',
    reasons: [],
    data: { entries: 'integer', size: 'integer', findings: 'integer' },
    volume: 'low',
    owasp: 'sys_monitor_disabled',
    ocsf: 300499,
    ecs: 'configuration / info',
    about:
      'The log was re-read and compared with the database, as far as it had `size` entries. `failure`: there were `findings`.',
  },
}

export type EventTypeName =
  | 'user.registered'
  | 'user.imported'
  | 'user.disabled'
  | 'user.enabled'
  | 'registration.requested'
  | 'registration.refused'
  | 'invitation.created'
  | 'invitation.revoked'
  | 'login.succeeded'
  | 'login.failed'
  | 'session.refreshed'
  | 'session.refresh-refused'
  | 'session.ended'
  | 'session.disowned'
  | 'authorization.granted'
  | 'authorization.refused'
  | 'token.refused'
  | 'password.changed'
  | 'password.change-failed'
  | 'password.reset-requested'
  | 'password.reset'
  | 'password.reset-failed'
  | 'role.granted'
  | 'role.revoked'
  | 'key.created'
  | 'key.activated'
  | 'key.retired'
  | 'key.revoked'
  | 'client.created'
  | 'client.revoked'
  | 'client.refused'
  | 'throttle.locked'
  | 'throttle.unlocked'
  | 'log.read'
  | 'log.epoch'
  | 'log.expired'
  | 'log.erased'
  | 'log.pruned'
  | 'log.held'
  | 'log.released'
  | 'log.exported'
  | 'log.audited'
/** The application's own events, appended with `gate.log.append`. */
export type ApplicationEventName = `app.${string}`

const APPLICATION_NAME = /^app\.[a-z0-9]+([.-][a-z0-9]+){0,7}$/

/** The one row for all of the application's own types; their `data` is free within the size cap. */
export const APPLICATION_EVENT: EventType = {
  outcomes: ['success', 'failure', 'denied'],
  kind: 'exact',
  reasons: [],
  data: {},
  volume: 'medium',
  owasp: 'sensitive_update',
  ocsf: 300499,
  ecs: 'iam / info',
  about: 'Whatever the application has to record, in its own transaction.',
}

/** The catalogue row of a type, or null when there is no such type. */
export function findEventType(type: string): EventType | null {
  if (Object.hasOwn(EVENT_TYPES, type)) return EVENT_TYPES[type as EventTypeName]
  return type.length <= 64 && APPLICATION_NAME.test(type) ? APPLICATION_EVENT : null
}
