import type { AccessClaims, Gatebook, HeaderReader, RequestContext } from '../../api.ts'
import type { Cookies } from '../../http/cookie.ts'
import type { Frame, PageContent } from './html.ts'
import type { PageTexts } from './texts.ts'

export interface PageSettings {
  readonly registration: 'open' | 'confirm' | 'invite' | 'closed'
  /** Whether mail can be sent, without which no new password can be asked for. */
  readonly sendsMail: boolean
  readonly passwordMinLength: number
  readonly clock: { now(): number }
}

/** What a page is made from. */
export interface PageCall {
  readonly gate: Gatebook
  readonly settings: PageSettings
  readonly cookies: Cookies
  readonly headers: HeaderReader
  readonly context: RequestContext & { readonly requestId: string }
  readonly frame: Frame
  readonly texts: PageTexts
  readonly query: URLSearchParams
  /** Of a form; empty for GET. */
  readonly form: Readonly<Record<string, string>>
  /** Null where the page does not ask, and where nobody is logged in. */
  readonly claims: AccessClaims | null
}

export type PageAnswer =
  | { readonly page: PageContent; readonly status?: number; readonly setCookies?: readonly string[] }
  | { readonly redirect: string; readonly setCookies?: readonly string[] }

export interface PageRoute {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** `user`: whoever is not logged in is asked to do so, and comes back. `either`: it is looked up, and may be nobody. */
  readonly for: 'anybody' | 'either' | 'user'
  /** What it does is done for a GET alone, and not for a HEAD that may come of anything. */
  readonly refusesHead?: true
  handle(call: PageCall): Promise<PageAnswer>
  /** The page once more, with what went wrong; what `handle` refuses is shown by it. */
  refuse?(call: PageCall, problem: string): Promise<PageContent> | PageContent
}

export const PATHS = {
  signIn: '/sign-in',
  signUp: '/sign-up',
  signOut: '/sign-out',
  forgot: '/forgot-password',
  reset: '/reset-password',
  confirm: '/confirm',
  account: '/account',
  password: '/account/password',
  endSession: '/account/end-session',
  endOthers: '/account/end-others',
  disown: '/account/disown',
  authorize: '/oauth/authorize',
} as const

/** The path to go on to, when it is one of this site; anything else is none. */
export function localPath(text: string | null | undefined): string | null {
  if (text === null || text === undefined || !/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,2000}$/.test(text)) return null
  const { pathname, search } = new URL(text, 'http://localhost')
  // What is left when the dots are gone may begin like an address without a scheme.
  return pathname.startsWith('//') ? null : pathname + search
}
