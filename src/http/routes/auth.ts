import { z } from 'zod'
import { GatebookError } from '../../errors.ts'
import { parseBearer } from '../bearer.ts'
import { defineRoute, type Route } from '../route.ts'
import { claimsSchema, tokensSchema } from '../schema.ts'
import { toWireClaims, toWireTokens } from '../wire.ts'

/** No caps on what is typed: the flows know the limits and have words for each. The body as a whole is capped. */
const typed = z.string()

export const authRoutes: readonly Route[] = [
  defineRoute({
    name: 'login',
    method: 'POST',
    path: '/auth/login',
    summary: 'Starts a session.',
    auth: 'none',
    body: z.strictObject({ identifier: typed, password: typed, device_token: z.string().optional() }),
    responses: { 200: tokensSchema },
    errors: ['ERR_IDENTIFIER_INVALID', 'ERR_LOGIN_REFUSED', 'ERR_THROTTLED', 'ERR_OVERLOADED'],
    async handle({ gate, body: { identifier, password, device_token: deviceToken }, context }) {
      const known = deviceToken === undefined ? context : { ...context, deviceToken }
      return { status: 200, body: toWireTokens(await gate.login({ identifier, password }, known)) }
    },
  }),
  defineRoute({
    name: 'refresh',
    method: 'POST',
    path: '/auth/refresh',
    summary: 'Trades a refresh token for new tokens.',
    auth: 'none',
    body: z.strictObject({ refresh_token: z.string() }),
    responses: { 200: tokensSchema },
    errors: [
      'ERR_REFRESH_INVALID',
      'ERR_REFRESH_EXPIRED',
      'ERR_REFRESH_ENDED',
      'ERR_REFRESH_SUPERSEDED',
      'ERR_REFRESH_REUSED',
    ],
    async handle({ gate, body, context }) {
      return { status: 200, body: toWireTokens(await gate.refresh(body.refresh_token, context)) }
    },
  }),
  defineRoute({
    name: 'logout',
    method: 'POST',
    path: '/auth/logout',
    summary: 'Ends this session, the others, or all; with a Bearer token or a refresh token. Idempotent.',
    // An expired token and one of an ended session are good enough to log out, so the flow does the checking.
    auth: 'none',
    query: z.strictObject({ scope: z.enum(['current', 'others', 'all']).optional() }),
    body: z.strictObject({ refresh_token: z.string().optional() }),
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
    ],
    async handle({ gate, authorization, query: { scope }, body, context }) {
      const accessToken = parseBearer(authorization)
      const refreshToken = body?.refresh_token
      if (accessToken === null && refreshToken === undefined) throw new GatebookError('ERR_TOKEN_MISSING')
      const input = {
        ...(accessToken === null ? {} : { accessToken }),
        ...(refreshToken === undefined ? {} : { refreshToken }),
        ...(scope === undefined ? {} : { scope }),
      }
      await gate.logout(input, context)
      return { status: 204 }
    },
  }),
  defineRoute({
    name: 'me',
    method: 'GET',
    path: '/auth/me',
    summary: 'What the access token says, without a look at the database.',
    auth: 'bearer',
    responses: { 200: claimsSchema },
    async handle({ claims }) {
      return { status: 200, body: toWireClaims(claims) }
    },
  }),
]
