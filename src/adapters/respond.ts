import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HttpResponse } from '../api.ts'

/** How long a client that was answered may go on sending: closing at once would reset the connection under the answer. */
export const DRAIN_MILLISECONDS = 1000

/** Does nothing when the client is gone or was answered already. */
export function sendResponse(
  request: IncomingMessage,
  outgoing: ServerResponse,
  { status, headers, setCookies, body }: HttpResponse,
): void {
  if (outgoing.headersSent || outgoing.destroyed) return
  // Beside those that the application has set.
  for (const cookie of setCookies) outgoing.appendHeader('Set-Cookie', cookie)
  if (!request.complete) drainAfter(request, outgoing)
  outgoing.writeHead(status, headers)
  if (body === null) outgoing.end()
  else outgoing.end(body)
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
