import { withOptionalUser } from 'gatebook/next'
import { connection, gate } from '../../gate'

export const GET = withOptionalUser(gate, (_request, user) => Response.json({ user: user?.userId ?? null }), connection)
