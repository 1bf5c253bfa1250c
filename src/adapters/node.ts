import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AccessClaims, Gatebook, RequestContext } from '../api.ts'
import { admit, answerAll, contextOf, type RequireUserOptions, refuse } from './gate.ts'

export type { RequireUserOptions } from './gate.ts'

export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => void

/** A listener for `http.createServer` that is the whole API; 404 for every path that is not Gatebook's. */
export function toNodeHandler(gate: Gatebook): NodeHandler {
  return (request, response) => {
    answerAll(gate, request, response).catch(() => response.destroy())
  }
}

/**
 * A listener that only verified callers reach, each with the content of its access token. Everybody else is answered
 * with a problem document and `WWW-Authenticate`.
 */
export function requireUser(
  gate: Gatebook,
  handler: (request: IncomingMessage, response: ServerResponse, user: AccessClaims) => void,
  options: RequireUserOptions = {},
): NodeHandler {
  return async (request, response) => {
    const user = await admit(gate, request, response, options).catch(async (error: unknown) => {
      await refuse(gate, request, response, error).catch(() => response.destroy())
      return null
    })
    // Outside of the catch: what the handler throws is the application's, as in any other listener.
    if (user !== null) handler(request, response, user)
  }
}

/** For `gate.attempts.begin` and whatever else takes a context. */
export function requestContext(gate: Gatebook, request: IncomingMessage): RequestContext {
  return contextOf(gate, request)
}
