import { withRole } from 'gatebook/next'
import { connection, gate } from '../../gate'

export const GET = withRole(gate, 'admin', (_request, { userId }) => Response.json({ user: userId }), connection)
