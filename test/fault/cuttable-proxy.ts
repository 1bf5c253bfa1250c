import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** How a way through the network ends: packets are dropped without a word, or connections are reset and new ones refused. */
export type Cut = 'silent' | 'reset'

/** A stretch of network on the loopback interface, which can be cut. */
export interface CuttableProxy {
  readonly port: number
  cut(how: Cut): void
  /** Nothing that is answered comes through any more. Resolves when the first bytes of so many answers have arrived. */
  holdAnswers(count: number): Promise<void>
  /** What was dropped in silence is delivered now, as TCP sends it again. */
  mend(): void
  close(): Promise<void>
}

export async function startCuttableProxy(host: string, port: number): Promise<CuttableProxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  const waiting = new Set<Socket>()
  let state: Cut | null = null
  let hold: ((outbound: Socket) => void) | null = null

  function join(inbound: Socket): void {
    const outbound = connect({ host, port })
    const pair = [inbound, outbound] as const
    pairs.add(pair)
    inbound.pipe(outbound)
    if (hold === null) outbound.pipe(inbound)
    else hold(outbound)
    for (const [socket, other] of [pair, [outbound, inbound] as const]) {
      socket.on('error', () => {})
      socket.on('close', () => {
        other.destroy()
        pairs.delete(pair)
      })
    }
  }

  const server = createServer((inbound) => {
    inbound.on('error', () => {})
    if (state === null) join(inbound)
    else if (state === 'reset') inbound.resetAndDestroy()
    else waiting.add(inbound.pause())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    port: (server.address() as AddressInfo).port,
    cut(how) {
      state = how
      for (const sockets of pairs) {
        for (const socket of sockets) {
          if (how === 'reset') socket.resetAndDestroy()
          else socket.unpipe().pause()
        }
      }
    },
    holdAnswers(count) {
      return new Promise((resolve) => {
        let arrived = 0
        hold = (outbound) => {
          outbound.unpipe().once('readable', () => {
            // An end is readable too.
            if (outbound.readableLength > 0 && ++arrived === count) resolve()
          })
        }
        for (const [, outbound] of pairs) hold(outbound)
      })
    },
    mend() {
      state = null
      hold = null
      for (const [inbound, outbound] of pairs) {
        inbound.pipe(outbound)
        outbound.pipe(inbound)
      }
      for (const inbound of waiting) join(inbound)
      waiting.clear()
    },
    async close() {
      for (const socket of [...[...pairs].flat(), ...waiting]) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
