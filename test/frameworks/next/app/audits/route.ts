import { withUser } from 'gatebook/next'
import { connection, gate } from '../../gate'

export const GET = withUser(gate, (_request, { userId }) => Response.json({ user: userId }), {
  role: 'admin',
  maxAgeSeconds: 60,
  ...connection,
})
