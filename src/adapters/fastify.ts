import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type {} from 'fastify'
import type { AccessClaims, Gatebook, HttpResponse, RequestContext } from '../api.ts'
import { admit, answerClaimed, contextOf } from './gate.ts'
import { OPTIONAL, type Requirements, type RequireUserOptions, required } from './requirements.ts'
import { drainAfter, toReadable } from './respond.ts'

export type { RequireUserOptions } from './requirements.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by `requireUser` and the like; null where none of them stands in front. */
    user: AccessClaims | null
  }
}

/** What is needed of a request of Fastify 5. */
export interface FastifyRequestLike {
  readonly raw: IncomingMessage
  user?: AccessClaims | null
}

/** What is needed of a reply of Fastify 5. */
export interface FastifyReplyLike {
  readonly raw: ServerResponse
  code(status: number): unknown
  header(name: string, value: string): unknown
  send(payload?: Uint8Array | Readable): unknown
}

/** Fits `onRequest`, `preHandler` and the other hooks in front of a handler. */
export type FastifyHook = (request: FastifyRequestLike, reply: FastifyReplyLike) => Promise<unknown>

/** What is needed of an instance of Fastify 5. */
export interface FastifyLike {
  hasRequestDecorator(name: string): boolean
  decorateRequest(name: 'user', value: null): unknown
  addHook(name: 'onRequest', hook: FastifyHook): unknown
}

export interface GatebookPluginOptions {
  readonly gate: Gatebook
}

/**
 * `await app.register(gatebook, { gate })`: answers the paths that are Gatebook's, in a hook before Fastify reads a body,
 * so that neither its parsers nor its limit have a part in it; and declares `request.user`. Register it on the instance
 * that listens, since it is not encapsulated.
 */
export function gatebook(app: FastifyLike, { gate }: GatebookPluginOptions, done: (error?: Error) => void): void {
  if (!app.hasRequestDecorator('user')) app.decorateRequest('user', null)
  app.addHook('onRequest', async (request, reply) => {
    const answered = answerClaimed(gate, request.raw)
    return answered === null ? undefined : send(request, reply, await answered)
  })
  done()
}

// What the package fastify-plugin does: hooks and decorators are those of the instance that registers it.
Object.assign(gatebook, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'gatebook',
})

/**
 * A hook that lets only verified callers on, with the content of their access token in `request.user`. As `onRequest` it
 * refuses before a body is read. Everybody else is answered with a problem document and `WWW-Authenticate`, past the error
 * handler, which sees only what is no refusal. Throws ERR_ARGUMENT_INVALID for options that are no requirements.
 */
export function requireUser(gate: Gatebook, options: RequireUserOptions = {}): FastifyHook {
  return guard(gate, required(options))
}

/**
 * `request.user` for a verified caller, null for one who presents no token. A token that is presented and is bad is refused
 * all the same: its owner has to learn that he is not logged in any more.
 */
export function optionalUser(gate: Gatebook): FastifyHook {
  return guard(gate, OPTIONAL)
}

/** `requireUser` for callers with this role; 403 for others. */
export function requireRole(gate: Gatebook, role: string): FastifyHook {
  return guard(gate, required({ role }))
}

/** `requireUser` for callers who showed a credential at most so long ago; 401 with the challenge of RFC 9470 for others. */
export function requireFresh(gate: Gatebook, maxAgeSeconds: number): FastifyHook {
  return guard(gate, required({ maxAgeSeconds }))
}

/** For `gate.attempts.begin` and whatever else takes a context. */
export function requestContext(gate: Gatebook, request: Pick<FastifyRequestLike, 'raw'>): RequestContext {
  return contextOf(gate, request.raw)
}

function guard(gate: Gatebook, requirements: Requirements): FastifyHook {
  return async (request, reply) => {
    const admitted = await admit(gate, request.raw, requirements)
    if ('refusal' in admitted) return send(request, reply, admitted.refusal)
    request.user = admitted.user
    return undefined
  }
}

/** Through Fastify, so that its `onSend` hooks see the answer. A hook that returns the reply ends the request. */
function send(request: FastifyRequestLike, reply: FastifyReplyLike, response: HttpResponse): FastifyReplyLike {
  if (!request.raw.complete) drainAfter(request.raw, reply.raw)
  reply.code(response.status)
  for (const [name, value] of Object.entries(response.headers)) reply.header(name, value)
  // Fastify adds each of them to those that are there.
  for (const cookie of response.setCookies) reply.header('set-cookie', cookie)
  // As bytes: Fastify would put a charset behind the type of a text, for which JSON has none (RFC 8259 §11).
  const { body } = response
  if (body instanceof ReadableStream) reply.send(toReadable(body))
  else reply.send(body === null ? undefined : Buffer.from(body))
  return reply
}
