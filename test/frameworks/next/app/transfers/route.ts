import { withFresh } from 'gatebook/next'
import { connection, gate } from '../../gate'

export const GET = withFresh(gate, 60, (_request, { userId }) => Response.json({ user: userId }), connection)
