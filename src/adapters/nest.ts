import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AccessClaims, Gatebook, HttpResponse, RequestContext } from '../api.ts'
import type { ExpressMiddleware } from './express.ts'
import { admit, answerClaimed, contextOf } from './gate.ts'
import { OPTIONAL, type Requirements, type RequireUserOptions, required } from './requirements.ts'
import { sendResponse } from './respond.ts'

export type { ExpressMiddleware } from './express.ts'
export type { RequireUserOptions } from './requirements.ts'

/** `@Inject(GATEBOOK) gate: Gatebook`, with `GatebookModule`. */
export const GATEBOOK: symbol = Symbol.for('gatebook')

/** What is needed of `ExecutionContext`. */
export interface NestExecutionContext {
  getType(): string
  switchToHttp(): { getRequest(): unknown; getResponse(): unknown }
}

/** Fits `CanActivate`. */
export interface NestGuard {
  canActivate(context: NestExecutionContext): Promise<boolean>
}

interface MiddlewareConsumer {
  apply(middleware: ExpressMiddleware): { forRoutes(path: string): unknown }
}

/** Fits `DynamicModule`. */
export interface NestModule {
  readonly module: new () => { configure(consumer: MiddlewareConsumer): void }
  readonly global: boolean
  readonly providers: { readonly provide: symbol; readonly useValue: Gatebook }[]
  readonly exports: symbol[]
}

type NestRequest = IncomingMessage & { readonly originalUrl?: string; user?: AccessClaims }

const gates = new WeakMap<IncomingMessage, Gatebook>()

/**
 * For `app.use` of an application on Express: answers the paths that are Gatebook's, in front of the body parser and
 * whatever the global prefix is, and lets the guards know the gate.
 */
export function gatebook(gate: Gatebook): ExpressMiddleware {
  return (request: NestRequest, response, next) => {
    gates.set(request, gate)
    // Nest mounts middleware of modules at a path, and Express then takes that path away.
    const answered = answerClaimed(gate, request, { target: request.originalUrl })
    if (answered === null) next()
    else answered.then((answer) => sendResponse(request, response, answer)).catch(next)
  }
}

/**
 * `imports: [GatebookModule.forRoot(gate)]`, or a promise of it: the same as middleware of the application, behind the body
 * parser, and GATEBOOK for every module. With a global prefix its paths are under that prefix for Nest, and not for
 * Gatebook: then mount `gatebook(gate)` with `app.use` instead.
 */
export const GatebookModule: { forRoot(gate: Gatebook): NestModule } = {
  forRoot: (gate) => ({
    module: class GatebookModule {
      configure(consumer: MiddlewareConsumer): void {
        consumer.apply(gatebook(gate)).forRoutes('{*path}')
      }
    },
    global: true,
    providers: [{ provide: GATEBOOK, useValue: gate }],
    exports: [GATEBOOK],
  }),
}

/**
 * `@UseGuards(UserGuard)`: lets only verified callers on. Everybody else gets an `HttpException` whose response is the
 * problem document (as `application/json`, since that is what Nest sends), with `WWW-Authenticate` in the headers, so that
 * filters of the application see it.
 */
export class UserGuard implements NestGuard {
  canActivate(context: NestExecutionContext): Promise<boolean> {
    return activate(context, required({}))
  }
}

/** `UserGuard` with requirements. Throws ERR_ARGUMENT_INVALID for options that are none. */
export function RequireUser(options: RequireUserOptions = {}): ClassDecorator & MethodDecorator {
  return guard(required(options))
}

/**
 * `CurrentUser()` is undefined for a caller who presents no token. A token that is presented and is bad is refused all the
 * same: its owner has to learn that he is not logged in any more.
 */
export function OptionalUser(): ClassDecorator & MethodDecorator {
  return guard(OPTIONAL)
}

/** `RequireUser` for callers with this role; 403 for others. */
export function RequireRole(role: string): ClassDecorator & MethodDecorator {
  return guard(required({ role }))
}

/** `RequireUser` for callers who showed a credential at most so long ago; 401 with the challenge of RFC 9470 for others. */
export function RequireFresh(maxAgeSeconds: number): ClassDecorator & MethodDecorator {
  return guard(required({ maxAgeSeconds }))
}

/** The caller, as a parameter of a handler behind a guard: `@CurrentUser() user: AccessClaims`. */
export function CurrentUser(): ParameterDecorator {
  decorateParameter ??= nest().createParamDecorator((_data, context) => requestOf(context).user)
  return decorateParameter()
}

/** For `gate.attempts.begin` and whatever else takes a context. */
export function requestContext(gate: Gatebook, request: IncomingMessage): RequestContext {
  return contextOf(gate, request)
}

function guard(requirements: Requirements): ClassDecorator & MethodDecorator {
  return nest().UseGuards({ canActivate: (context) => activate(context, requirements) })
}

async function activate(context: NestExecutionContext, requirements: Requirements): Promise<boolean> {
  const request = requestOf(context)
  const gate = gates.get(request)
  if (gate === undefined) {
    throw new TypeError('No Gatebook is mounted: app.use(gatebook(gate)), or import GatebookModule.forRoot(gate).')
  }
  const admitted = await admit(gate, request, requirements)
  if ('refusal' in admitted) throw toException(context.switchToHttp().getResponse(), admitted.refusal)
  if (admitted.user !== null) request.user = admitted.user
  return true
}

function requestOf(context: NestExecutionContext): NestRequest {
  if (context.getType() !== 'http') throw new TypeError('The guards of Gatebook protect HTTP routes only.')
  return context.switchToHttp().getRequest() as NestRequest
}

/**
 * The headers go out with whatever a filter makes of the exception. Not the type: Nest warns of an error that has another
 * one than `application/json`, and changes it.
 */
function toException(outgoing: unknown, { status, headers, body }: HttpResponse): Error {
  for (const [name, value] of Object.entries(headers)) {
    if (!/^content-(?:length|type)$/i.test(name)) (outgoing as ServerResponse).setHeader(name, value)
  }
  return new (nest().HttpException)((typeof body === 'string' ? JSON.parse(body) : {}) as object, status)
}

/** What is used of `@nestjs/common`, which is loaded when a decorator is: whoever uses one has it. */
interface NestCommon {
  UseGuards(guard: NestGuard): ClassDecorator & MethodDecorator
  createParamDecorator(read: (data: unknown, context: NestExecutionContext) => unknown): () => ParameterDecorator
  readonly HttpException: new (response: object, status: number) => Error
}

let loaded: NestCommon | undefined
let decorateParameter: (() => ParameterDecorator) | undefined

function nest(): NestCommon {
  loaded ??= createRequire(import.meta.url)('@nestjs/common') as NestCommon
  return loaded
}
