import Fastify, { type FastifyRequest } from 'fastify'
import { expect, test } from 'vitest'
import {
  gatebook,
  optionalUser,
  requestContext,
  requireFresh,
  requireRole,
  requireUser,
} from '../../src/adapters/fastify.ts'
import type { AccessClaims } from '../../src/api.ts'
import { createTestGatebook } from '../../src/testing/index.ts'
import { adapterContract, type StartApplication, unlucky } from './adapters.contract.ts'
import { applicationOn, callerOf, JSON_LIMIT, OWN_COOKIE, ordersOf, tellFailure } from './applications.ts'

const start: StartApplication = async (gate, { bodyParser }) => {
  // Fastify parses JSON by itself; where a parser shall stand in front, it is one for every type there is.
  const app = Fastify({ bodyLimit: JSON_LIMIT })
  const parseAll = () => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, JSON.parse(String(body))))
  }
  app.setErrorHandler<Error & { statusCode?: number }>((error, _request, reply) =>
    reply.code(error.statusCode ?? 500).send(tellFailure(error)),
  )
  app.addHook('onRequest', async (_request, reply) => void reply.header('Set-Cookie', OWN_COOKIE))
  if (bodyParser === 'before') parseAll()
  await app.register(gatebook, { gate })
  if (bodyParser === 'after') parseAll()

  const tell = async (request: FastifyRequest) => {
    const user: AccessClaims | null = request.user
    return callerOf(user)
  }
  app.get('/plain', async () => 'the application')
  app.post('/echo', async (request) => request.body)
  app.get('/orders', { onRequest: requireUser(gate) }, async (request) =>
    ordersOf(request.user, requestContext(gate, request)),
  )
  app.post<{ Body: object }>('/orders', { onRequest: requireUser(gate) }, async (request) => ({
    user: request.user?.userId,
    body: request.body,
  }))
  app.get('/greeting', { preHandler: optionalUser(gate) }, tell)
  app.get('/reports', { preHandler: [requireRole(gate, 'admin')] }, tell)
  app.get('/transfers', { preValidation: requireFresh(gate, 60) }, tell)
  app.get('/audits', { onRequest: requireUser(gate, { role: 'admin', maxAgeSeconds: 60 }) }, tell)
  app.get('/failing', { onRequest: requireUser(gate) }, async () => {
    throw new RangeError('broken')
  })
  app.get('/unlucky', { onRequest: requireUser(unlucky(gate)) }, tell)
  await app.listen({ port: 0, host: '127.0.0.1' })
  return applicationOn(app.server, () => app.close())
}

adapterContract('Fastify 5', start)

test('hooks of the application see the answers of Gatebook', async () => {
  await using kit = await createTestGatebook()
  const app = Fastify()
  app.addHook('onSend', async (_request, reply) => void reply.header('X-Served-By', 'the application'))
  await app.register(gatebook, { gate: kit.gate })
  app.get('/orders', { onRequest: requireUser(kit.gate) }, async () => 'orders')
  await app.listen({ port: 0, host: '127.0.0.1' })
  const application = applicationOn(app.server, () => app.close())
  const shown = await Promise.all(
    ['/auth/me', '/orders'].map(async (path) => (await fetch(application.url + path)).headers.get('x-served-by')),
  )
  await application.close()
  expect(shown).toEqual(['the application', 'the application'])
  await kit.expectEvents([{ type: 'token.refused', reason: 'missing', data: { count: 2 } }])
})

test('answers what a test of the application injects, without a socket', async () => {
  await using kit = await createTestGatebook()
  const { userId } = await kit.signIn({ identifier: 'anna@app.test', password: 'a pass phrase of hers' })
  const app = Fastify()
  await app.register(gatebook, { gate: kit.gate })
  app.get('/orders', { onRequest: requireUser(kit.gate) }, async (request) => request.user?.userId)
  const payload = { identifier: 'anna@app.test', password: 'a pass phrase of hers' }
  const login = await app.inject({ method: 'POST', url: '/auth/login', payload })
  const { access_token } = login.json<{ access_token: string }>()
  const orders = await app.inject({ url: '/orders', headers: { authorization: `Bearer ${access_token}` } })
  expect([login.statusCode, orders.statusCode, orders.body]).toEqual([200, 200, userId])
  expect((await app.inject({ url: '/orders' })).statusCode).toBe(401)
  await app.close()
  await kit.expectEvents(['user.registered', 'login.succeeded', 'login.succeeded', 'token.refused missing'])
})
