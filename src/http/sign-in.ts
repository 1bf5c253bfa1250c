import type { z } from 'zod'
import type { RequestContext, SessionTokens } from '../api.ts'
import type { ErrorCode } from '../errors.ts'
import type { RouteSettings } from './paths.ts'
import type { Answer, Call } from './route.ts'
import { signedInSchema, tokensSchema } from './schema.ts'
import { toWireSignedIn, toWireTokens } from './wire.ts'

/** Of every route that takes `cookies: true`. */
export const COOKIE_ERRORS: readonly ErrorCode[] = ['ERR_COOKIES_OFF', 'ERR_CSRF', 'ERR_TOKEN_TOO_LARGE']

export function signInSchema({ cookies }: Pick<RouteSettings, 'cookies'>): z.ZodType {
  return cookies === 'off' ? tokensSchema : tokensSchema.or(signedInSchema)
}

/**
 * Answers with the tokens of a session, or with cookies where the body asks for them: then whatever a page of another origin
 * could have asked for is refused first. What throws sets no cookie, so that it spoils nothing that another tab has.
 */
export async function answerSignIn(
  { body, cookies, context }: Call<{ readonly cookies?: boolean }>,
  status: 200 | 201,
  signIn: (context: RequestContext) => Promise<SessionTokens>,
): Promise<Answer> {
  if (body.cookies !== true) return { status, body: toWireTokens(await signIn(context)) }
  const { read, issue, accessTokenMaxBytes } = cookies.open()
  const deviceToken = context.deviceToken ?? read('device')
  const tokens = await signIn({ ...context, accessTokenMaxBytes, ...(deviceToken !== null && { deviceToken }) })
  return { status, body: toWireSignedIn(tokens), setCookies: issue(tokens) }
}
