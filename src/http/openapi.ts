import { z } from 'zod'
import { ERROR_CODES, type ErrorCode } from '../errors.ts'
import type { Route } from './route.ts'
import { documented, oauthErrorSchema, problemSchema } from './schema.ts'

/** Version of the contract, not of the package: it changes when a route does. */
const CONTRACT_VERSION = '1.0'

type Json = Record<string, unknown>

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
export function createDocument(routes: readonly Route[], issuer: string): Json {
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    const path = paths[route.path] ?? {}
    path[route.method.toLowerCase()] = describeRoute(route)
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
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        client: { type: 'http', scheme: 'basic', description: 'Id and secret of `gatebook client add`.' },
      },
    },
  }
}

function describeRoute(route: Route): Json {
  const parameters = [...pathParameters(route.path), ...queryParameters(route.query)]
  return {
    operationId: route.name,
    summary: route.summary,
    ...(route.auth === 'admin' ? { description: 'Needs the role `admin`.' } : {}),
    security: route.auth === 'none' ? [] : [route.auth === 'client' ? { client: [] } : { bearer: [] }],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: route.bodyOptional !== true,
            content: { [bodyTypeOf(route)]: { schema: schemaOf(route.body) } },
          },
        }),
    responses: { ...successes(route), ...refusals(route) },
  }
}

function bodyTypeOf({ style }: Route): string {
  return style === 'oauth' ? 'application/x-www-form-urlencoded' : 'application/json'
}

function answerTypeOf({ name }: Route): string {
  return name === 'metrics' ? 'text/plain' : 'application/json'
}

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

function successes(route: Route): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(route.responses).map(([status, schema]) => [
      status,
      schema === null
        ? { description: 'Done.' }
        : { description: 'Done.', content: { [answerTypeOf(route)]: { schema: schemaOf(schema) } } },
    ]),
  )
}

function refusals(route: Route): Record<string, Json> {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of errorsOf(route)) {
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
function errorsOf(route: Route): ReadonlySet<ErrorCode> {
  return new Set<ErrorCode>([
    ...(route.auth === 'bearer' || route.auth === 'admin' ? TOKEN_ERRORS : []),
    ...(route.auth === 'client' ? (['ERR_CLIENT_INVALID'] as const) : []),
    ...(route.auth === 'admin' ? (['ERR_FORBIDDEN'] as const) : []),
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
