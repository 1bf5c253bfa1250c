import type { AuthenticatedRequest } from '../api.ts'
import { GatebookError } from '../errors.ts'

/** RFC 9110 §9.2.1; nothing here changes anything for these, and neither must a route that `gate.authenticate` guards. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Throws ERR_CSRF. */
export type OriginCheck = (headers: AuthenticatedRequest['headers']) => void

/**
 * Whether a request was made by a page of this origin. A browser sends its cookies along whoever asks it to; what no page can
 * write is `Sec-Fetch-Site` (W3C Fetch Metadata) and, for browsers that do not send that, `Origin` (RFC 6454 §7). `none` is
 * what the user did in the browser itself. A request that has neither header comes from no browser of this decade, and is
 * refused: programs send their tokens in `Authorization`.
 */
export function createOriginCheck(issuer: string): OriginCheck {
  const { origin } = new URL(issuer)
  return (headers) => {
    const site = headers.get('sec-fetch-site')
    const isOwn = site === null ? headers.get('origin') === origin : site === 'same-origin' || site === 'none'
    if (!isOwn) throw new GatebookError('ERR_CSRF')
  }
}

/**
 * Whether a cookie counts only after the check. A handshake of a WebSocket is a GET as well, but one whose answer any page
 * may read and go on with.
 */
export function needsOriginCheck({ method, headers }: AuthenticatedRequest): boolean {
  return !SAFE.has(method) || headers.get('upgrade') !== null
}
