import { GatebookError } from '../errors.ts'
import type { HttpRequest } from './exchange.ts'

const EXPOSED = 'Retry-After, X-Request-Id, WWW-Authenticate'
const ALLOWED = 'Authorization, Content-Type, Last-Event-ID, X-Request-Id, Traceparent'

/** Adds the headers of an answer. `methods` are those of the path, for a preflight. */
export type Cors = (
  request: Pick<HttpRequest, 'headers'>,
  answer: Record<string, string>,
  methods?: readonly string[],
) => void

/**
 * Cross-origin access by an exact list. Never with credentials: cookies are for the pages of one origin, see `csrf.ts`.
 * Throws ERR_OPTION_INVALID for an entry that is not an origin; `*` is none.
 */
export function createCors(origins: readonly string[]): Cors {
  for (const origin of origins) {
    if (!/^https?:[^*]*$/.test(origin) || !URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw new GatebookError('ERR_OPTION_INVALID', {
        detail: `corsOrigins: ${JSON.stringify(origin)} is not an origin such as https://app.example.`,
      })
    }
  }
  const listed = new Set(origins)
  return (request, answer, methods) => {
    if (listed.size === 0) return
    // Also without a match: a cache must not give one origin the answer for another.
    answer.Vary = answer.Vary === undefined ? 'Origin' : `${answer.Vary}, Origin`
    const origin = request.headers.get('origin')
    if (origin === null || !listed.has(origin)) return
    answer['Access-Control-Allow-Origin'] = origin
    if (methods === undefined || !request.headers.has('access-control-request-method')) {
      answer['Access-Control-Expose-Headers'] = EXPOSED
      return
    }
    answer['Access-Control-Allow-Methods'] = methods.join(', ')
    answer['Access-Control-Allow-Headers'] = ALLOWED
    answer['Access-Control-Max-Age'] = '600'
  }
}
