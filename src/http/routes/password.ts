import { z } from 'zod'
import type { ErrorCode } from '../../errors.ts'
import type { RouteSettings } from '../paths.ts'
import { defineRoute, type Route } from '../route.ts'

/** No caps on what is typed: the flows know the limits and have words for each. The body as a whole is capped. */
const typed = z.string()

/** Of a password that may not be chosen. */
export const PASSWORD_ERRORS: readonly ErrorCode[] = [
  'ERR_PASSWORD_TOO_SHORT',
  'ERR_PASSWORD_TOO_LONG',
  'ERR_PASSWORD_COMMON',
  'ERR_PASSWORD_MATCHES_IDENTIFIER',
  'ERR_PASSWORD_MALFORMED',
]

/** `request` only where there is a way to send: elsewhere it would promise a mail that never comes. */
export function passwordRoutes({ sendReset }: RouteSettings): readonly Route[] {
  return sendReset === null ? [change, complete] : [change, request, complete]
}

const change = defineRoute({
  name: 'changePassword',
  method: 'POST',
  path: '/auth/password',
  summary: 'Changes the password and ends the other sessions.',
  auth: 'own',
  body: z.strictObject({ current_password: typed, new_password: typed }),
  responses: { 204: null },
  errors: ['ERR_PASSWORD_WRONG', ...PASSWORD_ERRORS, 'ERR_THROTTLED', 'ERR_OVERLOADED'],
  async handle({ gate, claims, body, context }) {
    const input = { claims, currentPassword: body.current_password, newPassword: body.new_password }
    await gate.changePassword(input, context)
    return { status: 204 }
  },
})

const request = defineRoute({
  name: 'requestPasswordReset',
  method: 'POST',
  path: '/auth/password/reset-request',
  summary: 'Sends the user of this identifier a token for a new password. The answer is the same when there is none.',
  auth: 'none',
  body: z.strictObject({ identifier: typed }),
  responses: { 202: null },
  errors: ['ERR_IDENTIFIER_INVALID', 'ERR_THROTTLED'],
  async handle({ gate, body, context }) {
    await gate.passwordResets.request(body, context)
    return { status: 202 }
  },
})

const complete = defineRoute({
  name: 'resetPassword',
  method: 'POST',
  path: '/auth/password/reset',
  summary: 'Trades the token for a new password and ends all sessions. It is good once.',
  auth: 'none',
  body: z.strictObject({ token: typed, new_password: typed }),
  responses: { 204: null },
  errors: ['ERR_RESET_INVALID', ...PASSWORD_ERRORS, 'ERR_OVERLOADED'],
  async handle({ gate, body: { token, new_password: newPassword }, context }) {
    await gate.passwordResets.complete({ token, newPassword }, context)
    return { status: 204 }
  },
})
