import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline, Readable } from 'node:stream'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import type { HttpResponse } from '../api.ts'

/** How long a client that was answered may go on sending: closing at once would reset the connection under the answer. */
export const DRAIN_MILLISECONDS = 1000

/** Does nothing when the client is gone or was answered already. */
export function sendResponse(
  request: IncomingMessage,
  outgoing: ServerResponse,
  { status, headers, setCookies, body }: HttpResponse,
): void {
  if (outgoing.headersSent || outgoing.destroyed) {
    if (body instanceof ReadableStream) void body.cancel()
    return
  }
  // Beside those that the application has set.
  for (const cookie of setCookies) outgoing.appendHeader('Set-Cookie', cookie)
  if (!request.complete) drainAfter(request, outgoing)
  // One by one: what `writeHead` is given cannot be read again, and an answer without a body would be chunked.
  outgoing.statusCode = status
  for (const name in headers) outgoing.setHeader(name, headers[name]!)
  if (body instanceof ReadableStream) pipeline(toReadable(body), outgoing, () => {})
  else if (body === null) outgoing.end()
  else outgoing.end(body)
}

/** Of node:stream, which cancels it when it is destroyed. */
export function toReadable(body: ReadableStream<Uint8Array>): Readable {
  return Readable.fromWeb(body as NodeReadableStream)
}

/**
 * A request that is answered before its end (a body that is too large) is read for a moment longer: closing at once would
 * reset the connection, and the client would never see why.
 */
export function drainAfter(request: IncomingMessage, outgoing: ServerResponse): void {
  outgoing.once('finish', () => {
    if (request.complete || request.destroyed) return
    const timer = setTimeout(() => request.destroy(), DRAIN_MILLISECONDS)
    const stop = () => clearTimeout(timer)
    request.once('end', stop).once('close', stop).resume()
  })
}
