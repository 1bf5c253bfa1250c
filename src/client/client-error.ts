import type { ErrorCode } from '../errors.ts'

/** What no server says: the client found it out by itself. */
export type ClientOwnCode =
  | 'ERR_NETWORK'
  | 'ERR_ANSWER_MALFORMED'
  | 'ERR_REDIRECT_REFUSED'
  | 'ERR_SIGNED_OUT'
  | 'ERR_STORAGE'
  | 'ERR_OPTION_INVALID'
  | 'ERR_CLOSED'

/** The codes of the HTTP API, those of the client, and whatever a newer server says. */
export type ClientErrorCode = ErrorCode | ClientOwnCode | (string & {})

/** The closed table of the client's own codes. `docs/client.md` lists the same rows. */
export const CLIENT_CODES: Readonly<Record<ClientOwnCode, string>> = {
  ERR_NETWORK: 'The server cannot be reached, or did not answer in time.',
  ERR_ANSWER_MALFORMED: 'What answered is not Gatebook, or something stands in between.',
  ERR_REDIRECT_REFUSED: 'A request that carries a token was redirected, and is not followed.',
  ERR_SIGNED_OUT: 'Nobody is signed in.',
  ERR_STORAGE: 'The storage of the tokens cannot be read or written.',
  ERR_OPTION_INVALID: 'An option of the client is not valid.',
  ERR_CLOSED: 'The client has been closed.',
}

export interface ClientErrorFields {
  /** HTTP status of the answer; null where there was none. */
  readonly status?: number | null
  /** A sentence for people: the problem's, or our own. Never a secret. */
  readonly detail?: string
  readonly requestId?: string | null
  readonly retryAfterSeconds?: number | null
  readonly reason?: string | null
  readonly cause?: unknown
}

/** Everything that the client refuses or fails at. Decide by `code`; `detail` is for people and may change. */
export class ClientError extends Error {
  override readonly name: string = 'ClientError'
  readonly code: ClientErrorCode
  /** HTTP status of the answer; null where there was none. */
  readonly status: number | null
  readonly detail: string
  /** Stands in the events that the request has left; null where there was no answer. */
  readonly requestId: string | null
  /** When it makes sense to try again; null where the server does not say. */
  readonly retryAfterSeconds: number | null
  /** Why the session is over, where it is: a reason of `session.ended`, e.g. `ended-by-admin`. */
  readonly reason: string | null

  constructor(code: ClientErrorCode, fields: ClientErrorFields = {}) {
    const detail = fields.detail ?? (isOwnCode(code) ? CLIENT_CODES[code] : code)
    super(detail, fields.cause === undefined ? {} : { cause: fields.cause })
    this.code = code
    this.detail = detail
    this.status = fields.status ?? null
    this.requestId = fields.requestId ?? null
    this.retryAfterSeconds = fields.retryAfterSeconds ?? null
    this.reason = fields.reason ?? null
  }
}

function isOwnCode(code: string): code is ClientOwnCode {
  return Object.hasOwn(CLIENT_CODES, code)
}

export function isClientError(error: unknown, code?: ClientErrorCode): error is ClientError {
  return error instanceof ClientError && (code === undefined || error.code === code)
}
