import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AccessClaims, Gatebook, RequestContext } from '../api.ts'
import { admitOrAnswer, answerAll, answerClaimed, contextOf } from './gate.ts'
import { toProblemDocument } from './refusal.ts'
import { OPTIONAL, type Requirements, type RequireUserOptions, required } from './requirements.ts'
import { sendResponse } from './respond.ts'

export type { RequireUserOptions } from './requirements.ts'

export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => void

/** A listener that is told who is calling. */
export type UserHandler<User = AccessClaims> = (request: IncomingMessage, response: ServerResponse, user: User) => void

/**
 * A listener for `http.createServer` that answers the paths that are Gatebook's and hands every other one to `otherwise`;
 * 404 without one.
 */
export function toNodeHandler(gate: Gatebook, otherwise?: NodeHandler): NodeHandler {
  return (request, response) => {
    const answered = otherwise === undefined ? answerAll(gate, request) : answerClaimed(gate, request)
    if (answered === null) otherwise?.(request, response)
    else answered.then((answer) => sendResponse(request, response, answer)).catch(() => response.destroy())
  }
}

/**
 * A listener that only verified callers reach, each with the content of its access token. Everybody else is answered
 * with a problem document and `WWW-Authenticate`. Throws ERR_ARGUMENT_INVALID for options that are no requirements.
 */
export function requireUser(gate: Gatebook, handler: UserHandler, options: RequireUserOptions = {}): NodeHandler {
  return guard(gate, handler, required(options))
}

/**
 * A listener that everybody reaches: null for a caller who presents no token. A token that is presented and is bad is
 * refused all the same: its owner has to learn that he is not logged in any more.
 */
export function optionalUser(gate: Gatebook, handler: UserHandler<AccessClaims | null>): NodeHandler {
  return guard(gate, handler, OPTIONAL)
}

/** `requireUser` for callers with this role; 403 for others. */
export function requireRole(gate: Gatebook, role: string, handler: UserHandler): NodeHandler {
  return guard(gate, handler, required({ role }))
}

/** `requireUser` for callers who showed a credential at most so long ago; 401 with the challenge of RFC 9470 for others. */
export function requireFresh(gate: Gatebook, maxAgeSeconds: number, handler: UserHandler): NodeHandler {
  return guard(gate, handler, required({ maxAgeSeconds }))
}

/** For `gate.attempts.begin` and whatever else takes a context. */
export function requestContext(gate: Gatebook, request: IncomingMessage): RequestContext {
  return contextOf(gate, request)
}

/** `required` and OPTIONAL decide whether there can be a null for the handler. */
function guard<User extends AccessClaims | null>(
  gate: Gatebook,
  handler: UserHandler<User>,
  requirements: Requirements,
): NodeHandler {
  return async (request, response) => {
    const admitted = await admitOrAnswer(gate, request, response, requirements).catch((error: unknown) => {
      const refused = { context: () => contextOf(gate, request), authorized: 'authorization' in request.headers }
      const problem = toProblemDocument(gate, error, refused)
      sendResponse(request, response, problem)
      return null
    })
    // Outside of the catch: what the handler throws is the application's, as in any other listener.
    if (admitted !== null) handler(request, response, admitted.user as User)
  }
}
