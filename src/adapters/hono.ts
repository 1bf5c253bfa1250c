import type { AccessClaims, Gatebook, RequestContext } from '../api.ts'
import { admitRequest, contextOfRequest } from './fetch-gate.ts'
import { OPTIONAL, type Requirements, type RequireUserOptions, required } from './requirements.ts'

export type { RequireUserOptions } from './requirements.ts'

/** `new Hono<{ Variables: UserVariables }>()`, for routes behind `requireUser`. */
export interface UserVariables {
  user: AccessClaims
}

/** `new Hono<{ Variables: OptionalUserVariables }>()`, where some routes are behind `optionalUser`, or behind nothing. */
export interface OptionalUserVariables {
  user: AccessClaims | undefined
}

/** What is needed of the context of Hono 4. */
export interface HonoContext {
  readonly req: { readonly raw: Request; arrayBuffer(): Promise<ArrayBuffer> }
  readonly env: unknown
  // Whatever variables an application has.
  set(name: never, value: never): void
}

/** Fits `app.use` and the routes, whose types are not needed for it. */
export type HonoMiddleware = (context: HonoContext, next: () => Promise<void>) => Promise<Response | undefined>

export interface ConnectionOptions {
  /**
   * The address of the other end of the connection. Default: what `@hono/node-server` shows in `c.env`. Elsewhere, what
   * `getConnInfo` of the runtime returns; never a header, which is the business of `trustedProxies`.
   */
  readonly remoteAddress?: (context: HonoContext) => string | undefined
}

/** Answers the paths that are Gatebook's and hands every other one on. */
export function gatebook(gate: Gatebook, { remoteAddress = nodeAddress }: ConnectionOptions = {}): HonoMiddleware {
  return async (context, next) => {
    const { raw } = context.req
    if (gate.handles(new URL(raw.url).pathname)) {
      return gate.fetch(await unread(context), { remoteAddress: remoteAddress(context) })
    }
    await next()
    return undefined
  }
}

/**
 * Lets only verified callers on, with the content of their access token in `c.get('user')`. Everybody else is answered with
 * a problem document and `WWW-Authenticate`. Throws ERR_ARGUMENT_INVALID for options that are no requirements.
 */
export function requireUser(gate: Gatebook, options: RequireUserOptions & ConnectionOptions = {}): HonoMiddleware {
  return guard(gate, required(options, ['remoteAddress']), options.remoteAddress)
}

/**
 * `c.get('user')` for a verified caller, undefined for one who presents no token. A token that is presented and is bad is
 * refused all the same: its owner has to learn that he is not logged in any more.
 */
export function optionalUser(gate: Gatebook, { remoteAddress }: ConnectionOptions = {}): HonoMiddleware {
  return guard(gate, OPTIONAL, remoteAddress)
}

/** `requireUser` for callers with this role; 403 for others. */
export function requireRole(gate: Gatebook, role: string, { remoteAddress }: ConnectionOptions = {}): HonoMiddleware {
  return guard(gate, required({ role }), remoteAddress)
}

/** `requireUser` for callers who showed a credential at most so long ago; 401 with the challenge of RFC 9470 for others. */
export function requireFresh(
  gate: Gatebook,
  maxAgeSeconds: number,
  { remoteAddress }: ConnectionOptions = {},
): HonoMiddleware {
  return guard(gate, required({ maxAgeSeconds }), remoteAddress)
}

/** For `gate.attempts.begin` and whatever else takes a context. */
export function requestContext(
  gate: Gatebook,
  context: HonoContext,
  { remoteAddress = nodeAddress }: ConnectionOptions = {},
): RequestContext {
  return contextOfRequest(gate, context.req.raw, remoteAddress(context))
}

function guard(gate: Gatebook, requirements: Requirements, remoteAddress = nodeAddress): HonoMiddleware {
  return async (context, next) => {
    const admitted = await admitRequest(gate, context.req.raw, requirements, () => remoteAddress(context))
    if (admitted instanceof Response) return admitted
    if (admitted !== null) (context.set as (name: 'user', value: AccessClaims) => void)('user', admitted)
    await next()
    return undefined
  }
}

/** The bindings of `@hono/node-server`. */
function nodeAddress({ env }: HonoContext): string | undefined {
  const { incoming } = (env ?? {}) as { readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } } }
  return incoming?.socket?.remoteAddress
}

/** Where middleware in front has read the body already, Hono still has it. */
async function unread({ req }: HonoContext): Promise<Request> {
  const { raw } = req
  if (!raw.bodyUsed) return raw
  const headers = new Headers(raw.headers)
  for (const name of ['content-length', 'content-encoding', 'transfer-encoding']) headers.delete(name)
  return new Request(raw.url, { method: raw.method, headers, body: await req.arrayBuffer() })
}
