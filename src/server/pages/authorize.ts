/**
 * The authorization endpoint (RFC 6749 §3.1, RFC 7636, RFC 9207): an application of another site sends the browser of its user, who logs
 * in here and goes back with a code. There is no question whether the user wants to: who added the application has decided that.
 */
import type { AccessClaims, Client } from '../../api.ts'
import { GatebookError, isGatebookError } from '../../errors.ts'
import { isCodeChallenge } from '../../token/code-challenge.ts'
import { html, type PageContent } from './html.ts'
import { localPath, PATHS, type PageAnswer, type PageCall, type PageRoute } from './page.ts'

const KNOWN = [
  ...['response_type', 'client_id', 'redirect_uri', 'state', 'code_challenge', 'code_challenge_method'],
  ...['response_mode', 'prompt', 'max_age'],
] as const
type Parameters = Partial<Record<(typeof KNOWN)[number], string>>

/**
 * Whoever has just logged in for it has done so before the page comes back here. It is the application that has to look at `auth_time` where
 * it matters: whoever sits at the browser can write any of these addresses (OpenID Connect Core §3.1.2.1 says so of `max_age`).
 */
const FRESH_AT_LEAST_SECONDS = 60

/** RFC 6749 §4.1.2.1 and OpenID Connect Core §3.1.2.6: told to the application, by way of the browser. */
interface Refusal extends Readonly<Record<string, string>> {
  readonly error: 'invalid_request' | 'unsupported_response_type' | 'login_required' | 'temporarily_unavailable'
}

const LOGIN_REQUIRED: Refusal = { error: 'login_required' }
const invalid = (why: string): Refusal => ({ error: 'invalid_request', error_description: why })

export const authorizeRoutes: readonly PageRoute[] = [
  {
    method: 'GET',
    path: PATHS.authorize,
    for: 'either',
    refusesHead: true,
    async handle(call) {
      // A picture or a frame of another page asks as well as a link does; nobody is handed over by one.
      const destination = call.headers.get('sec-fetch-dest')
      const isAhead = call.headers.get('sec-purpose') !== null
      if (isAhead || (destination !== null && destination !== 'document')) throw new GatebookError('ERR_CSRF')
      const { gate, query, context } = call
      const given = readParameters(query)
      const { client_id: clientId, redirect_uri: redirectUri } = given
      if (clientId === undefined || redirectUri === undefined) throw new GatebookError('ERR_QUERY_INVALID')
      await gate.authorizations.check({ clientId, redirectUri }, context)
      const back = (members: Readonly<Record<string, string>>): PageAnswer => ({
        redirect: withParameters(redirectUri, {
          ...members,
          ...(given.state !== undefined && { state: given.state }),
          iss: gate.issuer,
        }),
      })
      const wrong = problemOf(given, query)
      if (wrong !== null) return back(wrong)
      const signIn = signInPath(query)
      if (signIn === null) return back(invalid('the request is too long'))
      const { claims } = call
      if (claims === null || !isFresh(claims, given, call.settings.clock.now())) {
        return given.prompt === 'none' ? back(LOGIN_REQUIRED) : { redirect: signIn }
      }
      try {
        const { code } = await gate.authorizations.issue(
          { sessionId: claims.sessionId, clientId, redirectUri, codeChallenge: given.code_challenge! },
          context,
        )
        return back({ code })
      } catch (thrown) {
        // Ended since the token was made.
        if (isGatebookError(thrown, 'ERR_SESSION_NOT_FOUND')) return { redirect: signIn }
        // Its users are better off where they came from.
        if (isGatebookError(thrown) && thrown.status === 503) return back({ error: 'temporarily_unavailable' })
        throw thrown
      }
    },
  },
]

/** Throws ERR_QUERY_INVALID for a parameter that comes twice (RFC 6749 §3.1); what is not known is ignored. */
function readParameters(query: URLSearchParams): Parameters {
  const given: Parameters = {}
  for (const name of KNOWN) {
    const values = query.getAll(name)
    if (values.length > 1) throw new GatebookError('ERR_QUERY_INVALID')
    // "Parameters sent without a value MUST be treated as if they were omitted."
    if (values[0] !== undefined && values[0] !== '') given[name] = values[0]
  }
  return given
}

function problemOf(given: Parameters, query: URLSearchParams): Refusal | null {
  const { response_type: type, response_mode: mode = 'query', code_challenge: challenge = '', prompt } = given
  if (type !== undefined && type !== 'code') return { error: 'unsupported_response_type' }
  const rules: readonly [boolean, string][] = [
    [type === 'code', 'response_type must be code'],
    [given.code_challenge_method === 'S256', 'code_challenge_method must be S256'],
    [isCodeChallenge(challenge), 'code_challenge must be the SHA-256 of the verifier in base64url'],
    [mode === 'query', 'response_mode must be query'],
    [prompt === undefined || prompt === 'none' || prompt === 'login', 'prompt must be none or login'],
    [/^\d{1,9}$/.test(given.max_age ?? '0'), 'max_age must be a number of seconds'],
    // RFC 9101: what stands in there would have to be looked at.
    [!query.has('request') && !query.has('request_uri'), 'request and request_uri are not supported'],
  ]
  const broken = rules.find(([holds]) => !holds)
  return broken === undefined ? null : invalid(broken[1])
}

/** Whoever comes back from the page to log in has `max_age=0` instead of `prompt=login`. */
function isFresh({ authenticatedAt }: AccessClaims, { prompt, max_age: maxAge }: Parameters, now: number): boolean {
  if (prompt === 'login') return false
  if (maxAge === undefined) return true
  return now - authenticatedAt <= Math.max(Number(maxAge), FRESH_AT_LEAST_SECONDS) * 1000
}

/** To log in, also for whoever has done so before, and back to here; null for more than can come back. */
function signInPath(query: URLSearchParams): string | null {
  const again = new URLSearchParams(query)
  if (again.get('prompt') === 'login') again.set('max_age', '0')
  again.delete('prompt')
  const back = `${PATHS.authorize}?${again.toString()}`
  if (localPath(back) !== back) return null
  return `${PATHS.signIn}?${new URLSearchParams({ again: '1', return_to: back }).toString()}`
}

/** The query that an address was added with stays as it is (RFC 6749 §3.1.2). */
function withParameters(uri: string, members: Readonly<Record<string, string>>): string {
  return `${uri}${uri.includes('?') ? '&' : '?'}${new URLSearchParams(members).toString()}`
}

export function isAuthorizePath(to: string | null): boolean {
  return to?.startsWith(`${PATHS.authorize}?`) === true
}

/** The application that a log-in leads to, by the path that comes after it; null for none. */
export async function findApplication({ gate }: PageCall, to: string | null): Promise<Client | null> {
  if (to === null || !isAuthorizePath(to)) return null
  const id = new URL(to, 'http://localhost').searchParams.get('client_id')
  return id === null ? null : gate.clients.find(id)
}

/**
 * What answers a form from which the way leads to another site: a redirect would be followed as part of the form, which the policy of
 * the page allows to this site only (CSP3 §6.4.2).
 */
export function onwardPage({ texts }: PageCall, to: string): PageContent {
  return {
    title: texts.onward,
    goTo: to,
    body: html`<div class="card"><p>${texts.onward}</p><p><a href="${to}">${texts.goOn}</a></p></div>`,
  }
}
