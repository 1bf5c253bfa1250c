import type { Server } from 'node:http'
import type { UnderWay } from './under-way.ts'

/**
 * Ends an HTTP server without breaking off what it has begun: new connections are refused at once, idle ones closed,
 * requests under way get `seconds` to finish. Returns how many were broken off then.
 */
export async function drain(server: Server, underWay: UnderWay, seconds: number): Promise<number> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  // A connection whose request ends now is not kept for a next one, or its client would hold the server up.
  for (const response of underWay.all()) response.shouldKeepAlive = false
  server.closeIdleConnections()
  // A response whose header had gone out already has promised to keep its connection.
  const sweep = setInterval(() => server.closeIdleConnections(), 50)
  let cut = 0
  const deadline = setTimeout(() => {
    cut = underWay.all().length
    server.closeAllConnections()
  }, seconds * 1000)
  await closed
  clearInterval(sweep)
  clearTimeout(deadline)
  return cut
}
