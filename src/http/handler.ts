import { type Context, Hono } from 'hono'
import { z } from 'zod'
import type { Gatebook } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { Settings } from '../options.ts'
import { createAnswering } from './answer.ts'
import { readFormBody, readJsonBody } from './body.ts'
import type { Connection } from './client-address.ts'
import { credentialsOf } from './client-credentials.ts'
import { createContextReader, type HttpContext } from './context.ts'
import { cookiesOf, createCookies } from './cookie.ts'
import { createCors } from './cors.ts'
import { describeFailure, isTellable } from './error-map.ts'
import { toOauthError } from './oauth-error.ts'
import { claimsPath, isOauthPath } from './paths.ts'
import type { Answer, Call, Route, RouteMethod } from './route.ts'
import { listRoutes } from './table.ts'
import { readQuery, validate } from './validate.ts'

export type HttpHandler = (request: Request, connection?: Connection) => Promise<Response>

/** What travels with a request through the router. */
type Env = { Bindings: { readonly url: URL; readonly context: HttpContext } }

const NO_QUERY = z.strictObject({})

const METHODS: readonly RouteMethod[] = ['GET', 'POST', 'PATCH', 'DELETE']

/** The whole HTTP API; never rejects. Throws ERR_OPTION_INVALID for `trustedProxies` and `corsOrigins`. */
export function createHttpHandler(parts: {
  readonly gate: Gatebook
  readonly settings: Settings
  /** Whether a request that comes now comes too late. */
  readonly isClosed: () => boolean
}): HttpHandler {
  const { gate, settings, isClosed } = parts
  const readContext = createContextReader(settings)
  const addCors = createCors(settings.corsOrigins)
  const answering = createAnswering(settings.issuer)
  const cookies = createCookies(settings)

  // The path as it was sent: one spelling of a route, and parameters that are decoded once.
  const app = new Hono<Env>({ getPath: (_request, options) => (options as { env: Env['Bindings'] }).env.url.pathname })
  for (const route of listRoutes(settings)) {
    app.on(route.method, route.path.replaceAll(/\{(\w+)\}/g, ':$1'), async (c) =>
      answering.respond(await handle(route, c), c.env.context.requestId),
    )
  }
  app.notFound((c) => {
    const allowed = methodsOf(c.env.url.pathname)
    if (allowed.length === 0) throw new GatebookError('ERR_NOT_FOUND')
    throw new GatebookError('ERR_METHOD', { members: { allowed } })
  })
  app.onError((error) => {
    throw error
  })

  async function handle(route: Route, c: Context<Env>): Promise<Answer> {
    const { url, context } = c.env
    const { headers } = c.req.raw
    const authorization = headers.get('authorization')
    // A client may stand in the form.
    const form = route.style === 'oauth' ? await readFormBody(c.req.raw, settings.bodyLimitBytes) : null
    // Whoever may not come in learns nothing about what the body should have been.
    const claims =
      route.auth === 'bearer' || route.auth === 'admin'
        ? await gate.authenticate(c.req.raw, route.auth === 'admin' ? { role: 'admin' } : {}, context)
        : null
    const client =
      route.auth === 'client' ? await gate.clients.authenticate(credentialsOf(authorization, form), context) : null
    const call: Call = {
      gate,
      context,
      claims,
      client,
      authorization,
      cookies: cookiesOf(cookies, headers),
      params: c.req.param() as Record<string, string>,
      query: validate(route.query ?? NO_QUERY, readQuery(url.searchParams), 'ERR_QUERY_INVALID'),
      body: form === null ? await readBody(route, c.req.raw) : validate(route.body!, form, 'ERR_BODY_INVALID'),
    }
    return route.handle(call)
  }

  async function readBody(route: Route, request: Request): Promise<unknown> {
    if (route.body === undefined) return undefined
    const body = await readJsonBody(request, settings.bodyLimitBytes)
    if (body === undefined && route.bodyOptional === true) return undefined
    if (body === undefined) throw new GatebookError('ERR_BODY_MALFORMED')
    return validate(route.body, body, 'ERR_BODY_INVALID')
  }

  /** Those that the path knows, for Allow. */
  function methodsOf(path: string): string[] {
    const own = METHODS.filter((method) => app.router.match(method, path)[0].length > 0)
    return own.length === 0 ? [] : [...own, ...(own.includes('GET') ? ['HEAD'] : []), 'OPTIONS']
  }

  async function dispatch(request: Request, env: Env['Bindings']): Promise<Response> {
    const path = env.url.pathname
    if (isClosed()) throw new GatebookError('ERR_CLOSED')
    if (!claimsPath(settings, path)) throw new GatebookError('ERR_NOT_FOUND')
    const methods = request.method === 'OPTIONS' ? methodsOf(path) : []
    if (methods.length === 0) return app.fetch(request, env)
    const answer = { status: 204, headers: { Allow: methods.join(', ') } }
    return answering.respond(answer, env.context.requestId)
  }

  return async (request, connection) => {
    const context = readContext(request.headers, connection)
    const url = new URL(request.url)
    let response: Response
    try {
      response = await dispatch(request, { url, context })
    } catch (error) {
      // Being overloaded is no failure, and a line for each would be one more.
      if (!isTellable(error) || error.code === 'ERR_UNAVAILABLE' || error.code === 'ERR_DATABASE_FULL') {
        const failure = { request_id: context.requestId, ...describeFailure(error) }
        settings.diagnostics.error(failure, 'A request could not be answered.')
      }
      response = isOauthPath(settings, url.pathname)
        ? answering.respond(toOauthError(error), context.requestId)
        : answering.refuse(error, {
            requestId: context.requestId,
            authorized: request.headers.has('authorization'),
          })
    }
    addCors(request, response.headers, request.method === 'OPTIONS' ? methodsOf(url.pathname) : undefined)
    return request.method === 'HEAD' ? new Response(null, response) : response
  }
}
