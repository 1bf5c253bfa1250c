import { withUser } from 'gatebook/next'
import { connection, gate } from '../../gate'

export const GET = withUser(
  gate,
  () => {
    throw new RangeError('broken')
  },
  connection,
)
