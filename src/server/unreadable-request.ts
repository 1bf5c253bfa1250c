import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { DRAIN_MILLISECONDS } from '../adapters/respond.ts'
import type { HttpResponse } from '../api.ts'
import { type ErrorCode, GatebookError } from '../errors.ts'
import type { Diagnostics } from '../options.ts'
import type { RefuseUnasked } from './refuse-unasked.ts'
import type { UnderWay } from './under-way.ts'

export interface UnreadableOptions {
  readonly underWay: UnderWay
  readonly diagnostics: Diagnostics
  readonly refuseUnasked: RefuseUnasked
}

/** Of the errors of node's parser; ERR_REQUEST_MALFORMED for all others. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'ERR_HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'ERR_REQUEST_TIMEOUT',
}

/**
 * Answers what is no HTTP request with a problem document and closes the connection. Node's own answer has no code that a
 * client could tell apart, and goes in front of the answers to requests that came before on the same connection.
 */
export function answerUnreadable(server: Server, { underWay, diagnostics, refuseUnasked }: UnreadableOptions): void {
  const refused = new WeakSet<Duplex>()
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    refuse(socket, new GatebookError(CODES[error.code ?? ''] ?? 'ERR_REQUEST_MALFORMED'))
  })
  // Without a listener node hangs up on these.
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    refuse(socket, new GatebookError('ERR_METHOD'))
  })

  function refuse(socket: Duplex, error: GatebookError): void {
    // The rest of what it sends is as broken.
    if (refused.has(socket)) return
    refused.add(socket)
    socket.on('error', () => socket.destroy())
    // Timeouts and broken chunks come while a response waits for its request: that one is the answer to nothing now.
    const own = underWay.of(socket)
    const earlier = own.filter(({ req }) => req.complete)
    // Some of it is answered already, e.g. that there is no such path.
    const begun = own.some((response) => !earlier.includes(response) && response.headersSent)
    const answered = begun || underWay.hasAnswered(socket)
    const end = () => (answered ? socket.end() : answer(socket, error))
    if (earlier.length === 0) end()
    else {
      // A response that waits behind another one is told nothing when its client leaves.
      const gone = new Promise((resolve) => socket.once('close', resolve))
      Promise.race([gone, Promise.all((answered ? own : earlier).map(closed))]).then(end)
    }
  }

  function answer(socket: Duplex, error: GatebookError): void {
    if (!socket.writable) return void socket.destroy()
    const { response, requestId } = refuseUnasked(error)
    diagnostics.debug({ status: error.status, code: error.code, request_id: requestId }, 'request that was not taken')
    const timer = setTimeout(() => socket.destroy(), DRAIN_MILLISECONDS)
    socket.once('close', () => clearTimeout(timer)).resume()
    socket.end(formatResponse(response))
  }
}

function closed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.closed) resolve()
    else response.once('close', resolve)
  })
}

function formatResponse(response: HttpResponse): string {
  // A problem document, which is a text.
  const body = typeof response.body === 'string' ? response.body : ''
  const title = (JSON.parse(body) as { title: string }).title
  const headers = [...Object.entries(response.headers), ['Connection', 'close'], ['Date', new Date().toUTCString()]]
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return `HTTP/1.1 ${response.status} ${title}\r\n${lines}\r\n${body}`
}
