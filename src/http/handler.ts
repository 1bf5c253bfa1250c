import { z } from 'zod'
import type { Gatebook } from '../api.ts'
import { type ErrorCode, GatebookError } from '../errors.ts'
import type { Settings } from '../options.ts'
import { createAnswering } from './answer.ts'
import type { Authenticator } from './authenticate.ts'
import { readFormBody, readJsonBody } from './body.ts'
import type { Connection } from './client-address.ts'
import { credentialsOf } from './client-credentials.ts'
import { createContextReader, type HttpContext } from './context.ts'
import { cookiesOf, createCookies } from './cookie.ts'
import { createCors } from './cors.ts'
import { createDashboard } from './dashboard.ts'
import { describeFailure, isTellable } from './error-map.ts'
import type { HttpRequest, HttpResponse } from './exchange.ts'
import { toOauthError } from './oauth-error.ts'
import { claimsPath, isOauthPath } from './paths.ts'
import type { Answer, Call, Route } from './route.ts'
import { createRouter, type FoundRoute } from './router.ts'
import { listRoutes } from './table.ts'
import { readQuery, validate } from './validate.ts'

/** Never rejects. */
export type HttpHandler = (request: HttpRequest, connection?: Connection) => Promise<HttpResponse>

type Target = Exclude<HttpRequest['url'], string>

/** What a client is told, and an operator has to look at. */
const REPORTED: ReadonlySet<ErrorCode> = new Set(['ERR_UNAVAILABLE', 'ERR_DATABASE_FULL', 'ERR_LOG_TAMPERED'])

const NO_QUERY = z.strictObject({})

/** The whole HTTP API. Throws ERR_OPTION_INVALID for `trustedProxies` and `corsOrigins`. */
export function createHttpHandler(parts: {
  readonly gate: Gatebook
  /** That of the gate, without a second look at its arguments. */
  readonly authenticator: Authenticator
  readonly settings: Settings
  /** Whether a request that comes now comes too late. */
  readonly isClosed: () => boolean
  /** Does the work of a request, which the end waits for. */
  readonly track: <T>(work: () => Promise<T>) => Promise<T>
}): HttpHandler {
  const { gate, authenticator, settings, isClosed, track } = parts
  const { authenticate } = authenticator
  const readContext = createContextReader(settings)
  const addCors = createCors(settings.corsOrigins)
  const answering = createAnswering(settings.issuer)
  const cookies = createCookies(settings)
  const routes = listRoutes(settings)
  const router = createRouter(routes)
  const dashboard = createDashboard(settings)
  const fromToken = new Map(routes.flatMap((route) => (route.fromToken ? [[route.path, route.fromToken]] : [])))

  /**
   * The answer to what can be answered at once; null for every other request. Each promise between a request and its answer
   * costs as much as looking a token up (`bench/me.ts`).
   */
  function answerAtOnce(request: HttpRequest, url: Target, context: HttpContext): HttpResponse | null {
    const tell = request.method === 'GET' && url.search === '' ? fromToken.get(url.pathname) : undefined
    const claims = tell === undefined || isClosed() ? null : authenticator.authenticateKnown(request.headers, context)
    return claims === null ? null : answering.respond(tell!(claims), context.requestId)
  }

  async function dispatch(request: HttpRequest, url: Target, context: HttpContext): Promise<HttpResponse> {
    const path = url.pathname
    if (isClosed()) throw new GatebookError('ERR_CLOSED')
    if (!claimsPath(settings, path)) throw new GatebookError('ERR_NOT_FOUND')
    const page = dashboard?.find(request.method, path, request.headers) ?? null
    if (page !== null) return answering.respond(await page, context.requestId)
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
      route.auth === 'bearer'
        ? await authenticate(request, {}, context)
        : route.auth === 'own' || route.auth === 'admin'
          ? await authenticator.authenticateOwn(request, route.auth === 'admin' ? { role: 'admin' } : {}, context)
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
      get accept() {
        return headers.get('accept')
      },
      get lastEventId() {
        return headers.get('last-event-id')
      },
      async recheck() {
        await gate.tokens.verify(authenticator.findToken(request) ?? '')
      },
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

  function refuse(error: unknown, request: HttpRequest, url: Target, { requestId }: HttpContext): HttpResponse {
    // Being overloaded is no failure, and a line for each would be one more.
    if (!isTellable(error) || REPORTED.has(error.code)) {
      settings.diagnostics.error(
        { request_id: requestId, ...describeFailure(error) },
        'A request could not be answered.',
      )
    }
    if (isOauthPath(settings, url.pathname)) return answering.respond(toOauthError(error), requestId)
    return answering.refuse(error, { requestId, authorized: request.headers.has('authorization') })
  }

  function finish(response: HttpResponse, request: HttpRequest, url: Target): HttpResponse {
    addCors(request, response.headers, request.method === 'OPTIONS' ? router.methodsOf(url.pathname) : undefined)
    if (request.method !== 'HEAD') return response
    if (response.body instanceof ReadableStream) void response.body.cancel()
    return { ...response, body: null }
  }

  return (request, connection) => {
    const context = readContext(request.headers, connection)
    const url = typeof request.url === 'string' ? new URL(request.url, 'http://localhost') : request.url
    try {
      const answer = answerAtOnce(request, url, context)
      if (answer !== null) return Promise.resolve(finish(answer, request, url))
    } catch (error) {
      return Promise.resolve(finish(refuse(error, request, url, context), request, url))
    }
    return track(async () => {
      const answer = await dispatch(request, url, context).catch((error: unknown) =>
        refuse(error, request, url, context),
      )
      return finish(answer, request, url)
    })
  }
}

function readQueryOf({ query }: Route, { search, searchParams }: Target): unknown {
  if (query === undefined && search === '') return {}
  return validate(query ?? NO_QUERY, readQuery(searchParams), 'ERR_QUERY_INVALID')
}
