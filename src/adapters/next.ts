import type { AccessClaims, Gatebook, RequestContext } from '../api.ts'
import { admitRequest, contextOfRequest } from './fetch-gate.ts'
import { OPTIONAL, type Requirements, type RequireUserOptions, required } from './requirements.ts'

export type { RequireUserOptions } from './requirements.ts'

/**
 * A gate, or where to get it. Next.js loads route files while it builds, when there may be no database: a function is called
 * with the first request.
 */
export type GateSource = Gatebook | (() => Gatebook | Promise<Gatebook>)

export interface ConnectionOptions {
  /**
   * The address of whoever has connected to Next.js, which shows no socket: behind a proxy, that of the proxy, so that
   * `trustedProxies` decides about the forwarding header that it writes. Without it events have no address, and what is
   * throttled by address is not.
   */
  readonly remoteAddress?: AddressOf
}

type AddressOf = (request: Request) => string | undefined

export type RouteHandler<Context = unknown> = (request: Request, context: Context) => Promise<Response>

/** A route handler that is told who is calling. */
export type UserHandler<Context, User = AccessClaims> = (
  request: Request,
  user: User,
  context: Context,
) => Response | Promise<Response>

export type RouteMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS'

/**
 * The exports of `app/auth/[...path]/route.ts` and `app/.well-known/jwks.json/route.ts` (and of what else is switched on):
 * the whole API, 404 for what is not Gatebook's.
 */
export function toRouteHandlers(
  source: GateSource,
  { remoteAddress = unknownAddress }: ConnectionOptions = {},
): Readonly<Record<RouteMethod, RouteHandler>> {
  const handle: RouteHandler = async (request) => {
    const gate = await open(source)
    return gate.fetch(request, { remoteAddress: remoteAddress(request) })
  }
  return { GET: handle, HEAD: handle, POST: handle, PUT: handle, PATCH: handle, DELETE: handle, OPTIONS: handle }
}

/**
 * A route handler that only verified callers reach, each with the content of its access token. Everybody else is answered
 * with a problem document and `WWW-Authenticate`. Throws ERR_ARGUMENT_INVALID for options that are no requirements.
 */
export function withUser<Context = unknown>(
  source: GateSource,
  handler: UserHandler<Context>,
  options: RequireUserOptions & ConnectionOptions = {},
): RouteHandler<Context> {
  return guard(source, handler, required(options, ['remoteAddress']), options.remoteAddress)
}

/**
 * A route handler that everybody reaches: null for a caller who presents no token. A token that is presented and is bad is
 * refused all the same: its owner has to learn that he is not logged in any more.
 */
export function withOptionalUser<Context = unknown>(
  source: GateSource,
  handler: UserHandler<Context, AccessClaims | null>,
  { remoteAddress }: ConnectionOptions = {},
): RouteHandler<Context> {
  return guard(source, handler, OPTIONAL, remoteAddress)
}

/** `withUser` for callers with this role; 403 for others. */
export function withRole<Context = unknown>(
  source: GateSource,
  role: string,
  handler: UserHandler<Context>,
  { remoteAddress }: ConnectionOptions = {},
): RouteHandler<Context> {
  return guard(source, handler, required({ role }), remoteAddress)
}

/** `withUser` for callers who showed a credential at most so long ago; 401 with the challenge of RFC 9470 for others. */
export function withFresh<Context = unknown>(
  source: GateSource,
  maxAgeSeconds: number,
  handler: UserHandler<Context>,
  { remoteAddress }: ConnectionOptions = {},
): RouteHandler<Context> {
  return guard(source, handler, required({ maxAgeSeconds }), remoteAddress)
}

/**
 * For `proxy.ts`, which runs in Node.js: undefined lets a request on, a response ends it. Paths of Gatebook pass. It tells the routes nothing: a route that has to know its caller uses `withUser`, and one that
 * must be safe does not rely on a `matcher`.
 */
export function middleware(
  source: GateSource,
  options: RequireUserOptions & ConnectionOptions = {},
): (request: Request) => Promise<Response | undefined> {
  const requirements = required(options, ['remoteAddress'])
  const { remoteAddress = unknownAddress } = options
  return async (request) => {
    const gate = await open(source)
    if (gate.handles(new URL(request.url).pathname)) return undefined
    const admitted = await admitRequest(gate, request, requirements, () => remoteAddress(request))
    return admitted instanceof Response ? admitted : undefined
  }
}

/** For `gate.attempts.begin` and whatever else takes a context. */
export function requestContext(
  gate: Gatebook,
  request: Request,
  { remoteAddress = unknownAddress }: ConnectionOptions = {},
): RequestContext {
  return contextOfRequest(gate, request, remoteAddress(request))
}

/** `required` and OPTIONAL decide whether there can be a null for the handler. */
function guard<User extends AccessClaims | null, Context>(
  source: GateSource,
  handler: UserHandler<Context, User>,
  requirements: Requirements,
  remoteAddress: AddressOf = unknownAddress,
): RouteHandler<Context> {
  return async (request, context) => {
    const admitted = await admitRequest(await open(source), request, requirements, () => remoteAddress(request))
    return admitted instanceof Response ? admitted : handler(request, admitted as User, context)
  }
}

async function open(source: GateSource): Promise<Gatebook> {
  return typeof source === 'function' ? source() : source
}

const unknownAddress: AddressOf = () => undefined
