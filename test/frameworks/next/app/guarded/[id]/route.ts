import { withUser } from 'gatebook/next'
import { connection, gate } from '../../../gate'

/** Behind `proxy.ts`, and with a parameter. */
export const GET = withUser<{ params: Promise<{ id: string }> }>(
  gate,
  async (_request, { userId }, { params }) => Response.json({ user: userId, id: (await params).id }),
  connection,
)
