import { Agent, request as httpRequest } from 'node:http'

export interface Answer {
  readonly status: number
  readonly body: string
  /** From the first byte sent to the last byte received. */
  readonly milliseconds: number
}

/** A client with connections that stay open, so that what is measured is the server and not the handshakes. */
export interface Client {
  get(path: string, headers?: Record<string, string>): Promise<Answer>
  post(path: string, body: object): Promise<Answer>
  close(): void
}

export function createClient(port: number, connections: number): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })

  function send(method: string, path: string, headers: Record<string, string>, body: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const begun = performance.now()
      const outgoing = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent }, (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(parts).toString('utf8'),
            milliseconds: performance.now() - begun,
          }),
        )
      })
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  }

  return {
    get: (path, headers = {}) => send('GET', path, headers, ''),
    post(path, body) {
      const text = JSON.stringify(body)
      const headers = { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(text)) }
      return send('POST', path, headers, text)
    },
    close: () => agent.destroy(),
  }
}
