import { GatebookError } from '../errors.ts'

const LONGEST = 500
const MOST = 10
/** What the answer adds (RFC 6749 §4.1.2, RFC 9207). */
const ANSWER = ['code', 'state', 'iss', 'error', 'error_description', 'error_uri']
/** RFC 8252 §7.3: an application on the machine of its user takes whatever port is free. */
const LOOPBACK_LITERALS: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]'])
/** RFC 8252 §7.1: a reversed domain name, so that `javascript:`, `data:` and the like cannot be one. */
const PRIVATE_SCHEME = /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+:$/

/**
 * The addresses that a client may be added with, as they were given (RFC 6749 §3.1.2, RFC 9700 §2.1): `https:`, `http:` of a loopback
 * address, or a scheme of an application's own. Throws ERR_REDIRECT_URI_INVALID.
 */
export function checkRedirectUris(given: readonly string[]): readonly string[] {
  const wrong = given.map((uri) => problemOf(uri)).find((problem) => problem !== null)
  if (wrong !== undefined) throw new GatebookError('ERR_REDIRECT_URI_INVALID', { detail: wrong! })
  const unique = [...new Set(given)]
  if (unique.length > MOST) {
    throw new GatebookError('ERR_REDIRECT_URI_INVALID', {
      detail: `There may be at most ${MOST}, not ${unique.length}.`,
    })
  }
  return unique
}

function problemOf(uri: string, longest: number = LONGEST): string | null {
  const shown = JSON.stringify(uri.slice(0, 100))
  if (uri.length > longest) return `${shown}… is longer than ${LONGEST} characters.`
  // What a parser would mend, two parsers may mend in two ways.
  if (!/^[\x21-\x7e]+$/.test(uri) || /["<>\\^`{|}]/.test(uri) || !URL.canParse(uri)) return `${shown} is no address.`
  const url = new URL(uri)
  if (uri.includes('#')) return `${shown} has a fragment (RFC 6749 §3.1.2).`
  if (uri.includes('*')) return `${shown} has a "*": each address is written out.`
  if (url.username !== '' || url.password !== '') return `${shown} has a user name in it.`
  if (ANSWER.some((name) => url.searchParams.has(name))) {
    return `${shown} has a parameter that the answer needs.`
  }
  if (PRIVATE_SCHEME.test(url.protocol)) return null
  if (/^https?:\/\/([^/?]+)/.exec(uri)?.[1] !== url.host)
    return `${shown} has its host written in another way than ${url.host}.`
  if (url.protocol === 'https:') return null
  const isLoopback = url.hostname === 'localhost' || LOOPBACK_LITERALS.has(url.hostname)
  if (url.protocol === 'http:' && isLoopback) return null
  return `${shown} is neither https:, nor http: of this machine, nor a scheme with a dot in it (com.example.app:).`
}

/** Compared character by character (RFC 9700 §4.1.3), but for the port of a loopback literal. */
export function isAllowedRedirect(presented: string, allowed: readonly string[]): boolean {
  if (problemOf(presented, LONGEST + ':65535'.length) !== null) return false
  if (allowed.includes(presented)) return true
  const bare = withoutPort(presented)
  return bare !== null && allowed.some((each) => withoutPort(each) === bare)
}

function withoutPort(uri: string): string | null {
  const match = /^(http:\/\/(?:127\.0\.0\.1|\[::1\]))(?::\d{1,5})?(\/.*)?$/.exec(uri)
  return match === null ? null : match[1]! + (match[2] ?? '')
}
