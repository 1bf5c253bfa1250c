import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { toNodeHandler } from '../adapters/node.ts'
import { sendResponse } from '../adapters/respond.ts'
import type { Gatebook } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { createAnswering } from '../http/answer.ts'
import type { Diagnostics } from '../options.ts'
import { generateId } from '../util/id.ts'

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

/** What stands between node's server and the API: the answers before the start and during a drain, and the access line. */
export function createListener(options: ListenerOptions): RequestListener {
  const { gate, draining, readyPath, diagnostics, underWay } = options
  return (request, response) => {
    underWay.add(response)
    response.once('close', () => underWay.delete(response))
    writeAccessLine(request, response, diagnostics)
    if (draining()) response.shouldKeepAlive = false
    const gatebook = gate()
    const refused = gatebook === null || (draining() && pathOf(request) === readyPath)
    if (refused) refuse(request, response).catch(() => response.destroy())
    else toNodeHandler(gatebook)(request, response)
  }
}

const answering = createAnswering('')

/** What the API would answer, for the moments when there is none. */
async function refuse(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const error = new GatebookError('ERR_UNAVAILABLE', { retryAfterSeconds: 1 })
  const problem = { requestId: generateId('request', Date.now()), authorized: false }
  await sendResponse(request, response, answering.refuse(error, problem))
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
