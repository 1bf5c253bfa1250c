import type { IncomingMessage, ServerResponse } from 'node:http'

/** How long a client that was answered may go on sending: closing at once would reset the connection under the answer. */
export const DRAIN_MILLISECONDS = 1000

/** Writes a response, at the pace at which it is taken. Does nothing when the client is gone or was answered already. */
export async function sendResponse(
  request: IncomingMessage,
  outgoing: ServerResponse,
  response: Response,
): Promise<void> {
  if (outgoing.headersSent || outgoing.destroyed) return
  outgoing.statusCode = response.status
  for (const [name, value] of response.headers) if (name !== 'set-cookie') outgoing.setHeader(name, value)
  // Each by itself, and beside those that the application has set.
  for (const cookie of response.headers.getSetCookie()) outgoing.appendHeader('Set-Cookie', cookie)
  if (!request.complete) drainAfter(request, outgoing)
  if (response.body === null || request.method === 'HEAD') {
    outgoing.end()
    return
  }
  const reader = response.body.getReader()
  outgoing.once('close', () => reader.cancel().catch(() => {}))
  for (let part = await reader.read(); !part.done && !outgoing.destroyed; part = await reader.read()) {
    if (!outgoing.write(part.value)) await takenUp(outgoing)
  }
  outgoing.end()
}

function takenUp(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      outgoing.off('drain', settle).off('close', settle)
      resolve()
    }
    outgoing.once('drain', settle).once('close', settle)
  })
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
