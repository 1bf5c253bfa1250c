import { z } from 'zod'
import type { Gatebook, LogoutScope, RequestContext } from '../../api.ts'
import { GatebookError, isGatebookError } from '../../errors.ts'
import { parseBearer } from '../bearer.ts'
import type { RequestCookies } from '../cookie.ts'
import { type Answer, defineRoute, type Route } from '../route.ts'
import { cookiesMember } from '../schema.ts'

export const logoutRoute: Route = defineRoute({
  name: 'logout',
  method: 'POST',
  path: '/auth/logout',
  summary: 'Ends this session, the others, or all; with a Bearer token, a refresh token or cookies. Idempotent.',
  // An expired token and one of an ended session are good enough to log out, so the flow does the checking.
  auth: 'none',
  query: z.strictObject({ scope: z.exactOptional(z.enum(['current', 'others', 'all'])) }),
  body: z.strictObject({ refresh_token: z.exactOptional(z.string()), cookies: cookiesMember }),
  bodyOptional: true,
  responses: { 204: null },
  errors: [
    'ERR_TOKEN_MISSING',
    'ERR_TOKEN_INVALID',
    'ERR_TOKEN_EXPIRED',
    'ERR_TOKEN_REVOKED',
    'ERR_REFRESH_INVALID',
    'ERR_REFRESH_EXPIRED',
    'ERR_REFRESH_SUPERSEDED',
    'ERR_COOKIES_OFF',
    'ERR_CSRF',
  ],
  setsCookies: true,
  async handle({ gate, authorization, cookies, query: { scope = 'current' }, body, context }) {
    const refreshToken = body?.refresh_token
    if (body?.cookies === true) {
      // The session of the cookies is meant; another one beside it would be a riddle.
      if (refreshToken !== undefined) {
        throw new GatebookError('ERR_BODY_INVALID', { members: { members: ['refresh_token'] } })
      }
      return logOutCookies(gate, cookies, scope, context)
    }
    const accessToken = parseBearer(authorization)
    if (accessToken === null && refreshToken === undefined) throw new GatebookError('ERR_TOKEN_MISSING')
    const input = {
      ...(accessToken === null ? {} : { accessToken }),
      ...(refreshToken === undefined ? {} : { refreshToken }),
      scope,
    }
    await gate.logout(input, context)
    return { status: 204 }
  },
})

/**
 * Cookies that name no session are taken away like the others: their user wants to be rid of them. Where other sessions are
 * to end as well, it takes a token that shows whose.
 */
async function logOutCookies(
  gate: Gatebook,
  cookies: RequestCookies,
  scope: LogoutScope,
  context: RequestContext,
): Promise<Answer> {
  const { read, clear } = cookies.open()
  // The one that lives longer first.
  const [refreshToken, accessToken] = [read('refresh'), read('access')]
  const shown = [
    ...(refreshToken === null ? [] : [{ refreshToken, scope }]),
    ...(accessToken === null ? [] : [{ accessToken, scope }]),
  ]
  let refusal = shown.length === 0 ? new GatebookError('ERR_TOKEN_MISSING') : null
  for (const input of shown) {
    refusal = await gate.logout(input, context).then(() => null, namesNoSession)
    if (refusal === null) break
  }
  if (refusal !== null && scope !== 'current') throw refusal
  return scope === 'others' ? { status: 204 } : { status: 204, setCookies: clear() }
}

/** The refusal of what is no token of ours; throws any other. */
function namesNoSession(error: unknown): GatebookError {
  if (isGatebookError(error, 'ERR_REFRESH_INVALID') || isGatebookError(error, 'ERR_TOKEN_INVALID')) return error
  throw error
}
