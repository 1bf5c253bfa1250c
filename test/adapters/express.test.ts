import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  gatebook,
  optionalUser,
  requestContext,
  requireFresh,
  requireRole,
  requireUser,
} from '../../src/adapters/express.ts'
import type { AccessClaims } from '../../src/api.ts'
import { availableEngines } from '../support/engines.ts'
import { openGate, type Person, scenario, type TestGate } from '../support/gate.ts'
import { type Application, adapterContract, type StartApplication, unlucky } from './adapters.contract.ts'
import { applicationOn, callerOf, JSON_LIMIT, ordersOf, tellFailure } from './applications.ts'

/** Under a name for which there are no types; those of 5 say what is used here. */
const expressFour = createRequire(import.meta.url)('express-4') as typeof express
const VERSIONS = { 'Express 5': express, 'Express 4': expressFour }

/** With these in front. */
async function listenOn(
  create: typeof express,
  middleware: readonly RequestHandler[],
  routes: (app: Express) => void,
): Promise<Application> {
  const app = create()
  app.use((_request, response, next) => {
    response.cookie('theme', 'dark')
    next()
  })
  for (const each of middleware) app.use(each)
  routes(app)
  const onError: ErrorRequestHandler = (error, _request, response, _next) => {
    response.status((error as { status?: number }).status ?? 500).send(tellFailure(error))
  }
  app.use(onError)
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return applicationOn(server)
}

function starting(create: typeof express): StartApplication {
  return (gate, { bodyParser }) => {
    const parse = create.json({ limit: JSON_LIMIT })
    const tell = (request: Request, response: Response): void => {
      const user: AccessClaims | undefined = request.user
      response.json(callerOf(user))
    }
    const mounted = { none: [gatebook(gate)], before: [parse, gatebook(gate)], after: [gatebook(gate), parse] }
    return listenOn(create, mounted[bodyParser], (app) => {
      app.get('/plain', (_request, response) => void response.send('the application'))
      app.post('/echo', (request, response) => void response.json(request.body))
      app.get('/orders', requireUser(gate), (request, response) => {
        response.json(ordersOf(request.user, requestContext(gate, request)))
      })
      const own = bodyParser === 'none' ? [parse] : []
      app.post('/orders', requireUser(gate), ...own, (request, response) => {
        response.json({ user: request.user?.userId, body: request.body })
      })
      app.get('/greeting', optionalUser(gate), tell)
      app.get('/reports', requireRole(gate, 'admin'), tell)
      app.get('/transfers', requireFresh(gate, 60), tell)
      app.get('/audits', requireUser(gate, { role: 'admin', maxAgeSeconds: 60 }), tell)
      app.get('/failing', requireUser(gate), () => {
        throw new RangeError('broken')
      })
      app.get('/unlucky', requireUser(unlucky(gate)), tell)
    })
  }
}

for (const [name, create] of Object.entries(VERSIONS)) adapterContract(name, starting(create))

describe.each(Object.entries(VERSIONS))('behind other parsers of %s', (_name, create) => {
  let on: TestGate
  let anna: Person
  let credentials: string
  const started: Application[] = []

  beforeAll(async () => {
    on = await openGate(availableEngines[0]!)
    anna = on.person()
    await on.gate.register(anna, anna.context)
    credentials = JSON.stringify({ identifier: anna.identifier, password: anna.password })
  })
  afterAll(async () => {
    for (const each of started) await each.close()
    await on.close()
  })

  async function login(
    parser: RequestHandler,
    body: string | ArrayBuffer,
    headers: Record<string, string> = {},
  ): Promise<number> {
    const application = await listenOn(create, [parser, gatebook(on.gate)], () => {})
    started.push(application)
    const response = await fetch(`${application.url}/auth/login`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body,
    })
    return response.status
  }
  const loggedIn = {
    event: 'login.succeeded success',
    actor: 'self',
    identifier: 'clear',
    from: '127.0.0.1 socket',
    subject: expect.any(String),
    session: expect.any(String),
    data: { known_device: false, rehashed: false },
  } as const

  test('a text is taken as it is', async () => {
    const { expectEvents } = await scenario(on)
    expect(await login(create.text({ type: '*/*' }), credentials)).toBe(200)
    await expectEvents([loggedIn])
  })

  test('and so are bytes', async () => {
    const { expectEvents } = await scenario(on)
    expect(await login(create.raw({ type: '*/*' }), credentials)).toBe(200)
    await expectEvents([loggedIn])
  })

  test('what was unpacked counts as what it became', async () => {
    const { expectEvents } = await scenario(on)
    const packed = new Response(new Blob([credentials]).stream().pipeThrough(new CompressionStream('gzip')))
    const body = await packed.arrayBuffer()
    expect(await login(create.json(), body, { 'Content-Encoding': 'gzip' })).toBe(200)
    await expectEvents([loggedIn])
  })

  test('no body at all is an empty object to express.json(), and so to Gatebook', async () => {
    await scenario(on)
    expect(await login(create.json(), '')).toBe(422)
    expect(await login((_request, _response, next) => next(), '')).toBe(400)
  })
})
