import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { expect, test } from 'vitest'
import {
  gatebook,
  type OptionalUserVariables,
  optionalUser,
  requestContext,
  requireFresh,
  requireRole,
  requireUser,
  type UserVariables,
} from '../../src/adapters/hono.ts'
import type { AccessClaims } from '../../src/api.ts'
import { createTestGatebook } from '../../src/testing/index.ts'
import { adapterContract, type StartApplication, unlucky } from './adapters.contract.ts'
import { applicationOn, callerOf, JSON_LIMIT, OWN_COOKIE, ordersOf, tellFailure } from './applications.ts'

type Env = { Variables: OptionalUserVariables }

/** What reads bodies where others have a parser: Hono keeps what it made of them. */
async function readJson(context: Context, next: () => Promise<void>): Promise<void> {
  if (Number(context.req.header('content-length')) > JSON_LIMIT) throw new HTTPException(413)
  if (context.req.header('content-type') === 'application/json') await context.req.json()
  await next()
}

const start: StartApplication = async (gate, { bodyParser }) => {
  const app = new Hono<Env>()
  const tell = (context: Context<Env>): Response => {
    const user: AccessClaims | undefined = context.get('user')
    return context.json(callerOf(user))
  }
  app.use(async (context, next) => {
    await next()
    // Before it, Hono would keep the header only for answers that it makes itself.
    context.header('Set-Cookie', OWN_COOKIE, { append: true })
  })
  if (bodyParser === 'before') app.use(readJson)
  app.use(gatebook(gate))
  if (bodyParser === 'after') app.use(readJson)

  app.get('/plain', (context) => context.text('the application'))
  app.post('/echo', async (context) => context.json(await context.req.json()))
  app.get('/orders', requireUser(gate), (context) =>
    context.json(ordersOf(context.var.user, requestContext(gate, context))),
  )
  app.post('/orders', requireUser(gate), async (context) =>
    context.json({ user: context.var.user?.userId, body: await context.req.json() }),
  )
  app.get('/greeting', optionalUser(gate), tell)
  app.get('/reports', requireRole(gate, 'admin'), tell)
  app.get('/transfers', requireFresh(gate, 60), tell)
  app.get('/audits', requireUser(gate, { role: 'admin', maxAgeSeconds: 60 }), tell)
  app.get('/failing', requireUser(gate), () => {
    throw new RangeError('broken')
  })
  app.get('/unlucky', requireUser(unlucky(gate)), tell)
  app.onError((error, context) =>
    error instanceof HTTPException ? error.getResponse() : context.text(tellFailure(error), 500),
  )
  const server = await new Promise<Server>((resolve) => {
    const opened = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(opened as Server))
  })
  return applicationOn(server)
}

adapterContract('Hono', start)

test('without a socket to be seen, the address is what the application says', async () => {
  await using kit = await createTestGatebook()
  const remoteAddress = () => '192.0.2.7'
  const app = new Hono<{ Variables: UserVariables }>()
  app.use(gatebook(kit.gate, { remoteAddress }))
  app.get('/orders', requireUser(kit.gate, { remoteAddress }), (context) => context.text(context.var.user.userId))
  app.get('/elsewhere', requireUser(kit.gate), (context) => context.text('never'))
  for (const path of ['/auth/me', '/orders', '/elsewhere']) expect((await app.request(path)).status).toBe(401)
  const { userId, headers } = await kit.signIn()
  expect(await (await app.request('/orders', { headers })).text()).toBe(userId)
  expect((await kit.events({ type: 'token.refused' })).map(({ ip, data }) => [ip, data.count])).toEqual([
    ['192.0.2.7', 2],
    [null, 1],
  ])
})
