import { connect } from 'node:net'
import type { Gatebook, HttpResponse } from '../../src/api.ts'
import { toFetchResponse } from '../../src/http/exchange.ts'

export const ENDLESS_PATH = '/auth/endless'

const CHUNK = new Uint8Array(64 * 1024)

export interface Endless {
  /** Bytes that were asked for. */
  produced: number
  cancelled: boolean
}

/** The gate, with one more path that answers for ever, as fast as somebody takes it. */
export function withEndless(gate: Gatebook): { readonly gate: Gatebook; readonly endless: Endless } {
  const endless: Endless = { produced: 0, cancelled: false }
  const answer = (): HttpResponse => ({
    status: 200,
    headers: { 'Content-Type': 'text/event-stream' },
    setCookies: [],
    body: new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          endless.produced += CHUNK.length
          controller.enqueue(CHUNK)
        },
        cancel() {
          endless.cancelled = true
        },
      },
      { highWaterMark: 0 },
    ),
  })
  const isEndless = (url: string | { readonly pathname: string }) =>
    (typeof url === 'string' ? new URL(url).pathname : url.pathname) === ENDLESS_PATH
  const wrapped: Gatebook = {
    ...gate,
    exchange: async (request, connection) => (isEndless(request.url) ? answer() : gate.exchange(request, connection)),
    fetch: async (request, connection) =>
      isEndless(request.url) ? toFetchResponse(answer()) : gate.fetch(request, connection),
  }
  return { gate: wrapped, endless }
}

/** A client that asks, reads the beginning of the answer and takes nothing more, until it leaves. */
export async function askWithoutReading(url: string): Promise<{ leave(): void }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => {})
  socket.write(`GET ${ENDLESS_PATH} HTTP/1.1\r\nHost: app.example\r\n\r\n`)
  await new Promise<void>((resolve, reject) => {
    socket.once('data', () => {
      socket.pause()
      resolve()
    })
    socket.once('close', () => reject(new Error('closed without an answer')))
  })
  return { leave: () => socket.destroy() }
}
