import { setMaxListeners } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { HeaderReader, HttpRequest } from '../api.ts'

export type Target = Exclude<HttpRequest['url'], string>

/** What no parser can take for anything else: a path without dots, escapes and a query. */
const PLAIN = /^(?:\/[\w-]+)+$/
const NOTHING = new URLSearchParams()

/** A request of node:http; frameworks that parse bodies leave the result in `body`. */
export type NodeRequest = IncomingMessage & { readonly body?: unknown }

/**
 * Path and query of a request target; null for `*`, for what is no target at all and for a path that is not in its normal
 * form. The host is never looked at, since the client chooses it.
 */
export function targetOf({ url: target = '' }: Pick<IncomingMessage, 'url'>): Target | null {
  if (PLAIN.test(target)) return { pathname: target, search: '', searchParams: NOTHING }
  // Never `new URL(target, origin)`, for which `//x/y` is another host.
  const url = target.startsWith('/') ? `http://localhost${target}` : target
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) return null
  const parsed = new URL(url)
  // Nobody who means this server writes a name in front of it.
  if (parsed.username !== '' || parsed.password !== '') return null
  const [path] = url.replace(/^https?:\/\/[^/?#]*/, '').split(/[?#]/, 1)
  // Dots and backslashes that the parser resolves: whoever filters paths in front of us did not see this one.
  return parsed.pathname === (path || '/') ? parsed : null
}

/** The same request for the routes. The body is streamed, or `body` where somebody has read it already. */
export function describeRequest(request: IncomingMessage, url: Target, body: unknown): HttpRequest {
  const method = request.method ?? 'GET'
  const bodiless = method === 'GET' || method === 'HEAD'
  const consumed = !bodiless && (request.readableDidRead || request.readableEnded)
  return {
    method,
    url,
    headers: readHeaders(request, consumed),
    get body() {
      if (bodiless) return null
      return consumed ? serialise(body, headerOf(request, 'content-type')) : streamOf(request)
    },
    get signal() {
      return endOf(request.socket)
    },
  }
}

/**
 * All headers of a name, which is in lower case, in one text, as the Fetch standard joins them; null for none. Cookies of
 * HTTP/2 may come in several headers (RFC 9113 §8.2.3).
 */
export function headerOf(request: IncomingMessage, name: string): string | null {
  const raw = request.rawHeaders
  const separator = name === 'cookie' ? '; ' : ', '
  let joined: string | null = null
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const header = raw[at] as string
    if (header.length !== name.length || header.toLowerCase() !== name) continue
    joined = joined === null ? (raw[at + 1] as string) : `${joined}${separator}${raw[at + 1]}`
  }
  return joined
}

const ends = new WeakMap<object, AbortSignal>()

/** One for all requests of a connection, which may be many. */
function endOf(socket: IncomingMessage['socket']): AbortSignal {
  const known = ends.get(socket)
  if (known !== undefined) return known
  const end = new AbortController()
  // Each request that waits listens.
  setMaxListeners(0, end.signal)
  if (socket.destroyed) end.abort()
  else socket.once('close', () => end.abort())
  ends.set(socket, end.signal)
  return end.signal
}

/** What described the bytes on their way. A body that somebody has read is no more what they say. */
const FRAMING: ReadonlySet<string> = new Set(['content-length', 'content-encoding', 'transfer-encoding'])

/** Without a copy of all the headers, of which a few are looked at. Names in lower case. */
export function readHeaders(request: IncomingMessage, withoutFraming = false): HeaderReader {
  const get = (name: string) => (withoutFraming && FRAMING.has(name) ? null : headerOf(request, name))
  return { get, has: (name) => get(name) !== null }
}

/** What a body parser made of the body, as it may have been. */
function serialise(body: unknown, contentType: string | null): Uint8Array | null {
  if (body === undefined || body === null) return null
  if (body instanceof Uint8Array) return body
  if (typeof body === 'object' && isForm(contentType)) return Buffer.from(toForm(body))
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return text === undefined ? null : Buffer.from(text)
}

function isForm(contentType: string | null): boolean {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() === 'application/x-www-form-urlencoded'
}

/** What is not one text was given several times or in brackets; as a member that is given twice it will be refused. */
function toForm(body: object): string {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(body)) {
    const texts = typeof value === 'string' ? [value] : ['', '']
    for (const each of texts) form.append(name, each)
  }
  return form.toString()
}

/** Pulled as it is read. Unlike `Readable.toWeb`, giving up does not destroy the socket that the answer has to take. */
function streamOf(request: IncomingMessage): ReadableStream<Uint8Array> {
  const iterator = request.iterator({ destroyOnReturn: false })
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next()
        if (done === true) controller.close()
        else controller.enqueue(typeof value === 'string' ? Buffer.from(value) : value)
      },
      async cancel() {
        await iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}
