/** The API on one screen. Databases are in `gatebook/sqlite`, `gatebook/postgres` and `gatebook/mysql`. */
export type {
  AccessClaims,
  AppendOptions,
  Attempt,
  AttemptInput,
  AuthenticatedRequest,
  AuthenticationRequirements,
  Client,
  EventFilter,
  Gatebook,
  HeaderReader,
  HttpRequest,
  HttpResponse,
  ImportCounts,
  ImportedUser,
  ImportOptions,
  ImportRefusal,
  ImportReport,
  Introspection,
  Invitation,
  InvitationInput,
  IssuedToken,
  LogoutScope,
  NewApplicationEvent,
  NewClient,
  NewInvitation,
  Page,
  PageOptions,
  RequestContext,
  RevocationEntry,
  RevocationPage,
  RevocationStatus,
  Session,
  SessionGrant,
  SessionTokens,
  SigningKey,
  User,
  UserId,
} from './api.ts'
export { ERROR_CODES, type ErrorCode, GatebookError, isGatebookError } from './errors.ts'
export {
  EVENT_TYPES,
  type EventTypeName,
  type LoginFailureReason,
  type Outcome,
  type SessionEndReason,
} from './event/catalogue.ts'
export type { Actor, ActorKind, AddressSource, LogEvent } from './event/event.ts'
export { createGatebook } from './gatebook.ts'
export type { Diagnostics, GatebookOptions, MailRecipient } from './options.ts'
export type { Dialect, DialectName } from './store/dialect.ts'
