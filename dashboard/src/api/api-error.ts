/** A refusal of the API (RFC 9457), or a failure to reach it. */
export class ApiError extends Error {
  /** Of docs/errors.md, or `ERR_NETWORK`. */
  readonly code: string
  /** 0 where nothing has answered. */
  readonly status: number
  readonly requestId: string | null
  readonly retryAfterSeconds: number | null
  readonly members: Readonly<Record<string, unknown>>

  constructor(code: string, status: number, members: Readonly<Record<string, unknown>> = {}) {
    super(typeof members.detail === 'string' ? members.detail : code)
    this.code = code
    this.status = status
    this.members = members
    this.requestId = typeof members.request_id === 'string' ? members.request_id : null
    this.retryAfterSeconds = typeof members.retry_after === 'number' ? members.retry_after : null
  }
}

/** Of an answer that is no success. */
export async function readApiError(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => null)
  const members = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {}
  return new ApiError(
    typeof members.code === 'string' ? members.code : 'ERR_ANSWER_MALFORMED',
    response.status,
    members,
  )
}

/** Whatever was thrown on the way to the API, as one kind. */
export function toApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown
  const { code, status, detail, requestId, retryAfterSeconds } = Object(thrown) as Record<string, unknown>
  if (typeof code !== 'string') return new ApiError('ERR_INTERNAL', 0, { detail: String(thrown) })
  const members = { detail, request_id: requestId, retry_after: retryAfterSeconds }
  return new ApiError(code, typeof status === 'number' ? status : 0, members)
}

/** Whether the server does not have this route at all. */
export function isAbsent(error: ApiError): boolean {
  return error.status === 404 && error.code === 'ERR_NOT_FOUND'
}
