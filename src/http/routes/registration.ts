import { z } from 'zod'
import type { ErrorCode } from '../../errors.ts'
import type { RouteSettings } from '../paths.ts'
import { defineRoute, type Route } from '../route.ts'
import { cookiesMember } from '../schema.ts'
import { answerSignIn, COOKIE_ERRORS, signInSchema } from '../sign-in.ts'
import { PASSWORD_ERRORS } from './password.ts'

/** No caps on what is typed: the flows know the limits and have words for each. The body as a whole is capped. */
const typed = z.string()

const ERRORS: readonly ErrorCode[] = [
  'ERR_REGISTRATION_CLOSED',
  'ERR_INVITATION_REQUIRED',
  'ERR_INVITATION_INVALID',
  'ERR_IDENTIFIER_TAKEN',
  'ERR_IDENTIFIER_INVALID',
  'ERR_IDENTIFIER_NOT_EMAIL',
  ...PASSWORD_ERRORS,
  'ERR_THROTTLED',
  'ERR_OVERLOADED',
]

/** One way in, whose answer depends on `registration`; and the second step, where there is one. */
export function registrationRoutes(settings: RouteSettings): readonly Route[] {
  const confirmed = settings.registration === 'confirm'
  const made = signInSchema(settings)
  const register = defineRoute({
    name: 'register',
    method: 'POST',
    path: '/auth/register',
    summary: confirmed
      ? 'Sends a mail that confirms the address, whether it has an account or not; with an invitation, makes the user.'
      : 'Makes a user and logs it in.',
    auth: 'none',
    body: z.strictObject({
      identifier: typed,
      password: typed,
      invitation: z.exactOptional(typed),
      cookies: cookiesMember,
    }),
    responses: confirmed ? { 201: made, 202: null } : { 201: made },
    errors: [...ERRORS, ...COOKIE_ERRORS],
    setsCookies: true,
    async handle(call) {
      const { gate, body, cookies, context } = call
      if (confirmed && body.invitation === undefined) {
        if (body.cookies === true) cookies.open()
        await gate.registrations.request(body, context)
        return { status: 202 }
      }
      return answerSignIn(call, 201, (known) => gate.register(body, known))
    },
  })
  const confirm = defineRoute({
    name: 'confirmRegistration',
    method: 'POST',
    path: '/auth/register/confirm',
    summary:
      'Makes the user whose address the token was sent to and logs it in; the password is the one of the registration.',
    auth: 'none',
    body: z.strictObject({ token: typed, password: typed, cookies: cookiesMember }),
    responses: { 201: made },
    errors: [
      'ERR_CONFIRMATION_INVALID',
      'ERR_PASSWORD_WRONG',
      'ERR_IDENTIFIER_TAKEN',
      'ERR_THROTTLED',
      'ERR_OVERLOADED',
      ...COOKIE_ERRORS,
    ],
    setsCookies: true,
    async handle(call) {
      return answerSignIn(call, 201, (known) => call.gate.registrations.confirm(call.body, known))
    },
  })
  return confirmed ? [register, confirm] : [register]
}
