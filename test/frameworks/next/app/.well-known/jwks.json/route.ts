import { toRouteHandlers } from 'gatebook/next'
import { connection, gate } from '../../../gate'

export const { GET, HEAD, OPTIONS } = toRouteHandlers(gate, connection)
