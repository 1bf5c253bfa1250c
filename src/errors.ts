export interface ErrorRow {
  /** HTTP status that the error maps to. */
  readonly status: number
  readonly message: string
}

export type ErrorCode =
  | 'ERR_LOGIN_REFUSED'
  | 'ERR_THROTTLED'
  | 'ERR_OVERLOADED'
  | 'ERR_REGISTRATION_CLOSED'
  | 'ERR_CONFIRMATION_REQUIRED'
  | 'ERR_CONFIRMATION_INVALID'
  | 'ERR_INVITATION_REQUIRED'
  | 'ERR_INVITATION_INVALID'
  | 'ERR_INVITATION_NOT_FOUND'
  | 'ERR_RESET_INVALID'
  | 'ERR_MAIL_UNAVAILABLE'
  | 'ERR_IDENTIFIER_TAKEN'
  | 'ERR_IDENTIFIER_INVALID'
  | 'ERR_IDENTIFIER_NOT_EMAIL'
  | 'ERR_USER_ID_INVALID'
  | 'ERR_PASSWORD_TOO_SHORT'
  | 'ERR_PASSWORD_TOO_LONG'
  | 'ERR_PASSWORD_COMMON'
  | 'ERR_PASSWORD_MATCHES_IDENTIFIER'
  | 'ERR_PASSWORD_MALFORMED'
  | 'ERR_PASSWORD_WRONG'
  | 'ERR_HASH_UNKNOWN'
  | 'ERR_ROW_MALFORMED'
  | 'ERR_USER_NOT_FOUND'
  | 'ERR_ROLE_INVALID'
  | 'ERR_SESSION_NOT_FOUND'
  | 'ERR_EVENT_NOT_FOUND'
  | 'ERR_EVENT_PENDING'
  | 'ERR_EVENT_NOT_DISOWNABLE'
  | 'ERR_ENTRY_PRUNED'
  | 'ERR_LOG_UNPUBLISHED'
  | 'ERR_TILE_NOT_FOUND'
  | 'ERR_LOG_TAMPERED'
  | 'ERR_EVENT_INVALID'
  | 'ERR_HELD'
  | 'ERR_HOLD_INVALID'
  | 'ERR_HOLD_TAMPERED'
  | 'ERR_HOLD_NOT_FOUND'
  | 'ERR_REFERENCE_INVALID'
  | 'ERR_TRANSACTION_UNKNOWN'
  | 'ERR_ATTEMPT_SETTLED'
  | 'ERR_REASON_INVALID'
  | 'ERR_CLAIMS_INVALID'
  | 'ERR_TOKEN_TOO_LARGE'
  | 'ERR_TOKEN_MISSING'
  | 'ERR_TOKEN_INVALID'
  | 'ERR_TOKEN_EXPIRED'
  | 'ERR_TOKEN_REVOKED'
  | 'ERR_TOKEN_STALE'
  | 'ERR_REVOCATIONS_UNAVAILABLE'
  | 'ERR_FRESH_REQUIRED'
  | 'ERR_FORBIDDEN'
  | 'ERR_CSRF'
  | 'ERR_COOKIES_OFF'
  | 'ERR_REFRESH_INVALID'
  | 'ERR_REFRESH_EXPIRED'
  | 'ERR_REFRESH_ENDED'
  | 'ERR_REFRESH_SUPERSEDED'
  | 'ERR_REFRESH_REUSED'
  | 'ERR_BODY_MALFORMED'
  | 'ERR_BODY_INVALID'
  | 'ERR_BODY_TOO_LARGE'
  | 'ERR_MEDIA_TYPE'
  | 'ERR_QUERY_INVALID'
  | 'ERR_CURSOR_INVALID'
  | 'ERR_STREAMS_EXHAUSTED'
  | 'ERR_AUDIT_RUNNING'
  | 'ERR_AUDIT_NOT_FOUND'
  | 'ERR_AUDIT_CANCELLED'
  | 'ERR_NOT_FOUND'
  | 'ERR_METHOD'
  | 'ERR_REQUEST_MALFORMED'
  | 'ERR_REQUEST_TIMEOUT'
  | 'ERR_HEADERS_TOO_LARGE'
  | 'ERR_KEY_INVALID'
  | 'ERR_CLIENT_NAME_INVALID'
  | 'ERR_CLIENT_NOT_FOUND'
  | 'ERR_CLIENT_INVALID'
  | 'ERR_REDIRECT_URI_INVALID'
  | 'ERR_REDIRECT_URI_NOT_ALLOWED'
  | 'ERR_CODE_CHALLENGE_INVALID'
  | 'ERR_CODE_INVALID'
  | 'ERR_GRANT_UNSUPPORTED'
  | 'ERR_KEY_NOT_FOUND'
  | 'ERR_KEY_SHARED'
  | 'ERR_KEYS_UNAVAILABLE'
  | 'ERR_ARGUMENT_INVALID'
  | 'ERR_CLOSED'
  | 'ERR_UNAVAILABLE'
  | 'ERR_DATABASE_FULL'
  | 'ERR_INTERNAL'
  | 'ERR_OPTION_INVALID'
  | 'ERR_OPTION_UNKNOWN'
  | 'ERR_SECRET_MISSING'
  | 'ERR_SECRET_WEAK'
  | 'ERR_SECRET_MISMATCH'
  | 'ERR_LOG_KEY_MISSING'
  | 'ERR_LOG_KEY_MISMATCH'
  | 'ERR_LOG_GUARD_MISSING'
  | 'ERR_LOG_GUARD_UNUSABLE'
  | 'ERR_LOG_GUARD_PRESENT'
  | 'ERR_LOG_DIVERGED'
  | 'ERR_LOG_INTACT'
  | 'ERR_AUDIT_INPUT'
  | 'ERR_AUDIT_STOPPED'
  | 'ERR_DATABASE'
  | 'ERR_MIGRATION'
  | 'ERR_RECEIPT_INVALID'
  | 'ERR_EXPORT_REFUSED'
  | 'ERR_FILE'
  | 'ERR_USAGE'

