import { STATUS_CODES } from 'node:http'
import { type ErrorCode, GatebookError } from '../errors.ts'
import type { Answer } from './route.ts'

/** Failures that a client may know: it shall come back later. Every other 5xx is ERR_INTERNAL to it. */
const TELLABLE: ReadonlySet<ErrorCode> = new Set([
  'ERR_OVERLOADED',
  'ERR_STREAMS_EXHAUSTED',
  'ERR_UNAVAILABLE',
  'ERR_DATABASE_FULL',
  'ERR_CLOSED',
  'ERR_LOG_TAMPERED',
  'ERR_REVOCATIONS_UNAVAILABLE',
])

export interface ProblemContext {
  readonly requestId: string
  /** Whether an Authorization header came with the request (RFC 6750 §3.1 decides by that what a challenge says). */
  readonly authorized: boolean
}

/** RFC 9457 for anything that was thrown. */
export function toProblem(thrown: unknown, context: ProblemContext): Answer {
  const error = isTellable(thrown) ? thrown : new GatebookError('ERR_INTERNAL')
  const headers: Record<string, string> = { 'Content-Type': 'application/problem+json' }
  const members: Record<string, unknown> = { ...error.members }
  if (error.retryAfterSeconds !== undefined) {
    members.retry_after = Math.max(1, Math.ceil(error.retryAfterSeconds))
    headers['Retry-After'] = String(members.retry_after)
  }
  const challenge = challengeOf(error, context.authorized)
  if (challenge !== null) headers['WWW-Authenticate'] = challenge
  if (error.code === 'ERR_METHOD' && Array.isArray(error.members.allowed)) {
    headers.Allow = error.members.allowed.join(', ')
  }
  return {
    status: error.status,
    headers,
    body: {
      ...members,
      type: 'about:blank',
      title: STATUS_CODES[error.status] ?? 'Error',
      status: error.status,
      code: error.code,
      detail: error.message,
      request_id: context.requestId,
    },
  }
}

/** Whether the thrown value is a refusal that the client may see, and nothing that an operator has to look at. */
export function isTellable(thrown: unknown): thrown is GatebookError {
  return thrown instanceof GatebookError && (thrown.status < 500 || TELLABLE.has(thrown.code))
}

/** RFC 7617 §2: there is nothing but Basic for a client. */
export const CLIENT_CHALLENGE = 'Basic realm="gatebook", charset="UTF-8"'

/** RFC 6750 §3: the error stands in the challenge only for an access token that was presented. */
function challengeOf(error: GatebookError, authorized: boolean): string | null {
  const realm = 'Bearer realm="gatebook"'
  if (error.code === 'ERR_FORBIDDEN')
    return `${realm}, error="insufficient_scope", error_description="${error.message}"`
  if (error.status !== 401) return null
  if (error.code === 'ERR_CLIENT_INVALID') return CLIENT_CHALLENGE
  if (error.code === 'ERR_FRESH_REQUIRED') {
    // RFC 9470 §3.
    const maxAge = Number(error.members.max_age)
    return `${realm}, error="insufficient_user_authentication", error_description="${error.message}", max_age="${maxAge}"`
  }
  if (!authorized || !error.code.startsWith('ERR_TOKEN_') || error.code === 'ERR_TOKEN_MISSING') return realm
  return `${realm}, error="invalid_token", error_description="${error.message}"`
}

/**
 * What diagnostics may say about a failure: names, codes and places. Never the message of a foreign error, because
 * drivers and parsers quote values in theirs; our own `detail` is written for this.
 */
export function describeFailure(thrown: unknown, depth = 0): Record<string, unknown> {
  if (!(thrown instanceof Error)) return { error: typeof thrown }
  const code = (thrown as { code?: unknown }).code
  const frames = (thrown.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  return {
    error: thrown.name,
    ...(typeof code === 'string' && /^\w{1,64}$/.test(code) ? { code } : {}),
    ...(thrown instanceof GatebookError && thrown.detail !== undefined ? { detail: thrown.detail } : {}),
    stack: frames.slice(0, 12).map((line) => line.trim()),
    ...(thrown.cause === undefined || depth > 2 ? {} : { cause: describeFailure(thrown.cause, depth + 1) }),
  }
}
