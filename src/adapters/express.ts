import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AccessClaims, Gatebook, RequestContext } from '../api.ts'
import { admit, answerClaimed, contextOf, type RequireUserOptions } from './gate.ts'

export type { RequireUserOptions } from './gate.ts'

declare global {
  // The namespace in which Express lets middleware say what it adds. Written as Passport's types write it, so that an
  // application with both compiles.
  namespace Express {
    interface User extends AccessClaims {}
    interface Request {
      /** Set by `requireUser`. */
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
    const answered = answerClaimed(gate, request, response)
    if (answered === false) next()
    else answered.catch(next)
  }
}

/**
 * Lets only verified callers on, with the content of their access token in `req.user`. Everybody else is answered with a
 * problem document and `WWW-Authenticate`.
 */
export function requireUser(gate: Gatebook, options: RequireUserOptions = {}): ExpressMiddleware {
  return (request: WithUser, response, next) => {
    admit(gate, request, response, options).then((user) => {
      if (user === null) return
      request.user = user
      next()
    }, next)
  }
}

/** For `gate.attempts.begin` and whatever else takes a context. */
export function requestContext(gate: Gatebook, request: IncomingMessage): RequestContext {
  return contextOf(gate, request)
}
