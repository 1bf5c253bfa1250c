import { z } from 'zod'
import type { AccessClaims } from '../../api.ts'
import { GatebookError } from '../../errors.ts'
import type { RouteSettings } from '../paths.ts'
import { type Answer, defineRoute, type Route } from '../route.ts'
import { claimsSchema, cookiesMember } from '../schema.ts'
import { answerSignIn, COOKIE_ERRORS, signInSchema } from '../sign-in.ts'
import { toWireClaims } from '../wire.ts'
import { logoutRoute } from './logout.ts'

/** No caps on what is typed: the flows know the limits and have words for each. The body as a whole is capped. */
const typed = z.string()

export function authRoutes(settings: RouteSettings): readonly Route[] {
  const tokens = signInSchema(settings)
  const login = defineRoute({
    name: 'login',
    method: 'POST',
    path: '/auth/login',
    summary: 'Starts a session.',
    auth: 'none',
    body: z.strictObject({
      identifier: typed,
      password: typed,
      device_token: z.exactOptional(z.string()),
      cookies: cookiesMember,
    }),
    responses: { 200: tokens },
    errors: ['ERR_IDENTIFIER_INVALID', 'ERR_LOGIN_REFUSED', 'ERR_THROTTLED', 'ERR_OVERLOADED', ...COOKIE_ERRORS],
    setsCookies: true,
    async handle(call) {
      const { identifier, password, device_token: deviceToken } = call.body
      const context = { ...call.context, ...(deviceToken !== undefined && { deviceToken }) }
      return answerSignIn({ ...call, context }, 200, (known) => call.gate.login({ identifier, password }, known))
    },
  })
  const refresh = defineRoute({
    name: 'refresh',
    method: 'POST',
    path: '/auth/refresh',
    summary: 'Trades a refresh token for new tokens.',
    auth: 'none',
    body: z.strictObject({ refresh_token: z.exactOptional(z.string()), cookies: cookiesMember }),
    responses: { 200: tokens },
    errors: [
      'ERR_REFRESH_INVALID',
      'ERR_REFRESH_EXPIRED',
      'ERR_REFRESH_ENDED',
      'ERR_REFRESH_SUPERSEDED',
      'ERR_REFRESH_REUSED',
      ...COOKIE_ERRORS,
    ],
    setsCookies: true,
    async handle(call) {
      const { gate, body, cookies } = call
      // From one of the two, and never from the other where it is missing.
      if ((body.refresh_token === undefined) !== (body.cookies === true)) {
        throw new GatebookError('ERR_BODY_INVALID', { members: { members: ['refresh_token'] } })
      }
      const token = body.refresh_token ?? cookies.open().read('refresh')
      // Nobody has shown anything, so there is nothing to record.
      if (token === null) throw new GatebookError('ERR_REFRESH_INVALID')
      return answerSignIn(call, 200, (context) => gate.refresh(token, context))
    },
  })
  return [login, refresh, logoutRoute, me]
}

const tellClaims = (claims: AccessClaims): Answer => ({ status: 200, body: toWireClaims(claims) })

const me = defineRoute({
  name: 'me',
  method: 'GET',
  path: '/auth/me',
  summary: 'What the access token says, without a look at the database.',
  auth: 'bearer',
  responses: { 200: claimsSchema },
  fromToken: tellClaims,
  handle: async ({ claims }) => tellClaims(claims),
})
