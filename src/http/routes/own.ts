import { z } from 'zod'
import { GatebookError } from '../../errors.ts'
import { isId } from '../../util/id.ts'
import { defineRoute, type Route } from '../route.ts'
import { activityPageSchema, pageParameters, sessionListSchema } from '../schema.ts'
import { toWireActivity, toWirePage, toWireSession } from '../wire.ts'

/** What users see and end of their own. */
export const ownRoutes: readonly Route[] = [
  defineRoute({
    name: 'listOwnSessions',
    method: 'GET',
    path: '/auth/sessions',
    summary: 'The live sessions of the caller, newest first.',
    auth: 'own',
    responses: { 200: sessionListSchema },
    async handle({ gate, claims }) {
      const sessions = await gate.sessions.list(claims.userId)
      return { status: 200, body: { items: sessions.map(toWireSession) } }
    },
  }),
  defineRoute({
    name: 'endOwnSession',
    method: 'DELETE',
    path: '/auth/sessions/{id}',
    summary: 'Ends one session of the caller. Idempotent.',
    auth: 'own',
    responses: { 204: null },
    errors: ['ERR_SESSION_NOT_FOUND'],
    async handle({ gate, claims, params: { id = '' }, context }) {
      const session = isId('session', id) ? await gate.sessions.find(id) : null
      // Somebody else's session is answered like none, so that ids cannot be tried out.
      if (session === null || session.userId !== claims.userId) throw new GatebookError('ERR_SESSION_NOT_FOUND')
      await gate.sessions.end(session.id, 'ended-by-user', { ...context, actor: { kind: 'user', id: claims.userId } })
      return { status: 204 }
    },
  }),
  defineRoute({
    name: 'listOwnActivity',
    method: 'GET',
    path: '/auth/activity',
    summary: 'The history of the caller, newest first.',
    auth: 'own',
    query: z.strictObject(pageParameters),
    responses: { 200: activityPageSchema },
    errors: ['ERR_CURSOR_INVALID'],
    async handle({ gate, claims, query }) {
      const page = await gate.log.activity(claims.userId, query)
      return { status: 200, body: toWirePage(page, toWireActivity) }
    },
  }),
  defineRoute({
    name: 'disown',
    method: 'POST',
    path: '/auth/activity/{id}/disown',
    summary:
      '"This was not me": ends the session behind an event of the caller. Ask for a new password next. Idempotent.',
    auth: 'own',
    responses: { 204: null },
    errors: ['ERR_EVENT_NOT_FOUND', 'ERR_EVENT_NOT_DISOWNABLE'],
    async handle({ gate, claims: { userId }, params: { id: eventId = '' }, context }) {
      await gate.sessions.disown({ userId, eventId }, { ...context, actor: { kind: 'user', id: userId } })
      return { status: 204 }
    },
  }),
]
