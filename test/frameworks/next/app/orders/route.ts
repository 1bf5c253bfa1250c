import { requestContext, withUser } from 'gatebook/next'
import { connection, gate } from '../../gate'

export const GET = withUser(
  gate,
  async (request, { userId }) => {
    const { requestId, ip } = requestContext(await gate(), request, connection)
    return Response.json({ user: userId, requestId, ip })
  },
  connection,
)

export const POST = withUser(
  gate,
  async (request, { userId }) => Response.json({ user: userId, body: await request.json() }),
  connection,
)
