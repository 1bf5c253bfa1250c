import type { z } from 'zod'
import type { AccessClaims, Client, Gatebook, RequestContext } from '../api.ts'
import type { ErrorCode } from '../errors.ts'
import type { RequestCookies } from './cookie.ts'

/**
 * What a caller must show: nothing, an access token, one of a log-in at Gatebook itself and not of an application that the user was
 * handed over to, such a one that carries the role `admin`, or the secret of a client.
 */
export type RouteAuth = 'none' | 'bearer' | 'own' | 'admin' | 'client'

export type RouteMethod = 'GET' | 'POST' | 'PATCH' | 'DELETE'

/** A request that has passed every check that its route declares. */
export interface Call<Body = unknown, Query = unknown, Claims = AccessClaims | null> {
  readonly gate: Gatebook
  /** Parts of the path in braces, percent-decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly body: Body
  readonly query: Query
  /** Of the verified access token; null where the route asks for none. */
  readonly claims: Claims
  /** Where the route asks for one; null elsewhere. */
  readonly client: Client | null
  /** Aborted when nobody waits for the answer any more; where the framework can tell. */
  readonly signal: AbortSignal | undefined
  /** As it was presented, for the routes that look at it themselves. */
  readonly authorization: string | null
  /** The header `Accept`, for the routes that have two forms to answer in. */
  readonly accept: string | null
  /** The header `Last-Event-ID`, for streams that go on where one has ended. */
  readonly lastEventId: string | null
  /** Throws what `tokens.verify` throws where the access token of this request would be refused by now. */
  recheck(): Promise<void>
  readonly cookies: RequestCookies
  readonly context: RequestContext
}

export interface Answer {
  readonly status: number
  /** Becomes JSON; no body when absent. */
  readonly body?: unknown
  /** Sent as it is, instead of a body in JSON. */
  readonly text?: string
  /** The same for what is no text. */
  readonly bytes?: Uint8Array
  /** The same for what goes on: an event stream (WHATWG HTML §9.2). */
  readonly stream?: ReadableStream<Uint8Array>
  readonly headers?: Readonly<Record<string, string>>
  /** Each becomes a header of its own (RFC 6265 §3). */
  readonly setCookies?: readonly string[]
}

/** One row of the table that routing, validation and the OpenAPI document are made from. */
export interface Route {
  /** Unique; the `operationId` of the document. */
  readonly name: string
  readonly method: RouteMethod
  /** With parameters in braces. */
  readonly path: string
  /** The last parameter takes all that is left of the path, slashes too, and as it was sent: not decoded. */
  readonly rest?: true
  readonly summary: string
  readonly auth: RouteAuth
  /** Strict: a member or parameter that is not in the schema is refused. */
  readonly body?: z.ZodType
  readonly bodyOptional?: boolean
  /** `oauth`: a form instead of JSON, what is not in the schema is ignored, and failures are told as RFC 6749 §5.2 does. */
  readonly style?: 'oauth'
  /** Absent: no parameter at all is accepted. */
  readonly query?: z.ZodType
  /** Per status the schema of the body, null for none. */
  readonly responses: Readonly<Record<number, z.ZodType | null>>
  /** The media types of what is answered, where that is not JSON alone; the first one unless `Accept` says otherwise. */
  readonly types?: readonly string[]
  /** Codes beside those that follow from `auth`, `body` and `query`. */
  readonly errors?: readonly ErrorCode[]
  /** Takes `cookies: true`, and answers with cookies then. */
  readonly setsCookies?: true
  /** What `handle` answers where that follows from the access token alone: then nobody has to wait for it. */
  fromToken?(claims: AccessClaims): Answer
  handle(call: Call): Promise<Answer>
}

type ClaimsOf<A extends RouteAuth> = A extends 'none' | 'client' ? null : AccessClaims

interface TypedRoute<A extends RouteAuth, B, Q, Optional extends boolean>
  extends Omit<Route, 'auth' | 'body' | 'bodyOptional' | 'query' | 'handle'> {
  readonly auth: A
  readonly body?: z.ZodType<B>
  readonly bodyOptional?: Optional
  readonly query?: z.ZodType<Q>
  handle(call: Call<Optional extends true ? B | undefined : B, Q, ClaimsOf<A>>): Promise<Answer>
}

/** Ties the types of a handler to what its route declares; the result is the plain row. */
export function defineRoute<A extends RouteAuth, B = undefined, Q = undefined, Optional extends boolean = false>(
  route: TypedRoute<A, B, Q, Optional>,
): Route {
  return route as unknown as Route
}
