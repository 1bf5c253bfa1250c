import { toRouteHandlers } from 'gatebook/next'
import { connection, gate } from '../../../gate'

export const { GET, HEAD, POST, PATCH, DELETE, OPTIONS } = toRouteHandlers(gate, connection)
