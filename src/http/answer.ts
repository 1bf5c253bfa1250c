import { encodeUtf8 } from '../util/bytes.ts'
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
  const common: Record<string, string> = {
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
    ...(issuer.startsWith('https:') ? { 'Strict-Transport-Security': 'max-age=31536000' } : {}),
  }
  const respond = ({ status, body, text, headers, setCookies = [] }: Answer, requestId: string): HttpResponse => {
    const written = body === undefined && text === undefined ? null : encodeUtf8(text ?? JSON.stringify(body))
    return {
      status,
      headers: {
        ...common,
        'X-Request-Id': requestId,
        ...(written !== null && {
          'Content-Type': text === undefined ? 'application/json' : 'text/plain; charset=utf-8',
          'Content-Length': String(written.length),
        }),
        ...headers,
      },
      setCookies,
      body: written,
    }
  }
  return { respond, refuse: (thrown, context) => respond(toProblem(thrown, context), context.requestId) }
}