/**
 * The closed table of error codes. A code never changes its meaning; `docs/errors.md` lists the same rows and a test
 * compares the two. `message` is the public sentence: it may be sent to anybody and never contains a secret.
 */
export const ERROR_CODES: Readonly<Record<ErrorCode, ErrorRow>> = {
  // What a client of the HTTP API or a caller of the library meets.
  ERR_LOGIN_REFUSED: {
    status: 401,
    message: 'The identifier or the password is not right, or the account may not log in.',
  },
  ERR_THROTTLED: { status: 429, message: 'Too many failed attempts. Try again later.' },
  ERR_OVERLOADED: {
    status: 503,
    message: 'The server has as many log-ins to check as it can hold. Try again shortly.',
  },
  ERR_REGISTRATION_CLOSED: { status: 403, message: 'Registration is closed.' },
  ERR_CONFIRMATION_REQUIRED: {
    status: 403,
    message: 'Here the address is confirmed first: ask for a confirmation.',
  },
  ERR_CONFIRMATION_INVALID: {
    status: 403,
    message: 'This confirmation is not valid any more. Register again to get a new one.',
  },
  ERR_INVITATION_REQUIRED: { status: 403, message: 'Registration is by invitation only.' },
  ERR_INVITATION_INVALID: { status: 403, message: 'This invitation is not valid any more, or is for somebody else.' },
  ERR_INVITATION_NOT_FOUND: { status: 404, message: 'There is no such invitation.' },
  ERR_RESET_INVALID: { status: 403, message: 'This reset token is not valid any more. Ask for a new one.' },
  ERR_MAIL_UNAVAILABLE: { status: 403, message: 'This installation sends no mail of this kind.' },
  ERR_IDENTIFIER_NOT_EMAIL: { status: 422, message: 'An e-mail address is required here.' },
  ERR_IDENTIFIER_TAKEN: { status: 409, message: 'This identifier is already in use.' },
  ERR_IDENTIFIER_INVALID: {
    status: 422,
    message: 'The identifier must be 1 to 320 characters without control characters.',
  },
  ERR_USER_ID_INVALID: { status: 422, message: 'A user id is 1 to 128 characters without control characters.' },
  ERR_PASSWORD_TOO_SHORT: { status: 422, message: 'The password is too short.' },
  ERR_PASSWORD_TOO_LONG: { status: 422, message: 'The password is too long.' },
  ERR_PASSWORD_COMMON: { status: 422, message: 'This password is on a list of common passwords. Choose another one.' },
  ERR_PASSWORD_MATCHES_IDENTIFIER: { status: 422, message: 'The password must not be the identifier.' },
  ERR_PASSWORD_MALFORMED: { status: 422, message: 'The password contains a broken character.' },
  ERR_PASSWORD_WRONG: { status: 403, message: 'The current password is not right.' },
  ERR_HASH_UNKNOWN: {
    status: 422,
    message: 'The password hash is of no known kind, incomplete, or too costly to check.',
  },
  ERR_ROW_MALFORMED: { status: 422, message: 'The row cannot be read.' },
  ERR_USER_NOT_FOUND: { status: 404, message: 'There is no such user.' },
  ERR_ROLE_INVALID: { status: 422, message: 'A role is 1 to 64 characters out of a-z, 0-9, "_", "-", ":" and ".".' },
  ERR_SESSION_NOT_FOUND: { status: 404, message: 'There is no such session.' },
  ERR_EVENT_NOT_FOUND: { status: 404, message: 'There is no such event.' },
  ERR_EVENT_NOT_DISOWNABLE: {
    status: 409,
    message: 'There is no session behind this event, so there is none to end.',
  },
  ERR_HELD: { status: 409, message: 'A legal hold forbids this.' },
  ERR_HOLD_INVALID: {
    status: 422,
    message: 'A hold needs a reason of 1 to 500 characters, an end after its beginning, and fewer than 200 others.',
  },
  ERR_HOLD_TAMPERED: {
    status: 409,
    message: 'A legal hold was changed or deleted past Gatebook. Nothing is forgotten until it is released.',
  },
  ERR_HOLD_NOT_FOUND: { status: 404, message: 'There is no such hold.' },
  ERR_REFERENCE_INVALID: {
    status: 422,
    message: 'A reference is 1 to 64 characters out of A-Z, a-z, 0-9, ".", ":", "/", "#", "_" and "-".',
  },
  ERR_EVENT_PENDING: {
    status: 409,
    message: 'The event is in the log, but no signed checkpoint covers it yet. Try again shortly.',
  },
  ERR_ENTRY_PRUNED: { status: 410, message: 'Entries of this age have been pruned from the log.' },
  ERR_LOG_UNPUBLISHED: { status: 404, message: 'No checkpoint of the log has been published yet.' },
  ERR_TILE_NOT_FOUND: { status: 404, message: 'The published log has no tile and no entries at this address.' },
  ERR_LOG_TAMPERED: {
    status: 500,
    message: 'The log in the database is not the one that was signed, so nothing of it is handed out.',
  },
  ERR_EVENT_INVALID: {
    status: 422,
    message:
      'An application event needs a type app.… and data of at most 4 KiB of strings, whole numbers, booleans and lists of strings.',
  },
  ERR_TRANSACTION_UNKNOWN: {
    status: 500,
    message: 'This is not an open transaction, of a driver that Gatebook knows, on the database that it runs on.',
  },
  ERR_ATTEMPT_SETTLED: { status: 409, message: 'This attempt has already failed or succeeded.' },
  ERR_REASON_INVALID: { status: 422, message: 'This reason is not in the catalogue.' },
  ERR_CLAIMS_INVALID: {
    status: 422,
    message: 'Claims must be a JSON object that names none of the registered claims.',
  },
  ERR_TOKEN_TOO_LARGE: { status: 422, message: 'The roles and claims do not fit into an access token.' },
  ERR_TOKEN_MISSING: { status: 401, message: 'An access token is required.' },
  ERR_TOKEN_INVALID: { status: 401, message: 'The access token is not valid.' },
  ERR_TOKEN_EXPIRED: { status: 401, message: 'The access token has expired.' },
  ERR_TOKEN_REVOKED: { status: 401, message: 'The session of this access token has ended.' },
  ERR_TOKEN_STALE: { status: 401, message: 'The rights in this access token have changed. Refresh it.' },
  ERR_REVOCATIONS_UNAVAILABLE: {
    status: 503,
    message: 'Whether the session has ended cannot be told at the moment. Try again.',
  },
  ERR_FRESH_REQUIRED: { status: 401, message: 'This needs a log-in that is more recent. Log in again.' },
  ERR_FORBIDDEN: { status: 403, message: 'This needs a role that the access token does not carry.' },
  ERR_CSRF: { status: 403, message: 'A page of another origin must not ask for this with the cookies of its visitor.' },
  ERR_COOKIES_OFF: {
    status: 400,
    message:
      'Tokens in cookies are not switched on: set the option cookies (GATEBOOK_COOKIES) to lax or strict, or leave out the member cookies.',
  },
  ERR_REFRESH_INVALID: { status: 401, message: 'The refresh token is not valid.' },
  ERR_REFRESH_EXPIRED: { status: 401, message: 'The session has expired. Log in again.' },
  ERR_REFRESH_ENDED: { status: 401, message: 'The session has ended. Log in again.' },
  ERR_REFRESH_SUPERSEDED: { status: 401, message: 'A newer refresh token has been issued. Use that one.' },
  ERR_REFRESH_REUSED: { status: 401, message: 'The refresh token had already been used. The session has been ended.' },
  ERR_BODY_MALFORMED: { status: 400, message: 'The body is not valid JSON.' },
  ERR_BODY_INVALID: { status: 422, message: 'The body does not have the documented members.' },
  ERR_BODY_TOO_LARGE: { status: 413, message: 'The body is too large.' },
  ERR_MEDIA_TYPE: { status: 415, message: 'The body must be application/json.' },
  ERR_QUERY_INVALID: { status: 422, message: 'A query parameter is not valid.' },
  ERR_CURSOR_INVALID: { status: 422, message: 'The cursor is not valid. Start again without it.' },
  ERR_STREAMS_EXHAUSTED: {
    status: 503,
    message: 'As many event streams are open as this server holds. Try again later.',
  },
  ERR_AUDIT_RUNNING: { status: 409, message: 'An audit is running here already.' },
  ERR_AUDIT_NOT_FOUND: { status: 404, message: 'No audit has run in this process.' },
  ERR_AUDIT_CANCELLED: { status: 409, message: 'The audit was broken off.' },
  ERR_NOT_FOUND: { status: 404, message: 'There is nothing at this address.' },
  ERR_METHOD: { status: 405, message: 'This method is not offered here.' },
  ERR_REQUEST_MALFORMED: { status: 400, message: 'This is not a valid HTTP request.' },
  ERR_REQUEST_TIMEOUT: { status: 408, message: 'The request did not arrive in time.' },
  ERR_HEADERS_TOO_LARGE: { status: 431, message: 'The headers of the request are too large.' },
  ERR_CLIENT_NAME_INVALID: { status: 422, message: 'The name of a client is a line of 1 to 100 characters.' },
  ERR_CLIENT_NOT_FOUND: { status: 404, message: 'There is no such client.' },
  ERR_CLIENT_INVALID: { status: 401, message: 'The client id or its secret is not valid.' },
  ERR_REDIRECT_URI_INVALID: {
    status: 422,
    message:
      'A redirect address must be written out, with https: and without a fragment; http: only for this machine, another scheme only with a dot.',
  },
  ERR_REDIRECT_URI_NOT_ALLOWED: { status: 422, message: 'The client was not added with this redirect address.' },
  ERR_CODE_CHALLENGE_INVALID: {
    status: 422,
    message: 'The code challenge must be the SHA-256 of the verifier in base64url: 43 characters.',
  },
  ERR_CODE_INVALID: {
    status: 400,
    message:
      'This code is not valid: unknown, used, expired, not for this client, address and verifier, or of a log-in that is over.',
  },
  ERR_GRANT_UNSUPPORTED: {
    status: 400,
    message: 'There are two kinds of grant here: authorization_code and refresh_token.',
  },
  ERR_KEY_NOT_FOUND: { status: 404, message: 'There is no such signing key.' },
  ERR_KEY_SHARED: {
    status: 409,
    message: 'Access tokens are signed with a shared secret, which is a setting and cannot be rotated here.',
  },
  ERR_KEY_INVALID: { status: 500, message: 'A key cannot be used.' },
  ERR_KEYS_UNAVAILABLE: { status: 503, message: 'The keys that access tokens are verified with cannot be had now.' },
  ERR_ARGUMENT_INVALID: { status: 422, message: 'A value does not have the documented type.' },
  ERR_CLOSED: { status: 503, message: 'This server is shutting down.' },
  ERR_UNAVAILABLE: { status: 503, message: 'The database does not answer. Try again shortly.' },
  ERR_DATABASE_FULL: { status: 503, message: 'The database has no space left. Try again later.' },
  ERR_INTERNAL: { status: 500, message: 'Something went wrong on the server.' },
  // What an operator meets at start-up or on the command line.
  ERR_OPTION_INVALID: { status: 500, message: 'A setting is not valid.' },
  ERR_OPTION_UNKNOWN: { status: 500, message: 'A setting does not exist.' },
  ERR_SECRET_MISSING: { status: 500, message: 'There is no master secret.' },
  ERR_SECRET_WEAK: { status: 500, message: 'The master secret is too short or well known.' },
  ERR_SECRET_MISMATCH: { status: 500, message: 'The master secret is not the one that this database was set up with.' },
  ERR_LOG_KEY_MISSING: { status: 500, message: 'There is no key for signing the log.' },
  ERR_LOG_KEY_MISMATCH: { status: 500, message: 'The key of the log is not the one that this log is signed with.' },
  ERR_LOG_GUARD_MISSING: { status: 500, message: 'The guard of the log is missing, and the log is not empty.' },
  ERR_LOG_GUARD_UNUSABLE: { status: 500, message: 'The guard of the log cannot be read or written.' },
  ERR_LOG_GUARD_PRESENT: { status: 409, message: 'The log has its guard, and needs no other one.' },
  ERR_LOG_INTACT: { status: 409, message: 'The log extends what was signed, and needs no new epoch.' },
  ERR_LOG_DIVERGED: { status: 500, message: 'The log in the database does not extend what was signed.' },
  ERR_AUDIT_INPUT: { status: 500, message: 'Something that the audit was given cannot be used.' },
  ERR_AUDIT_STOPPED: { status: 500, message: 'The audit was stopped before it came to its end.' },
  ERR_DATABASE: { status: 500, message: 'The database cannot be used.' },
  ERR_MIGRATION: { status: 500, message: 'The tables of the database are not those that this version needs.' },
  ERR_RECEIPT_INVALID: { status: 500, message: 'The receipt cannot be read.' },
  ERR_EXPORT_REFUSED: { status: 500, message: 'The export was not completed.' },
  ERR_FILE: { status: 500, message: 'A file cannot be read or written.' },
  ERR_USAGE: { status: 500, message: 'The command line is not right.' },
}

