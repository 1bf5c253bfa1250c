import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type {} from 'koa'
import type { AccessClaims, Gatebook, HttpResponse, RequestContext } from '../api.ts'
import { admit, answerClaimed, contextOf } from './gate.ts'
import { OPTIONAL, type Requirements, type RequireUserOptions, required } from './requirements.ts'
import { drainAfter, toReadable } from './respond.ts'

export type { RequireUserOptions } from './requirements.ts'

declare module 'koa' {
  interface DefaultState {
    /** Set by `requireUser` and the like. */
    user?: AccessClaims
  }
}

/** What is needed of the context of Koa. */
export interface KoaContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** `body` is what a body parser left. */
  readonly request: object
  readonly state: { user?: AccessClaims }
  status: number
  body: unknown
  set(name: string, value: string): void
}

/** Fits `app.use` and the routers, whose types are not needed for it. */
export type KoaMiddleware = (context: KoaContext, next: () => Promise<unknown>) => Promise<void>

/** Answers the paths that are Gatebook's and hands every other one on; before or after a body parser. */
export function gatebook(gate: Gatebook): KoaMiddleware {
  return async (context, next) => {
    const answered = answerClaimed(gate, context.req, { body: (context.request as { body?: unknown }).body })
    if (answered === null) await next()
    else reply(context, await answered)
  }
}

/**
 * Lets only verified callers on, with the content of their access token in `ctx.state.user`. Everybody else is answered
 * with a problem document and `WWW-Authenticate`. Throws ERR_ARGUMENT_INVALID for options that are no requirements.
 */
export function requireUser(gate: Gatebook, options: RequireUserOptions = {}): KoaMiddleware {
  return guard(gate, required(options))
}

/**
 * `ctx.state.user` for a verified caller, undefined for one who presents no token. A token that is presented and is bad is
 * refused all the same: its owner has to learn that he is not logged in any more.
 */
export function optionalUser(gate: Gatebook): KoaMiddleware {
  return guard(gate, OPTIONAL)
}

/** `requireUser` for callers with this role; 403 for others. */
export function requireRole(gate: Gatebook, role: string): KoaMiddleware {
  return guard(gate, required({ role }))
}

/** `requireUser` for callers who showed a credential at most so long ago; 401 with the challenge of RFC 9470 for others. */
export function requireFresh(gate: Gatebook, maxAgeSeconds: number): KoaMiddleware {
  return guard(gate, required({ maxAgeSeconds }))
}

/** For `gate.attempts.begin` and whatever else takes a context. */
export function requestContext(gate: Gatebook, context: Pick<KoaContext, 'req'>): RequestContext {
  return contextOf(gate, context.req)
}

function guard(gate: Gatebook, requirements: Requirements): KoaMiddleware {
  return async (context, next) => {
    const admitted = await admit(gate, context.req, requirements)
    if ('refusal' in admitted) return reply(context, admitted.refusal)
    if (admitted.user !== null) context.state.user = admitted.user
    await next()
  }
}

/** Through Koa, so that middleware in front sees the answer. */
function reply(context: KoaContext, response: HttpResponse): void {
  if (!context.req.complete) drainAfter(context.req, context.res)
  // First, because Koa derives status and headers from a body.
  context.body = bodyOf(response)
  // A body that is null makes it 204.
  context.status = response.status
  for (const [name, value] of Object.entries(response.headers)) context.set(name, value)
  for (const cookie of response.setCookies) context.res.appendHeader('Set-Cookie', cookie)
}

function bodyOf({ body }: HttpResponse): string | Buffer | Readable | null {
  if (body instanceof ReadableStream) return toReadable(body)
  // Koa would make JSON of bytes that are no Buffer.
  return body instanceof Uint8Array ? Buffer.from(body.buffer, body.byteOffset, body.length) : body
}
