import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gatebook } from '../../src/api.ts'
import { ERROR_CODES } from '../../src/errors.ts'
import { documented } from '../../src/http/schema.ts'
import { listRoutes } from '../../src/http/table.ts'
import { systemClock } from '../../src/util/clock.ts'
import { call, openGate, registerAdmin } from './caller.ts'

/** With everything that can be switched on. */
const SENDING = { registration: 'confirm', cookies: 'lax', sendReset() {}, sendConfirmation() {} } as const
const ROUTES = listRoutes({
  issuer: 'https://app.example',
  adminPath: '/admin',
  operationsPath: '',
  oauthPath: '/oauth',
  logPath: '/log',
  logPublic: false,
  clock: systemClock,
  audience: 'https://app.example',
  clientId: 'gatebook',
  authorizationUrl: null,
  ...SENDING,
})
const lines = ROUTES.map((route) => [`${route.method} ${route.path}`, route] as const)

let gate: Gatebook
let token: string
// biome-ignore lint/suspicious/noExplicitAny: a document to be looked into
let document: any

beforeAll(async () => {
  gate = await openGate(SENDING)
  token = (await registerAdmin(gate)).access
  document = (await call(gate, 'GET /openapi.json')).json
})
afterAll(() => gate.close())

/** Every value in the document, with where it stands. */
function* walk(value: unknown, path = ''): Generator<[string, unknown]> {
  yield [path, value]
  if (typeof value !== 'object' || value === null) return
  for (const [name, member] of Object.entries(value)) yield* walk(member, `${path}/${name}`)
}

describe('the document', () => {
  test('is OpenAPI 3.1 and says where it belongs', () => {
    expect(document).toMatchObject({
      openapi: '3.1.0',
      info: { title: 'Gatebook' },
      servers: [{ url: 'https://app.example' }],
    })
  })

  test('has every route of the table and no other', () => {
    const found = Object.entries(document.paths as object).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(found.sort()).toEqual(lines.map(([line]) => line).sort())
  })

  test('refers to nothing that it lacks, and keeps nothing that nobody refers to', () => {
    const found = [...walk(document)].filter(([path]) => path.endsWith('/$ref')).map(([, ref]) => ref as string)
    const names = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`)
    expect([...new Set(found)].sort()).toEqual(names.sort())
  })

  test('has no leftovers of the generator', () => {
    for (const [path] of walk(document)) expect(path).not.toMatch(/\/(\$schema|\$defs|\$id|id\/id)$/)
  })

  test.each(lines)('%s', (_, route) => {
    const operation = document.paths[route.path][route.method.toLowerCase()]
    expect(operation.operationId).toBe(route.name)
    expect(operation.summary).toMatch(/\.$/)
    const holders = [{ bearer: [] }, { cookie: [] }]
    const schemes = { none: [], bearer: holders, own: holders, admin: holders, client: [{ client: [] }] }
    expect(operation.security).toEqual(schemes[route.auth])
    const named = (operation.parameters ?? []).map(
      (parameter: { in: string; name: string }) => `${parameter.in} ${parameter.name}`,
    )
    for (const [, name] of route.path.matchAll(/\{(\w+)\}/g)) expect(named).toContain(`path ${name}`)
    expect(new Set(named).size).toBe(named.length)
    for (const response of Object.values(operation.responses)) expect(response).toHaveProperty('description')
    if (route.body === undefined) expect(operation).not.toHaveProperty('requestBody')
    else if (route.style !== 'oauth') {
      expect(operation.requestBody.content['application/json'].schema.additionalProperties).toBe(false)
    }
    for (const status of Object.keys(operation.responses)) {
      expect(status === 'default' || route.responses[Number(status)] !== undefined || Number(status) >= 400).toBe(true)
    }
  })

  test('says which cookie is meant, and which answers set some', () => {
    expect(document.components.securitySchemes.cookie).toMatchObject({
      type: 'apiKey',
      in: 'cookie',
      name: '__Host-gatebook-access',
    })
    const setting = ROUTES.filter(({ path, method }) =>
      Object.values<{ headers?: object }>(document.paths[path][method.toLowerCase()].responses).some(
        ({ headers }) => headers !== undefined && 'Set-Cookie' in headers,
      ),
    )
    expect(setting.map(({ name }) => name)).toEqual(['register', 'confirmRegistration', 'login', 'refresh', 'logout'])
    const refusals = (path: string, method: string) => document.paths[path][method].responses['403']?.description ?? ''
    expect(refusals('/auth/password', 'post')).toContain('ERR_CSRF')
    expect(refusals('/auth/me', 'get')).not.toContain('ERR_CSRF')
  })

  test('says nothing of cookies where they are off', async () => {
    const plain = await openGate()
    try {
      const described = JSON.stringify((await call(plain, 'GET /openapi.json')).json.components.securitySchemes)
      expect(described).not.toContain('cookie')
    } finally {
      await plain.close()
    }
  })

  test('says what a parameter may be', () => {
    const parameters = document.paths['/auth/activity'].get.parameters
    expect(parameters[0]).toEqual({
      name: 'limit',
      in: 'query',
      required: false,
      description: 'Items on a page; 50 unless given.',
      schema: { type: 'integer', minimum: 1, maximum: 500 },
    })
  })

  test('gives every operation a name of its own, and every schema', () => {
    expect(new Set(ROUTES.map((route) => route.name)).size).toBe(ROUTES.length)
    for (const route of ROUTES) {
      for (const code of route.errors ?? []) expect(ERROR_CODES).toHaveProperty(code)
      if (route.query !== undefined) expect(documented.get(route.query)).toBeUndefined()
    }
  })
})

test.each(lines.filter(([line]) => line !== 'POST /auth/logout'))('%s is there', async (line, route) => {
  const form = route.style === 'oauth'
  const sent = { token, ...(route.body === undefined ? {} : { body: form ? 'token=x' : {} }) }
  const headers: Record<string, string> = form ? { 'Content-Type': 'application/x-www-form-urlencoded' } : {}
  // A stream has no end to wait for.
  const asked = route.types?.includes('text/event-stream') ? line.replace('GET', 'HEAD') : line
  const reply = await call(gate, asked.replaceAll(/\{\w+\}/g, 'x'), { ...sent, headers })
  expect(reply.status).not.toBe(405)
  expect(reply.json?.code).not.toBe('ERR_NOT_FOUND')
  expect(reply.status).toBeLessThan(500)
  const schema = route.responses[reply.status]
  if (schema !== undefined && schema !== null)
    expect(schema.parse(reply.json ?? reply.text)).toEqual(reply.json ?? reply.text)
})

test.each(lines.filter(([, route]) => ['bearer', 'own', 'admin'].includes(route.auth)))(
  '%s asks for a token before anything else',
  async (line) => {
    const reply = await call(gate, `${line.replaceAll(/\{\w+\}/g, 'x')}?no=1`, {
      body: line.startsWith('GET') ? undefined : 'no JSON',
    })
    expect([reply.status, reply.json.code]).toEqual([401, 'ERR_TOKEN_MISSING'])
  },
)