export interface GatebookErrorOptions {
  /** For the operator: goes to diagnostics, never to a client. */
  readonly detail?: string
  /** Seconds until it makes sense to try again; becomes `Retry-After`. */
  readonly retryAfterSeconds?: number
  /** Public members of the problem document, e.g. `{ minimum: 15 }`. Never a secret. */
  readonly members?: Readonly<Record<string, string | number | boolean | readonly string[]>>
  readonly cause?: unknown
}

/** Everything that Gatebook refuses or fails at. `message` is public; `detail` is not. */
export class GatebookError extends Error {
  override readonly name: string = 'GatebookError'
  readonly code: ErrorCode
  /** HTTP status that the error maps to. */
  readonly status: number
  readonly detail: string | undefined
  readonly retryAfterSeconds: number | undefined
  readonly members: Readonly<Record<string, string | number | boolean | readonly string[]>>

  constructor(code: ErrorCode, options: GatebookErrorOptions = {}) {
    super(ERROR_CODES[code].message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.status = ERROR_CODES[code].status
    this.detail = options.detail
    this.retryAfterSeconds = options.retryAfterSeconds
    this.members = options.members ?? {}
  }
}

export function isGatebookError(error: unknown, code?: ErrorCode): error is GatebookError {
  return error instanceof GatebookError && (code === undefined || error.code === code)
}
