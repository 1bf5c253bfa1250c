import { withUser } from 'gatebook/next'
import { unlucky } from '../../gate'

export const GET = withUser(unlucky, () => new Response('never'))
