import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import type { Gatebook } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { createAnswering } from '../http/answer.ts'
import type { Diagnostics } from '../options.ts'
import { generateId } from '../util/id.ts'

const answering = createAnswering('')

export interface ListenerOptions {
  /** Null until the database is open. */
  readonly gate: () => Gatebook | null
  readonly draining: () => boolean
  /** Path of the readiness answer, which says no as soon as the draining begins. */
  readonly readyPath: string
  readonly diagnostics: Diagnostics
  /** Responses that have begun and not ended. The listener keeps it; a drain looks at it. */
  readonly underWay: Set<ServerResponse>
}

/** What stands between node's server and `gate.fetch`: the answers before the start and during a drain, and the access line. */
export function createListener(options: ListenerOptions): RequestListener {
  const { gate, draining, readyPath, diagnostics, underWay } = options
  const answer = getRequestListener(
    (request, env) => {
      const gatebook = gate()
      if (gatebook === null) return refuse(new GatebookError('ERR_UNAVAILABLE', { retryAfterSeconds: 1 }))
      return gatebook.fetch(request, { remoteAddress: (env as HttpBindings).incoming.socket.remoteAddress })
    },
    {
      overrideGlobalObjects: false,
      errorHandler: (error) => {
        // What a client sends cannot get here but as a request line that is no URL.
        if ((error as Error).name === 'RequestError') return refuse(new GatebookError('ERR_NOT_FOUND'))
        diagnostics.error({ err: error }, 'a request could not be answered')
        return refuse(new GatebookError('ERR_INTERNAL'))
      },
    },
  )
  return (request, response) => {
    underWay.add(response)
    response.once('close', () => underWay.delete(response))
    writeAccessLine(request, response, diagnostics)
    if (draining()) {
      response.shouldKeepAlive = false
      if (pathOf(request) === readyPath) {
        refuseReadiness(response)
        return
      }
    }
    void answer(request, response)
  }
}

function writeAccessLine(request: IncomingMessage, response: ServerResponse, diagnostics: Diagnostics): void {
  const begun = performance.now()
  response.once('close', () => {
    const milliseconds = Math.round((performance.now() - begun) * 10) / 10
    const fields = {
      method: request.method,
      path: pathOf(request),
      status: response.headersSent ? response.statusCode : null,
      ms: milliseconds,
      request_id: response.getHeader('x-request-id') ?? null,
    }
    diagnostics.debug(fields, response.writableFinished ? 'request' : 'request that the client did not wait for')
  })
}

/** Without the query, which may hold what somebody searches for. */
function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] as string
}

function refuseReadiness(response: ServerResponse): void {
  response.writeHead(503, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(JSON.stringify({ ready: false, reason: 'the server is shutting down' }))
}

/** What the HTTP layer would answer, for the moments when there is none. */
function refuse(error: GatebookError): Response {
  return answering.refuse(error, { requestId: generateId('request', Date.now()), authorized: false })
}
