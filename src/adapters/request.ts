import type { IncomingMessage } from 'node:http'

/** A request of node:http; frameworks that parse bodies leave the result in `body`. */
export type NodeRequest = IncomingMessage & { readonly body?: unknown }

/** Methods that the Fetch standard refuses to make a Request of; any method that no route has does as well. */
const FORBIDDEN = /^(?:CONNECT|TRACE|TRACK)$/i

/**
 * Path and query of a request target; null for `*`, for what is no target at all and for a path that is not in its normal
 * form. The host is never looked at, since the client chooses it.
 */
export function targetOf({ url: target = '' }: Pick<IncomingMessage, 'url'>): URL | null {
  // Never `new URL(target, origin)`, for which `//x/y` is another host.
  const url = target.startsWith('/') ? `http://localhost${target}` : target
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) return null
  const parsed = new URL(url)
  // Which no Request may have.
  if (parsed.username !== '' || parsed.password !== '') return null
  const [path] = url.replace(/^https?:\/\/[^/?#]*/, '').split(/[?#]/, 1)
  // Dots and backslashes that the parser resolves: whoever filters paths in front of us did not see this one.
  return parsed.pathname === (path || '/') ? parsed : null
}

/** The same request for a fetch handler. The body is streamed, or `body` where somebody has read it already. */
export function toFetchRequest(request: IncomingMessage, url: URL, body: unknown): Request {
  const method = request.method ?? 'GET'
  const bodiless = method === 'GET' || method === 'HEAD'
  const consumed = !bodiless && (request.readableDidRead || request.readableEnded)
  const init: RequestInit & { duplex: 'half' } = {
    method: FORBIDDEN.test(method) ? 'UNSUPPORTED' : method,
    headers: headersOf(request, consumed),
    duplex: 'half',
  }
  if (bodiless || FORBIDDEN.test(method)) return new Request(url, init)
  return new Request(url, { ...init, body: consumed ? serialise(body) : streamOf(request) })
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

/** From the raw list, because `request.headers` drops the second of two Authorization headers, which must be refused. */
export function headersOf(request: IncomingMessage, withoutFraming = false): Headers {
  const headers = new Headers()
  const raw = request.rawHeaders
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [name, value] = [raw[at] as string, raw[at + 1] as string]
    // HTTP/2 has its request line among the headers.
    if (name.startsWith(':')) continue
    if (withoutFraming && /^(?:content-length|content-encoding|transfer-encoding)$/i.test(name)) continue
    headers.append(name, value)
  }
  return headers
}

/** What a body parser made of the body, as it may have been. */
function serialise(body: unknown): string | Uint8Array<ArrayBuffer> | null {
  if (body === undefined || body === null) return null
  if (typeof body === 'string') return body
  return body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body)
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
