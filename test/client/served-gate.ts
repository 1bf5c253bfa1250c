import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { expect, onTestFinished } from 'vitest'
import { requireUser, toNodeHandler } from '../../src/adapters/node.ts'
import { type Client, type ClientOptions, createClient } from '../../src/client/index.ts'
import type { ClientClock } from '../../src/client/surroundings.ts'
import type { GatebookOptions } from '../../src/options.ts'
import { listen } from '../adapters/listener.ts'
import type { Engine } from '../support/engines.ts'
import { openOwnGate, type Person, type TestGate } from '../support/gate.ts'

/** What happens to one request instead of, or after, its being answered. */
export type Fault = (request: IncomingMessage, response: ServerResponse, answer: () => void) => void

export interface ServedGate {
  readonly on: TestGate
  readonly url: string
  /** Requests so far, such as `POST /auth/refresh`, with `bearer` behind those with a token. */
  readonly requests: string[]
  /** Put before the next requests with this line, one each. */
  readonly faults: Map<string, Fault[]>
  /** A client whose clocks are the server's. Closed when the test ends. */
  client(options?: ClientOptions): Client
  /** A user of this gate and a client that is signed in as this user; their events are stated. */
  signedIn(options?: ClientOptions): Promise<{ client: Client; anna: Person }>
  /** `type outcome reason` of exactly the events since the last call; what is left unsaid fails the test at its end. */
  expectEvents(expected: readonly string[]): Promise<void>
  /** Stops listening; a second call does nothing. */
  stop(): Promise<void>
}

export interface ServeOptions {
  /** Port to listen on; a free one unless it is given. */
  readonly port?: number
  /** What is served before everything else; returns false for what it does not know. */
  readonly pages?: (request: IncomingMessage, response: ServerResponse) => boolean
}

/**
 * A gate behind a socket, with an application's own routes beside it: `/orders` for users, `/refused` for nobody, `/away?to=…`
 * that redirects. All of it is gone when the test ends.
 */
export async function serveGate(
  engine: Engine,
  options: Partial<GatebookOptions> = {},
  { port = 0, pages = () => false }: ServeOptions = {},
): Promise<ServedGate> {
  const on = await openOwnGate(engine, options)
  const requests: string[] = []
  const faults = new Map<string, Fault[]>()
  const application = createApplication(on)
  const server = await listen((request, response) => {
    if (pages(request, response)) return
    const line = `${request.method} ${request.url?.replace(/\?.*/, '')}`
    requests.push(request.headers.authorization === undefined ? line : `${line} bearer`)
    const fault = faults.get(line)?.shift()
    const answer = () => application(request, response)
    if (fault === undefined) answer()
    else fault(request, response, answer)
  }, port)
  let stopped = false
  const stop = async () => {
    if (!stopped) await server.close()
    stopped = true
  }
  onTestFinished(stop)
  let seen = (await on.events()).length
  const unstated = async (): Promise<string[]> => {
    const events = (await on.events()).slice(seen)
    seen += events.length
    return events.map(({ type, outcome, reason }) => [type, outcome, reason].filter(Boolean).join(' '))
  }
  onTestFinished(async () => {
    expect(await unstated(), 'events that the test does not state').toEqual([])
  })
  const served: ServedGate = {
    on,
    url: server.url,
    requests,
    faults,
    client: (more) => openClient({ url: server.url, clock: clockOf(on), ...more }),
    async signedIn(more) {
      const anna = on.person()
      await on.gate.users.create(anna)
      const client = served.client(more)
      await client.login(anna)
      expect(await unstated()).toEqual(['user.registered success', 'login.succeeded success'])
      return { client, anna }
    },
    async expectEvents(expected) {
      expect(await unstated()).toEqual(expected)
    },
    stop,
  }
  return served
}

function createApplication(on: TestGate): RequestListener {
  const gate = toNodeHandler(on.gate)
  const orders = requireUser(on.gate, (_request, response, { userId }) => response.end(`orders of ${userId}`))
  return (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    if (pathname === '/orders') orders(request, response)
    else if (pathname === '/refused') problem(401, 'ERR_TOKEN_INVALID')(request, response, () => undefined)
    else if (pathname === '/away') response.writeHead(307, { Location: searchParams.get('to') ?? '/' }).end()
    else gate(request, response)
  }
}

function openClient(options: ClientOptions): Client {
  const client = createClient(options)
  onTestFinished(() => client.close())
  return client
}

export function clockOf({ clock }: TestGate): ClientClock {
  return { monotonic: () => clock.now(), wall: () => clock.now() }
}

/** A problem document instead of the answer. */
export function problem(status: number, code: string, members: object = {}, headers: object = {}): Fault {
  return (request, response) => {
    request.resume()
    response.writeHead(status, { 'Content-Type': 'application/problem+json', ...headers })
    response.end(JSON.stringify({ status, code, detail: 'Put in by the test.', request_id: 'req_test', ...members }))
  }
}

/** The work is done, and the connection breaks before the answer is out. */
export const lostAnswer: Fault = (_request, response, answer) => {
  response.writeHead = () => response
  response.write = () => true
  response.end = () => response.destroy()
  answer()
}

/** The work is done, and the answer goes out after something else. */
export function lateAnswer(first: () => Promise<unknown>): Fault {
  return (_request, response, answer) => {
    const [write, end] = [response.write.bind(response), response.end.bind(response)]
    const parts: unknown[] = []
    response.write = (part: unknown) => parts.push(part) > 0
    response.end = (part?: unknown) => {
      first().then(
        () => {
          for (const each of parts) write(each)
          end(part)
        },
        () => response.destroy(),
      )
      return response
    }
    answer()
  }
}

/** The connection breaks before anything is done. */
export const hangUp: Fault = (request) => request.socket.destroy()
