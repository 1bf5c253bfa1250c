import { z } from 'zod'
import { ERROR_CODES, type ErrorCode } from '../errors.ts'
import { cookieName } from './cookie.ts'
import type { RouteSettings } from './paths.ts'
import type { Route } from './route.ts'
import { documented, oauthErrorSchema, problemSchema } from './schema.ts'

/** Version of the contract, not of the package: it changes when a route does. */
const CONTRACT_VERSION = '1.0'

type Json = Record<string, unknown>

type DocumentSettings = Pick<RouteSettings, 'issuer' | 'cookies'>

const TOKEN_ERRORS: readonly ErrorCode[] = [
  'ERR_TOKEN_MISSING',
  'ERR_TOKEN_INVALID',
  'ERR_TOKEN_EXPIRED',
  'ERR_TOKEN_REVOKED',
  'ERR_TOKEN_STALE',
]
const BODY_ERRORS: readonly ErrorCode[] = [
  'ERR_BODY_MALFORMED',
  'ERR_BODY_INVALID',
  'ERR_BODY_TOO_LARGE',
  'ERR_MEDIA_TYPE',
]

/** OpenAPI 3.1 of these routes, out of the schemas that validate. */
export function createDocument(routes: readonly Route[], settings: DocumentSettings): Json {
  const { issuer } = settings
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    const path = paths[route.path] ?? {}
    path[route.method.toLowerCase()] = describeRoute(route, settings)
    paths[route.path] = path
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Gatebook',
      version: CONTRACT_VERSION,
      description: 'Sign-in for web applications, with a log that can be trusted.',
    },
    servers: [{ url: issuer }],
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: securitySchemes(settings),
    },
  }
}

function securitySchemes({ issuer, cookies }: DocumentSettings): Json {
  const bearer = { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }
  const client = { type: 'http', scheme: 'basic', description: 'Id and secret of `gatebook client add`.' }
  if (cookies === 'off') return { bearer, client }
  const description =
    'Set by a log-in with `cookies: true`. Looked at where there is no `Authorization`, and, but for GET, only in requests of pages of this origin.'
  return { bearer, client, cookie: { type: 'apiKey', in: 'cookie', name: cookieName(issuer, 'access'), description } }
}

function describeRoute(route: Route, settings: DocumentSettings): Json {
  const withCookies = settings.cookies !== 'off'
  const parameters = [...pathParameters(route.path), ...queryParameters(route.query)]
  return {
    operationId: route.name,
    summary: route.summary,
    ...(route.auth === 'admin' ? { description: 'Needs the role `admin`.' } : {}),
    security: securityOf(route, withCookies),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: route.bodyOptional !== true,
            content: { [bodyTypeOf(route)]: { schema: schemaOf(route.body) } },
          },
        }),
    responses: { ...successes(route, withCookies), ...refusals(route, withCookies) },
  }
}

function securityOf({ auth }: Route, withCookies: boolean): Json[] {
  if (auth === 'none') return []
  if (auth === 'client') return [{ client: [] }]
  return [{ bearer: [] }, ...(withCookies ? [{ cookie: [] }] : [])]
}

function bodyTypeOf({ style }: Route): string {
  return style === 'oauth' ? 'application/x-www-form-urlencoded' : 'application/json'
}

/** JSON has the schema of the route; of any other type the document says no more than that it is a text, or bytes. */
function contentOf({ types = ['application/json'] }: Route, schema: z.ZodType): Json {
  return Object.fromEntries(
    types.map((type) => [type, type === 'application/json' ? { schema: schemaOf(schema) } : PLAIN]),
  )
}

const PLAIN: Json = { schema: { type: 'string' } }

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
}

function queryParameters(query: z.ZodType | undefined): Json[] {
  if (query === undefined) return []
  const { properties = {}, required = [] } = schemaOf(query) as {
    properties?: Record<string, Json>
    required?: string[]
  }
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema,
  }))
}

const SET_COOKIE: Json = {
  'Set-Cookie': {
    description: 'Only where the body asks for `cookies`; one header for each cookie.',
    schema: { type: 'string' },
  },
}

function successes(route: Route, withCookies: boolean): Record<string, Json> {
  const headers = withCookies && route.setsCookies === true ? { headers: SET_COOKIE } : {}
  return Object.fromEntries(
    Object.entries(route.responses).map(([status, schema]) => [
      status,
      schema === null
        ? { description: 'Done.', ...headers }
        : { description: 'Done.', ...headers, content: contentOf(route, schema) },
    ]),
  )
}

function refusals(route: Route, withCookies: boolean): Record<string, Json> {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of errorsOf(route, withCookies)) {
    const status = ERROR_CODES[code].status
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  const problem =
    route.style === 'oauth'
      ? { 'application/json': { schema: schemaOf(oauthErrorSchema) } }
      : { 'application/problem+json': { schema: schemaOf(problemSchema) } }
  const rows = [...byStatus].map(([status, codes]) => [status, { description: codes.join(', '), content: problem }])
  return { ...Object.fromEntries(rows), default: { description: 'Any other failure.', content: problem } }
}

/** Every code that the route answers with on purpose. */
function errorsOf(route: Route, withCookies: boolean): ReadonlySet<ErrorCode> {
  return new Set<ErrorCode>([
    ...(['bearer', 'own', 'admin'].includes(route.auth) ? TOKEN_ERRORS : []),
    ...(route.auth === 'client' ? (['ERR_CLIENT_INVALID'] as const) : []),
    ...(route.auth === 'admin' || route.auth === 'own' ? (['ERR_FORBIDDEN'] as const) : []),
    ...(withCookies && route.auth !== 'none' && route.method !== 'GET' ? (['ERR_CSRF'] as const) : []),
    ...(route.body === undefined ? [] : BODY_ERRORS),
    'ERR_QUERY_INVALID',
    ...(route.errors ?? []),
  ])
}

const component = (id: string) => `#/components/schemas/${id}`

/** Members of a request in the form in which they are sent; answers may gain members, so they stay open. */
function schemaOf(schema: z.ZodType): Json {
  const id = documented.get(schema)?.id
  if (typeof id === 'string') return { $ref: component(id) }
  const { $schema: _, $defs: __, ...json } = z.toJSONSchema(schema, { io: 'input', metadata: documented }) as Json
  return JSON.parse(JSON.stringify(json).replaceAll('"#/$defs/', '"#/components/schemas/')) as Json
}

function componentSchemas(): Record<string, Json> {
  const { schemas } = z.toJSONSchema(documented as z.core.$ZodRegistry<{ id?: string }>, {
    io: 'input',
    metadata: documented,
    uri: component,
  })
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _, $id: __, id: ___, ...json }]) => [id, json as Json]),
  )
}
