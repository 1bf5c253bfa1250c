import { type ProblemContext, toProblem } from './error-map.ts'
import type { HttpResponse } from './exchange.ts'
import type { Answer } from './route.ts'

/** Turns answers and problems into responses that carry every header of this installation. */
export interface Answering {
  respond(answer: Answer, requestId: string): HttpResponse
  refuse(thrown: unknown, context: ProblemContext): HttpResponse
}

/** Headers of every answer. Strict-Transport-Security only where the installation is reached over https. */
export function createAnswering(issuer: string): Answering {
  const isSecure = /^https:/i.test(issuer)
  const respond = (
    { status, body, text, bytes, stream, headers, setCookies = [] }: Answer,
    requestId: string,
  ): HttpResponse => {
    // Written out, because an object of one shape is several times as fast to make as one that is spread together.
    const all: Record<string, string> = {
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
      'X-Request-Id': requestId,
    }
    if (isSecure) all['Strict-Transport-Security'] = 'max-age=31536000'
    if (stream !== undefined) {
      all['Content-Type'] = 'text/event-stream'
      // Neither compressed nor collected on the way: each event is to arrive when it is sent.
      all['Cache-Control'] = 'no-store, no-transform'
      all['X-Accel-Buffering'] = 'no'
      return { status, headers: headers === undefined ? all : Object.assign(all, headers), setCookies, body: stream }
    }
    const written = bytes ?? text ?? (body === undefined ? null : JSON.stringify(body))
    if (written !== null) {
      all['Content-Type'] = typeOf(bytes, text)
      all['Content-Length'] = String(Buffer.byteLength(written))
    }
    return { status, headers: headers === undefined ? all : Object.assign(all, headers), setCookies, body: written }
  }
  return { respond, refuse: (thrown, context) => respond(toProblem(thrown, context), context.requestId) }
}

function typeOf(bytes: Uint8Array | undefined, text: string | undefined): string {
  if (bytes !== undefined) return 'application/octet-stream'
  return text === undefined ? 'application/json' : 'text/plain; charset=utf-8'
}
