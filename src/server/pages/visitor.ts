import type { AccessClaims, Gatebook, HeaderReader, RequestContext } from '../../api.ts'
import { isGatebookError } from '../../errors.ts'
import type { Cookies } from '../../http/cookie.ts'
import { isId } from '../../util/id.ts'

/** Who looks at a page, and the cookies that the answer has to bring along. */
export interface Visitor {
  readonly claims: AccessClaims
  readonly setCookies: readonly string[]
}

/**
 * By the access token in the cookie or, once that is over, by a refresh; null for nobody. A page must have been asked for by GET or
 * have passed the check of its origin.
 */
export async function findVisitor(
  gate: Gatebook,
  cookies: Cookies,
  headers: HeaderReader,
  context: RequestContext,
): Promise<Visitor | null> {
  // A page has nothing to do with what a program shows in `Authorization`.
  const own = { method: 'GET', headers: { get: (name: string) => (name === 'cookie' ? headers.get(name) : null) } }
  try {
    const claims = await gate.authenticate(own, { optional: true }, context)
    // That of an application is none of this site, wherever the cookie came from.
    if (claims !== null && !isId('client', claims.clientId)) return { claims, setCookies: [] }
  } catch (error) {
    if (!isGatebookError(error) || !error.code.startsWith('ERR_TOKEN_')) throw error
  }
  const refreshToken = cookies.read(headers, 'refresh')
  if (refreshToken === null) return null
  try {
    const tokens = await gate.refresh(refreshToken, { ...context, accessTokenMaxBytes: cookies.accessTokenMaxBytes })
    return { claims: await gate.tokens.verify(tokens.accessToken), setCookies: cookies.issue(tokens) }
  } catch (error) {
    if (!isGatebookError(error) || !error.code.startsWith('ERR_REFRESH_')) throw error
    return null
  }
}

/** The context of a log-in whose tokens go into cookies. */
export function cookieContext(cookies: Cookies, headers: HeaderReader, context: RequestContext): RequestContext {
  const deviceToken = cookies.read(headers, 'device')
  return {
    ...context,
    accessTokenMaxBytes: cookies.accessTokenMaxBytes,
    ...(deviceToken !== null && { deviceToken }),
  }
}
