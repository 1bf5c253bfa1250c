import { encodeUtf8 } from '../util/bytes.ts'
import { type ProblemContext, toProblem } from './error-map.ts'
import type { Answer } from './route.ts'

/** Turns answers and problems into responses that carry every header of this installation. */
export interface Answering {
  respond(answer: Answer, requestId: string): Response
  refuse(thrown: unknown, context: ProblemContext): Response
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
  const respond = (answer: Answer, requestId: string) => {
    const headers = new Headers(common)
    headers.set('X-Request-Id', requestId)
    for (const cookie of answer.setCookies ?? []) headers.append('Set-Cookie', cookie)
    if (answer.body === undefined && answer.text === undefined) {
      for (const [name, value] of Object.entries(answer.headers ?? {})) headers.set(name, value)
      return new Response(null, { status: answer.status, headers })
    }
    const bytes = encodeUtf8(answer.text ?? JSON.stringify(answer.body))
    headers.set('Content-Type', answer.text === undefined ? 'application/json' : 'text/plain; charset=utf-8')
    headers.set('Content-Length', String(bytes.length))
    for (const [name, value] of Object.entries(answer.headers ?? {})) headers.set(name, value)
    return new Response(bytes as Uint8Array<ArrayBuffer>, { status: answer.status, headers })
  }
  return { respond, refuse: (thrown, context) => respond(toProblem(thrown, context), context.requestId) }
}
