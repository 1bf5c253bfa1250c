import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { RequestContext } from '../../src/api.ts'
import type { Application } from './adapters.contract.ts'

export const JSON_LIMIT = 4096

/** Of the application, with every answer. */
export const OWN_COOKIE = 'theme=dark; Path=/'

/** What GET /orders answers. */
export function ordersOf(
  user: { readonly userId: string } | undefined | null,
  { requestId, ip }: RequestContext,
): object {
  return { user: user?.userId, requestId, ip }
}

/** What the routes answer that only know their caller. */
export function callerOf(user: { readonly userId: string } | undefined | null): object {
  return { user: user?.userId ?? null }
}

/** What the error handling of each application says. */
export function tellFailure(error: unknown): string {
  return `the application saw ${(error as Error).message}`
}

/** A server that a framework has made and that listens. */
export function applicationOn(server: Server, end: () => Promise<unknown> = async () => undefined): Application {
  const { port } = server.address() as AddressInfo
  // Otherwise Node ends in five seconds what we should have ended.
  server.keepAliveTimeout = 0
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await end()
    },
  }
}
