import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { toNodeHandler } from '../adapters/node.ts'
import { sendResponse } from '../adapters/respond.ts'
import type { Gatebook } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { Diagnostics } from '../options.ts'
import type { RefuseUnasked } from './refuse-unasked.ts'
import type { UnderWay } from './under-way.ts'

export interface ListenerOptions {
  /** Null until the database is open. */
  readonly gate: () => Gatebook | null
  readonly draining: () => boolean
  /** Path of the readiness answer, which says no as soon as the draining begins. */
  readonly readyPath: string
  readonly diagnostics: Diagnostics
  /** The listener keeps it; a drain looks at it. */
  readonly underWay: UnderWay
  readonly refuseUnasked: RefuseUnasked
}

/** What stands between node's server and the API: the answers before the start and during a drain, and the access line. */
export function createListener(options: ListenerOptions): RequestListener {
  const { gate, draining, readyPath, diagnostics, underWay, refuseUnasked } = options

  function refuse(request: IncomingMessage, response: ServerResponse, error: GatebookError): void {
    sendResponse(request, response, refuseUnasked(error).response)
  }

  return (request, response) => {
    if (!underWay.add(response)) return void request.socket.destroy()
    writeAccessLine(request, response, diagnostics)
    if (draining()) response.shouldKeepAlive = false
    const gatebook = gate()
    const absent = gatebook === null || (draining() && pathOf(request) === readyPath)
    if (!hasOneHost(request) || isOldAndChunked(request)) {
      response.shouldKeepAlive = false
      refuse(request, response, new GatebookError('ERR_REQUEST_MALFORMED'))
    } else if (absent) refuse(request, response, new GatebookError('ERR_UNAVAILABLE', { retryAfterSeconds: 1 }))
    else toNodeHandler(gatebook)(request, response)
  }
}

/** RFC 9112 §6.1: what is in front may have read it in another way. */
function isOldAndChunked({ headers, httpVersion }: IncomingMessage): boolean {
  return httpVersion === '1.0' && headers['transfer-encoding'] !== undefined
}

/** RFC 9112 §3.2: anything else is answered 400. Nothing is read out of it, since the client chooses it. */
function hasOneHost({ rawHeaders, httpVersion }: IncomingMessage): boolean {
  const hosts = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length
  return hosts === 1 || (hosts === 0 && httpVersion === '1.0')
}

function writeAccessLine(request: IncomingMessage, response: ServerResponse, diagnostics: Diagnostics): void {
  const begun = performance.now()
  response.once('close', () => {
    const fields = {
      method: request.method,
      path: pathOf(request),
      status: response.headersSent ? response.statusCode : null,
      ms: Math.round((performance.now() - begun) * 10) / 10,
      request_id: response.getHeader('x-request-id') ?? null,
    }
    diagnostics.debug(fields, response.writableFinished ? 'request' : 'request that the client did not wait for')
  })
}

/** Without the query, which may hold what somebody searches for. */
function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] as string
}
