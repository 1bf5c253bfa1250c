import type { AuthenticatedRequest, SessionTokens } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { Settings } from '../options.ts'
import { createOriginCheck, needsOriginCheck } from './csrf.ts'

export type CookieKind = 'access' | 'refresh' | 'device'

export type CookieSettings = Pick<Settings, 'cookies' | 'issuer' | 'accessTokenSeconds'>

/** What a token that cannot be told is taken for: it is nobody's, and is refused wherever a token is. */
const NO_TOKEN = ''

/** All cookies of a request together; browsers and servers stop far below. */
const MAX_HEADER_LENGTH = 32_768
/** RFC 6265 §6.1: what a browser stores at least, name, value and attributes together. */
const MAX_COOKIE_LENGTH = 4096
/** The only characters of our tokens; a subset of cookie-octet (RFC 6265 §4.1.1). */
const TOKEN = /^[A-Za-z0-9._-]+$/
const DEVICE_SECONDS = 31_536_000

/** Tokens in cookies, where the option `cookies` is on. */
export interface Cookies {
  /**
   * The access token in the cookie of a request, which counts only where no other page can have sent it; null when there is
   * no cookie. Throws ERR_CSRF.
   */
  findAccessToken(request: AuthenticatedRequest): string | null
  /** Throws ERR_CSRF: before anything that is asked for with `cookies: true`. */
  checkOrigin(headers: AuthenticatedRequest['headers']): void
  read(headers: AuthenticatedRequest['headers'], kind: CookieKind): string | null
  /** `Set-Cookie` of new tokens. */
  issue(tokens: SessionTokens): readonly string[]
  /** `Set-Cookie` of a log-out: the device stays known. */
  clear(): readonly string[]
  /** Bytes that an access token may have. */
  readonly accessTokenMaxBytes: number
}

/** Null where the option is off: then no cookie is looked at. */
export function createCookies(settings: CookieSettings): Cookies | null {
  if (settings.cookies === 'off') return null
  const checkOrigin = createOriginCheck(settings.issuer)
  const tail = `; Path=/${isSecure(settings.issuer) ? '; Secure' : ''}; HttpOnly; SameSite=${settings.cookies === 'lax' ? 'Lax' : 'Strict'}`
  const name = (kind: CookieKind): string => cookieName(settings.issuer, kind)
  const format = (kind: CookieKind, value: string, seconds: number): string =>
    `${name(kind)}=${value}; Max-Age=${seconds}${tail}`
  const read = (headers: AuthenticatedRequest['headers'], kind: CookieKind): string | null =>
    findCookie(headers.get('cookie'), name(kind))

  return {
    read,
    checkOrigin,
    findAccessToken(request) {
      const token = read(request.headers, 'access')
      if (token !== null && needsOriginCheck(request)) checkOrigin(request.headers)
      return token
    },
    issue: ({ accessToken, expiresIn, refreshToken, refreshExpiresIn, deviceToken }) => [
      format('access', accessToken, expiresIn),
      format('refresh', refreshToken, refreshExpiresIn),
      ...(deviceToken === '' ? [] : [format('device', deviceToken, DEVICE_SECONDS)]),
    ],
    clear: () => [format('access', '', 0), format('refresh', '', 0)],
    accessTokenMaxBytes: MAX_COOKIE_LENGTH - format('access', '', settings.accessTokenSeconds).length,
  }
}

/**
 * `__Host-` (RFC 6265bis §4.1.3.2) is a promise of the browser that no other host has set the cookie. It takes TLS, so on this
 * machine, without, the names go without it.
 */
export function cookieName(issuer: string, kind: CookieKind): string {
  return `${isSecure(issuer) ? '__Host-' : ''}gatebook-${kind}`
}

function isSecure(issuer: string): boolean {
  return new URL(issuer).protocol === 'https:'
}

/**
 * The value of the one cookie of this name in a Cookie header (RFC 6265 §4.2.1), null when there is none. Two of them, or one
 * that is not written as a browser writes it, are taken for a token that is nobody's: which of two is right would be a guess,
 * and a neighbouring host may have planted one. Other cookies are the application's, whatever they look like.
 */
export function findCookie(header: string | null, name: string): string | null {
  if (header === null) return null
  if (header.length > MAX_HEADER_LENGTH) return NO_TOKEN
  let found: string | null = null
  for (const [at, part] of header.split(';').entries()) {
    const equals = part.indexOf('=')
    if (trimBlanks(equals === -1 ? part : part.slice(0, equals)) !== name) continue
    if (found !== null) return NO_TOKEN
    found = parsePair(part, `${at === 0 ? '' : ' '}${name}=`)
  }
  return found
}

function parsePair(pair: string, beginning: string): string {
  if (!pair.startsWith(beginning) || pair.length > MAX_COOKIE_LENGTH) return NO_TOKEN
  const value = pair.slice(beginning.length)
  return TOKEN.test(value) ? value : NO_TOKEN
}

/** Spaces and tabs, and nothing that only Unicode takes for white space: a browser would not have taken it for our name. */
function trimBlanks(text: string): string {
  let [from, to] = [0, text.length]
  while (from < to && isBlank(text[from])) from++
  while (to > from && isBlank(text[to - 1])) to--
  return text.slice(from, to)
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t'
}

/** The cookies of one request, for the routes whose body asks for cookies. */
export interface RequestCookies {
  /** Throws ERR_COOKIES_OFF and ERR_CSRF, before anything is done. */
  open(): Pick<Cookies, 'issue' | 'clear' | 'accessTokenMaxBytes'> & { read(kind: CookieKind): string | null }
}

export function cookiesOf(cookies: Cookies | null, headers: AuthenticatedRequest['headers']): RequestCookies {
  return {
    open() {
      if (cookies === null) throw new GatebookError('ERR_COOKIES_OFF')
      cookies.checkOrigin(headers)
      const { issue, clear, accessTokenMaxBytes } = cookies
      return { issue, clear, accessTokenMaxBytes, read: (kind) => cookies.read(headers, kind) }
    },
  }
}
