import { GatebookError } from '../../errors.ts'
import { isId } from '../../util/id.ts'
import { asAdmin } from '../as-admin.ts'
import { defineRoute, type Route } from '../route.ts'
import { endedSchema, sessionListSchema } from '../schema.ts'
import { toWireSession } from '../wire.ts'
import { getUser } from './admin-users.ts'

export function adminSessionRoutes(prefix: string): readonly Route[] {
  return [
    defineRoute({
      name: 'listUserSessions',
      method: 'GET',
      path: `${prefix}/api/users/{id}/sessions`,
      summary: 'The live sessions of a user, newest first.',
      auth: 'admin',
      responses: { 200: sessionListSchema },
      errors: ['ERR_USER_NOT_FOUND', 'ERR_USER_ID_INVALID'],
      async handle({ gate, params: { id = '' } }) {
        const sessions = await gate.sessions.list((await getUser(gate, id)).id)
        return { status: 200, body: { items: sessions.map(toWireSession) } }
      },
    }),
    defineRoute({
      name: 'endUserSessions',
      method: 'POST',
      path: `${prefix}/api/users/{id}/sessions/end`,
      summary: 'Ends all sessions of a user; says how many there were.',
      auth: 'admin',
      responses: { 200: endedSchema },
      errors: ['ERR_USER_NOT_FOUND', 'ERR_USER_ID_INVALID'],
      async handle({ gate, claims, params: { id = '' }, context }) {
        const user = await getUser(gate, id)
        return {
          status: 200,
          body: { ended: await gate.sessions.endAll(user.id, 'ended-by-admin', asAdmin(context, claims)) },
        }
      },
    }),
    defineRoute({
      name: 'endSession',
      method: 'DELETE',
      path: `${prefix}/api/sessions/{id}`,
      summary: 'Ends one session. Idempotent.',
      auth: 'admin',
      responses: { 204: null },
      errors: ['ERR_SESSION_NOT_FOUND'],
      async handle({ gate, claims, params: { id = '' }, context }) {
        const session = isId('session', id) ? await gate.sessions.find(id) : null
        if (session === null) throw new GatebookError('ERR_SESSION_NOT_FOUND')
        await gate.sessions.end(session.id, 'ended-by-admin', asAdmin(context, claims))
        return { status: 204 }
      },
    }),
  ]
}
