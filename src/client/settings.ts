import type { ClientOptions } from './client.ts'
import { ClientError } from './client-error.ts'
import { memoryStorage, type TokenStorage } from './storage.ts'
import { type ClientClock, clientClock, readSurroundings, type Surroundings } from './surroundings.ts'

/** The options, checked, with what stands for those that are left out. */
export interface ClientSettings {
  /** Without a slash at its end. */
  readonly url: string
  /** What relative addresses of `client.fetch` are relative to. */
  readonly base: string
  /** Null in cookies mode. */
  readonly storage: TokenStorage | null
  /** Origins to which an access token may be sent. */
  readonly apiOrigins: ReadonlySet<string>
  readonly fetch: typeof fetch
  readonly onChange: ClientOptions['onChange']
  readonly clock: ClientClock
  /** Name of the lock and of the channel; null when no other tab sees the same session. */
  readonly sharedName: string | null
  readonly surroundings: Surroundings
}

export const OPTION_NAMES: readonly string[] = [
  'url',
  'mode',
  'storage',
  'apiOrigins',
  'fetch',
  'onChange',
  'clock',
] satisfies (keyof ClientOptions)[]

/** Throws ERR_OPTION_INVALID. */
export function resolveSettings(
  options: ClientOptions,
  surroundings: Surroundings = readSurroundings(),
): ClientSettings {
  const odd = Object.keys(options).find((name) => !OPTION_NAMES.includes(name))
  if (odd !== undefined) throw invalid(`There is no option ${odd}.`)
  const { origin, page } = surroundings
  const url = parseUrl(options.url ?? origin)
  const mode = options.mode ?? (origin === null ? 'tokens' : 'cookies')
  if (mode !== 'tokens' && mode !== 'cookies') throw invalid('mode is "cookies" or "tokens".')
  if (mode === 'cookies') refuseMisplacedCookies(url, options, origin)
  const storage = mode === 'cookies' ? null : (options.storage ?? memoryStorage())
  const shared = mode === 'cookies' ? '' : storage?.sharedAs
  const href = url.href.replace(/\/+$/, '')
  return {
    url: href,
    base: page?.baseURI ?? `${href}/`,
    storage,
    apiOrigins: new Set([url.origin, ...(options.apiOrigins ?? []).map(parseOrigin)]),
    // Called as a plain function: browsers refuse a fetch that is a member of something else.
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    onChange: options.onChange,
    clock: options.clock ?? clientClock,
    sharedName: origin === null || shared === undefined ? null : `gatebook ${href} ${shared}`.trim(),
    surroundings,
  }
}

function parseUrl(text: string | null): URL {
  if (text === null) throw invalid('url is needed where there is no page.')
  const url = URL.canParse(text) ? new URL(text) : null
  const plain =
    url !== null && /^https?:$/.test(url.protocol) && `${url.username}${url.password}${url.search}${url.hash}` === ''
  if (!plain) throw invalid('url is the address of the server, such as https://app.example.')
  return url
}

function parseOrigin(text: string): string {
  if (!URL.canParse(text) || new URL(text).origin !== text) {
    throw invalid(`apiOrigins: ${JSON.stringify(text)} is not an origin such as https://api.example.`)
  }
  return text
}

/** A cookie that no script sees belongs to the origin of the page, and there is no page on a server. */
function refuseMisplacedCookies(url: URL, { storage, apiOrigins }: ClientOptions, origin: string | null): void {
  if (origin === null) throw invalid('Cookies are for browsers; on a server, mode is "tokens".')
  if (url.origin !== origin) throw invalid('With cookies, Gatebook and the page are on one origin.')
  if (storage !== undefined || apiOrigins !== undefined) throw invalid('storage and apiOrigins are for mode "tokens".')
}

function invalid(detail: string): ClientError {
  return new ClientError('ERR_OPTION_INVALID', { detail })
}
