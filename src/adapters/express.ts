import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AccessClaims, Gatebook, RequestContext } from '../api.ts'
import { admitOrAnswer, answerClaimed, contextOf } from './gate.ts'
import { OPTIONAL, type Requirements, type RequireUserOptions, required } from './requirements.ts'
import { sendResponse } from './respond.ts'

export type { RequireUserOptions } from './requirements.ts'

declare global {
  // The namespace in which Express lets middleware say what it adds. Written as Passport's types write it, so that an
  // application with both compiles.
  namespace Express {
    interface User extends AccessClaims {}
    interface Request {
      /** Set by `requireUser` and the like. */
      user?: User | undefined
    }
  }
}

/** Fits `app.use` of Express 4 and 5, whose types are not needed for it. */
export type ExpressMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

type WithUser = IncomingMessage & { user?: AccessClaims }

/**
 * Answers the paths that are Gatebook's and hands every other one on. Mount it at the root, before or after
 * `express.json()`.
 */
export function gatebook(gate: Gatebook): ExpressMiddleware {
  return (request, response, next) => {
    const answered = answerClaimed(gate, request)
    if (answered === null) next()
    else answered.then((answer) => sendResponse(request, response, answer)).catch(next)
  }
}

/**
 * Lets only verified callers on, with the content of their access token in `req.user`. Everybody else is answered with a
 * problem document and `WWW-Authenticate`. Throws ERR_ARGUMENT_INVALID for options that are no requirements.
 */
export function requireUser(gate: Gatebook, options: RequireUserOptions = {}): ExpressMiddleware {
  return guard(gate, required(options))
}

/**
 * `req.user` for a verified caller, undefined for one who presents no token. A token that is presented and is bad is
 * refused all the same: its owner has to learn that he is not logged in any more.
 */
export function optionalUser(gate: Gatebook): ExpressMiddleware {
  return guard(gate, OPTIONAL)
}

/** `requireUser` for callers with this role; 403 for others. */
export function requireRole(gate: Gatebook, role: string): ExpressMiddleware {
  return guard(gate, required({ role }))
}

/** `requireUser` for callers who showed a credential at most so long ago; 401 with the challenge of RFC 9470 for others. */
export function requireFresh(gate: Gatebook, maxAgeSeconds: number): ExpressMiddleware {
  return guard(gate, required({ maxAgeSeconds }))
}

/** For `gate.attempts.begin` and whatever else takes a context. */
export function requestContext(gate: Gatebook, request: IncomingMessage): RequestContext {
  return contextOf(gate, request)
}

function guard(gate: Gatebook, requirements: Requirements): ExpressMiddleware {
  return (request: WithUser, response, next) => {
    admitOrAnswer(gate, request, response, requirements).then((admitted) => {
      if (admitted === null) return
      if (admitted.user !== null) request.user = admitted.user
      next()
    }, next)
  }
}
