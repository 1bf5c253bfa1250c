import { GatebookError } from '../errors.ts'
import { CLIENT_CHALLENGE, isTellable } from './error-map.ts'
import type { Answer } from './route.ts'

/** RFC 6749 §5.2, which RFC 7662 §2.3 and RFC 7009 §2.2.1 follow, for anything that was thrown. */
export function toOauthError(thrown: unknown): Answer {
  const error = isTellable(thrown) ? thrown : new GatebookError('ERR_INTERNAL')
  const headers: Record<string, string> = {}
  if (error.retryAfterSeconds !== undefined)
    headers['Retry-After'] = String(Math.max(1, Math.ceil(error.retryAfterSeconds)))
  if (error.code === 'ERR_CLIENT_INVALID') headers['WWW-Authenticate'] = CLIENT_CHALLENGE
  if (error.code === 'ERR_METHOD') headers.Allow = 'POST, OPTIONS'
  // RFC 6749 knows one status for what a client got wrong.
  const status = error.status === 422 || isInvalidGrant(error) ? 400 : error.status
  return { status, headers, body: { error: nameOf(error), error_description: descriptionOf(error) } }
}

/** A code or a refresh token that is not good (RFC 6749 §5.2). */
function isInvalidGrant({ code }: GatebookError): boolean {
  return code === 'ERR_CODE_INVALID' || code.startsWith('ERR_REFRESH_')
}

function nameOf(error: GatebookError): string {
  const { code, status } = error
  if (isInvalidGrant(error)) return 'invalid_grant'
  if (code === 'ERR_GRANT_UNSUPPORTED') return 'unsupported_grant_type'
  if (code === 'ERR_CLIENT_INVALID') return 'invalid_client'
  if (status === 503 || status === 429) return 'temporarily_unavailable'
  return status >= 500 ? 'server_error' : 'invalid_request'
}

function descriptionOf({ code, message, members }: GatebookError): string {
  if (code === 'ERR_BODY_INVALID' && Array.isArray(members.members))
    return `Missing or not right: ${members.members.join(', ')}.`
  return code === 'ERR_MEDIA_TYPE' ? 'The body must be application/x-www-form-urlencoded.' : message
}
