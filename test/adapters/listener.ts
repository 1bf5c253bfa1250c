import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'

export interface Listening {
  readonly url: string
  /** Sends these bytes and returns everything that comes back until the other end closes. */
  raw(text: string): Promise<string>
  close(): Promise<void>
}

/** A server on this port of this machine, a free one unless it is given. */
export async function listen(listener: RequestListener, at = 0): Promise<Listening> {
  const server: Server = createServer(listener)
  // Otherwise Node ends in five seconds what we should have ended.
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    raw: (text) => sendRaw(`http://127.0.0.1:${port}`, text),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A request line and headers that make the server close the connection behind the answer. */
export function closing(line: string, ...headers: readonly string[]): string {
  return [`${line} HTTP/1.1`, 'Host: app.example', 'Connection: close', ...headers, '', ''].join('\r\n')
}

/**
 * Sends these bytes and returns everything that comes back until the other end closes; with `reset`, breaks the connection
 * as soon as they have been sent.
 */
export function sendRaw(
  url: string,
  text: string,
  { reset = false }: { readonly reset?: boolean } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => {
      socket.write(text, () => reset && socket.resetAndDestroy())
    })
    socket.setEncoding('latin1').on('data', (part) => {
      received += part
    })
    socket.on('end', () => resolve(received)).on('error', reject)
    if (reset) socket.on('close', () => resolve(received))
  })
}

/** The whole body, as text. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}

/** Logs in with a body that does not end, and returns what comes back until the other end closes. */
export function sendForEver(url: string): Promise<string> {
  return new Promise((resolve) => {
    let received = ''
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    const head = [
      'POST /auth/login HTTP/1.1',
      'Host: a',
      'Content-Type: application/json',
      'Transfer-Encoding: chunked',
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
    const pump = setInterval(() => socket.write(`1000\r\n${' '.repeat(4096)}\r\n`), 5)
    socket.setEncoding('latin1').on('data', (part) => {
      received += part
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      clearInterval(pump)
      resolve(received)
    })
  })
}
