import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ErrorCode, GatebookError } from '../errors.ts'
import { createAnswering } from '../http/answer.ts'
import type { Diagnostics } from '../options.ts'
import { generateId } from '../util/id.ts'

export interface UnreadableOptions {
  /** Responses that have begun and not ended. */
  readonly underWay: ReadonlySet<ServerResponse>
  readonly diagnostics: Diagnostics
}

/** Of the errors of node's parser; ERR_REQUEST_MALFORMED for all others. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'ERR_HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'ERR_REQUEST_TIMEOUT',
}

/** How long a client that was answered may go on sending: closing at once would reset the connection under the answer. */
const DRAIN_MILLISECONDS = 1000

const answering = createAnswering('')

/**
 * Answers what is no HTTP request with a problem document and closes the connection. Node's own answer has no code that a
 * client could tell apart, and goes in front of the answers to requests that came before on the same connection.
 */
export function answerUnreadable(server: Server, { underWay, diagnostics }: UnreadableOptions): void {
  const answered = new WeakSet<Duplex>()
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // The rest of what it sends is as broken.
    if (answered.has(socket)) return
    answered.add(socket)
    // Timeouts and broken chunks come while a response waits for its request: that one is the answer to nothing now.
    const own = [...underWay].filter((response) => response.req.socket === socket)
    const earlier = own.filter(({ req }) => req.complete)
    if (own.some((response) => !earlier.includes(response) && response.headersSent)) return void socket.destroy()
    const answer = () => answerWith(socket, new GatebookError(CODES[error.code ?? ''] ?? 'ERR_REQUEST_MALFORMED'))
    if (earlier.length === 0) answer()
    else Promise.all(earlier.map(closed)).then(answer)
  })
  // Without a listener node hangs up on these.
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    answerWith(socket, new GatebookError('ERR_METHOD', { members: { allowed: [] } }))
  })

  function answerWith(socket: Duplex, error: GatebookError): void {
    if (!socket.writable) return void socket.destroy()
    const requestId = generateId('request', Date.now())
    diagnostics.debug(
      { status: error.status, code: error.code, request_id: requestId },
      'request that could not be read',
    )
    socket.on('error', () => socket.destroy())
    const timer = setTimeout(() => socket.destroy(), DRAIN_MILLISECONDS)
    socket.once('close', () => clearTimeout(timer)).resume()
    formatResponse(answering.refuse(error, { requestId, authorized: false })).then(
      (text) => socket.end(text),
      () => socket.destroy(),
    )
  }
}

function closed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.closed) resolve()
    else response.once('close', resolve)
  })
}

async function formatResponse(response: Response): Promise<string> {
  const body = await response.text()
  const title = (JSON.parse(body) as { title: string }).title
  const headers = [...response.headers, ['Connection', 'close'], ['Date', new Date().toUTCString()]]
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return `HTTP/1.1 ${response.status} ${title}\r\n${lines}\r\n${body}`
}
