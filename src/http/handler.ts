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
import type { HttpRequest, HttpResponse } from './exchange.ts'
import { toOauthError } from './oauth-error.ts'
import { claimsPath, isOauthPath } from './paths.ts'
import type { Answer, Call, Route } from './route.ts'
import { createRouter, type FoundRoute } from './router.ts'
import { listRoutes } from './table.ts'
import { readQuery, validate } from './validate.ts'

export type HttpHandler = (request: HttpRequest, connection?: Connection) => Promise<HttpResponse>

type Target = Exclude<HttpRequest['url'], string>

const NO_QUERY = z.strictObject({})

/** The whole HTTP API; never rejects. Throws ERR_OPTION_INVALID for `trustedProxies` and `corsOrigins`. */
export function createHttpHandler(parts: {
  readonly gate: Gatebook
  /** That of the gate, without a second look at its arguments. */
  readonly authenticate: Gatebook['authenticate']
  readonly settings: Settings
  /** Whether a request that comes now comes too late. */
  readonly isClosed: () => boolean
}): HttpHandler {
  const { gate, authenticate, settings, isClosed } = parts
  const readContext = createContextReader(settings)
  const addCors = createCors(settings.corsOrigins)
  const answering = createAnswering(settings.issuer)
  const cookies = createCookies(settings)
  const router = createRouter(listRoutes(settings))

  async function dispatch(request: HttpRequest, url: Target, context: HttpContext): Promise<HttpResponse> {
    const path = url.pathname
    if (isClosed()) throw new GatebookError('ERR_CLOSED')
    if (!claimsPath(settings, path)) throw new GatebookError('ERR_NOT_FOUND')
    const found = router.find(request.method, path)
    if (found !== null) return answering.respond(await handle(found, request, url, context), context.requestId)
    const allowed = router.methodsOf(path)
    if (allowed.length === 0) throw new GatebookError('ERR_NOT_FOUND')
    if (request.method !== 'OPTIONS') throw new GatebookError('ERR_METHOD', { members: { allowed } })
    return answering.respond({ status: 204, headers: { Allow: allowed.join(', ') } }, context.requestId)
  }

  async function handle(
    { route, params }: FoundRoute,
    request: HttpRequest,
    url: Target,
    context: HttpContext,
  ): Promise<Answer> {
    const { headers } = request
    const authorization = headers.get('authorization')
    // A client may stand in the form.
    const form = route.style === 'oauth' ? await readFormBody(request, settings.bodyLimitBytes) : null
    // Whoever may not come in learns nothing about what the body should have been.
    const claims =
      route.auth === 'bearer' || route.auth === 'admin'
        ? await authenticate(request, route.auth === 'admin' ? { role: 'admin' } : {}, context)
        : null
    const client =
      route.auth === 'client' ? await gate.clients.authenticate(credentialsOf(authorization, form), context) : null
    const call: Call = {
      gate,
      context,
      claims,
      client,
      get signal() {
        return request.signal
      },
      authorization,
      cookies: cookiesOf(cookies, headers),
      params,
      query: readQueryOf(route, url),
      body: form === null ? await readBody(route, request) : validate(route.body!, form, 'ERR_BODY_INVALID'),
    }
    return route.handle(call)
  }

  async function readBody(route: Route, request: HttpRequest): Promise<unknown> {
    if (route.body === undefined) return undefined
    const body = await readJsonBody(request, settings.bodyLimitBytes)
    if (body === undefined && route.bodyOptional === true) return undefined
    if (body === undefined) throw new GatebookError('ERR_BODY_MALFORMED')
    return validate(route.body, body, 'ERR_BODY_INVALID')
  }

  return async (request, connection) => {
    const context = readContext(request.headers, connection)
    const url = typeof request.url === 'string' ? new URL(request.url, 'http://localhost') : request.url
    let response: HttpResponse
    try {
      response = await dispatch(request, url, context)
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
    addCors(request, response.headers, request.method === 'OPTIONS' ? router.methodsOf(url.pathname) : undefined)
    return request.method === 'HEAD' ? { ...response, body: null } : response
  }
}

function readQueryOf({ query }: Route, { search, searchParams }: Target): unknown {
  if (query === undefined && search === '') return {}
  return validate(query ?? NO_QUERY, readQuery(searchParams), 'ERR_QUERY_INVALID')
}
