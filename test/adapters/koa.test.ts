import { createServer } from 'node:http'
import { bodyParser as jsonParser } from '@koa/bodyparser'
import Koa from 'koa'
import { expect, test } from 'vitest'
import {
  gatebook,
  type KoaMiddleware,
  optionalUser,
  requestContext,
  requireFresh,
  requireRole,
  requireUser,
} from '../../src/adapters/koa.ts'
import type { AccessClaims } from '../../src/api.ts'
import { openGate as openHttpGate } from '../http/caller.ts'
import { adapterContract, type StartApplication, unlucky } from './adapters.contract.ts'
import { applicationOn, callerOf, JSON_LIMIT, OWN_COOKIE, ordersOf, tellFailure } from './applications.ts'
import { listen, readBody } from './listener.ts'

const start: StartApplication = async (gate, { bodyParser }) => {
  const app = new Koa()
  // It prints what went wrong, also that a client has left.
  app.silent = true
  const parse = jsonParser({ jsonLimit: JSON_LIMIT })
  app.use(async (context, next) => {
    context.append('Set-Cookie', OWN_COOKIE)
    try {
      await next()
    } catch (error) {
      context.status = (error as { status?: number }).status ?? 500
      context.body = tellFailure(error)
    }
  })
  if (bodyParser === 'before') app.use(parse)
  app.use(gatebook(gate))
  if (bodyParser === 'after') app.use(parse)

  /** As a router would. */
  const route = (line: string, guards: readonly KoaMiddleware[], handler: Koa.Middleware) => {
    const handlers = [...guards, handler]
    const [method, path] = line.split(' ')
    app.use((context, next) => {
      const asked = context.method === 'HEAD' ? 'GET' : context.method
      if (asked !== method || context.path !== path) return next()
      const run = (at: number): Promise<unknown> =>
        Promise.resolve((handlers[at] as Koa.Middleware)(context, () => run(at + 1)))
      return run(0)
    })
  }
  const tell: Koa.Middleware = (context) => {
    const user: AccessClaims | undefined = context.state.user
    context.body = callerOf(user)
  }
  route('GET /plain', [], (context) => {
    context.body = 'the application'
  })
  route('POST /echo', [], (context) => {
    context.body = context.request.body
  })
  route('GET /orders', [requireUser(gate)], (context) => {
    context.body = ordersOf(context.state.user, requestContext(gate, context))
  })
  route('POST /orders', [requireUser(gate)], async (context) => {
    const body = bodyParser === 'none' ? JSON.parse(await readBody(context.req)) : context.request.body
    context.body = { user: context.state.user?.userId, body }
  })
  route('GET /greeting', [optionalUser(gate)], tell)
  route('GET /reports', [requireRole(gate, 'admin')], tell)
  route('GET /transfers', [requireFresh(gate, 60)], tell)
  route('GET /audits', [requireUser(gate, { role: 'admin', maxAgeSeconds: 60 })], tell)
  route('GET /failing', [requireUser(gate)], () => {
    throw new RangeError('broken')
  })
  route('GET /unlucky', [requireUser(unlucky(gate))], tell)

  const server = createServer(app.callback())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return applicationOn(server)
}

adapterContract('koa', start)

test('an answer without a body has none, and no type', async () => {
  const gate = await openHttpGate({ sendReset: async () => undefined })
  const server = await listen(new Koa().use(gatebook(gate)).callback())
  try {
    const response = await fetch(`${server.url}/auth/password/reset-request`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ identifier: 'nobody@example.org' }),
    })
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([202, null, ''])
    const { items } = await gate.log.search({})
    expect(items.map(({ type, reason }) => [type, reason])).toEqual([
      ['password.reset-requested', 'unknown-user'],
      ['key.activated', null],
      ['key.created', null],
    ])
  } finally {
    await server.close()
    await gate.close()
  }
})
