import { createServer } from 'node:http'
import { createGatebook } from 'gatebook'
import { requireUser, toNodeHandler } from 'gatebook/node'
import { postgres } from 'gatebook/postgres'

export async function createApp(url, options = {}) {
  const gate = await createGatebook({ issuer: 'http://localhost:3000', database: postgres(url), ...options })
  const auth = toNodeHandler(gate)
  const hello = requireUser(gate, (_request, response, user) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ hello: user.userId }))
  })

  const server = createServer((request, response) => {
    if (request.url === '/hello') hello(request, response)
    // The whole API, and a problem document for whatever else is asked for.
    else auth(request, response)
  })
  return { server, gate }
}
