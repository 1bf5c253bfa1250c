import { middleware } from 'gatebook/next'
import { connection, gate } from './gate'

export const proxy = middleware(gate, connection)

export const config = { matcher: ['/guarded/:path*', '/auth/:path*'] }
