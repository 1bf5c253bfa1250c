import 'reflect-metadata'
import type { IncomingMessage, Server } from 'node:http'
import {
  type ArgumentsHost,
  Body,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  HttpCode,
  HttpException,
  Inject,
  Module,
  Post,
  Req,
  UseGuards,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestExpressApplication } from '@nestjs/platform-express'
import type { Response } from 'express'
import { expect, test } from 'vitest'
import {
  CurrentUser,
  GATEBOOK,
  GatebookModule,
  gatebook,
  OptionalUser,
  RequireFresh,
  RequireRole,
  RequireUser,
  requestContext,
  UserGuard,
} from '../../src/adapters/nest.ts'
import type { AccessClaims, Gatebook } from '../../src/api.ts'
import { createTestGatebook } from '../../src/testing/index.ts'
import { adapterContract, type StartApplication, unlucky } from './adapters.contract.ts'
import { applicationOn, callerOf, JSON_LIMIT, OWN_COOKIE, ordersOf, tellFailure } from './applications.ts'

// Decorators by hand, because the syntax of those that Nest wants cannot be erased.
class Orders {
  readonly #gate: Gatebook
  constructor(gate: Gatebook) {
    this.#gate = gate
  }
  plain(): string {
    return 'the application'
  }
  echo(body: unknown): unknown {
    return body
  }
  orders(user: AccessClaims, request: IncomingMessage): object {
    return ordersOf(user, requestContext(this.#gate, request))
  }
  post(user: AccessClaims, body: unknown): object {
    return { user: user.userId, body }
  }
  tell(user: AccessClaims | undefined): object {
    return callerOf(user)
  }
  reports(user: AccessClaims): object {
    return callerOf(user)
  }
  transfers(user: AccessClaims): object {
    return callerOf(user)
  }
  audits(user: AccessClaims): object {
    return callerOf(user)
  }
  failing(): never {
    throw new RangeError('broken')
  }
  unlucky(): string {
    return 'never'
  }
}

/** In front of a guard, as if another gate had been mounted. */
class Misfortune implements CanActivate {
  readonly #gate: Gatebook
  constructor(gate: Gatebook) {
    this.#gate = gate
  }
  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp()
    gatebook(unlucky(this.#gate))(http.getRequest(), http.getResponse(), () => {})
    return true
  }
}
Inject(GATEBOOK)(Misfortune, undefined, 0)

type Name = Exclude<keyof Orders, symbol>

function decorate(
  name: Name,
  methods: readonly MethodDecorator[],
  parameters: readonly ParameterDecorator[] = [],
): void {
  parameters.forEach((each, index) => {
    each(Orders.prototype, name, index)
  })
  const descriptor = Object.getOwnPropertyDescriptor(Orders.prototype, name) as PropertyDescriptor
  for (const each of methods) each(Orders.prototype, name, descriptor)
}

Controller()(Orders)
Inject(GATEBOOK)(Orders, undefined, 0)
decorate('plain', [Get('plain')])
decorate('echo', [Post('echo'), HttpCode(200)], [Body()])
decorate('orders', [Get('orders'), UseGuards(UserGuard)], [CurrentUser(), Req()])
decorate('post', [Post('orders'), HttpCode(200), RequireUser()], [CurrentUser(), Body()])
decorate('tell', [Get('greeting'), OptionalUser()], [CurrentUser()])
decorate('reports', [Get('reports'), RequireRole('admin')], [CurrentUser()])
decorate('transfers', [Get('transfers'), RequireFresh(60)], [CurrentUser()])
decorate('audits', [Get('audits'), RequireUser({ role: 'admin', maxAgeSeconds: 60 })], [CurrentUser()])
decorate('failing', [Get('failing'), UseGuards(UserGuard)])
decorate('unlucky', [Get('unlucky'), UseGuards(Misfortune, UserGuard)])

class Failures implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>()
    if (error instanceof HttpException) response.status(error.getStatus()).json(error.getResponse())
    else response.status((error as { status?: number }).status ?? 500).send(tellFailure(error))
  }
}
Catch()(Failures)

async function startNest(
  imports: object[],
  mount: (app: NestExpressApplication) => void,
): Promise<NestExpressApplication> {
  class Application {}
  Module({ imports: imports as never, controllers: [Orders] })(Application)
  const app = await NestFactory.create<NestExpressApplication>(Application, { logger: false, bodyParser: false })
  mount(app)
  await app.listen(0, '127.0.0.1')
  return app
}

/** The gate for those who ask for it, and nothing mounted. */
function provide(gate: Gatebook): object {
  return {
    module: class Provided {},
    global: true,
    providers: [{ provide: GATEBOOK, useValue: gate }],
    exports: [GATEBOOK],
  }
}

const start: StartApplication = async (gate, { bodyParser }) => {
  const app = await startNest(bodyParser === 'before' ? [GatebookModule.forRoot(gate)] : [provide(gate)], (nest) => {
    const parse = () => nest.useBodyParser('json', { limit: JSON_LIMIT })
    nest.use((_request: IncomingMessage, response: Response, next: () => void) => {
      response.append('Set-Cookie', OWN_COOKIE)
      next()
    })
    if (bodyParser === 'before') parse()
    else nest.use(gatebook(gate))
    if (bodyParser === 'after') parse()
    if (bodyParser === 'none') nest.useBodyParser('json', { limit: JSON_LIMIT })
    nest.useGlobalFilters(new Failures())
  })
  return applicationOn(app.getHttpServer() as Server, () => app.close())
}

adapterContract('NestJS 11', start, { problemType: /^application\/(?:problem\+)?json(?:;|$)/ })

test('without filters of the application, a refusal is the problem document, also under a global prefix', async () => {
  await using kit = await createTestGatebook()
  const { userId, headers } = await kit.signIn()
  const app = await startNest([provide(kit.gate)], (nest) => {
    nest.use(gatebook(kit.gate))
    nest.setGlobalPrefix('api')
  })
  const url = await app.getUrl()
  const refused = await fetch(`${url}/api/orders`)
  expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="gatebook"'])
  expect(refused.headers.get('content-type')).toMatch(/^application\/json/)
  expect((await refused.json()) as object).toMatchObject({ status: 401, code: 'ERR_TOKEN_MISSING' })
  expect((await (await fetch(`${url}/api/orders`, { headers })).json()) as object).toMatchObject({ user: userId })
  expect((await (await fetch(`${url}/auth/me`, { headers })).json()) as object).toMatchObject({ user_id: userId })
  await app.close()
  await kit.expectEvents(['user.registered', 'login.succeeded', 'token.refused missing'])
})

test('a guard without a gate lets nobody on', async () => {
  await using kit = await createTestGatebook()
  const { headers } = await kit.signIn()
  const app = await startNest([provide(kit.gate)], () => {})
  expect((await fetch(`${await app.getUrl()}/orders`, { headers })).status).toBe(500)
  await app.close()
})
