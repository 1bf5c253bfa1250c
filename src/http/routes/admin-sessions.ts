import { z } from 'zod'
import type { Gatebook, PageOptions, Session } from '../../api.ts'
import { GatebookError } from '../../errors.ts'
import { findEndEvent } from '../../session/find-end-event.ts'
import { isId } from '../../util/id.ts'
import { asAdmin } from '../as-admin.ts'
import { defineRoute, type Route } from '../route.ts'
import {
  endedSchema,
  pageParameters,
  sessionDetailSchema,
  sessionPageSchema,
  sessionRecordPageSchema,
} from '../schema.ts'
import { toWirePage, toWireSession, toWireSessionDetail, toWireSessionRecord } from '../wire.ts'
import { getUser } from './admin-users.ts'

export function adminSessionRoutes(prefix: string): readonly Route[] {
  return [
    defineRoute({
      name: 'listUserSessions',
      method: 'GET',
      path: `${prefix}/api/users/{id}/sessions`,
      summary: 'The live sessions of a user, newest first, all at once; or those that have ended, the last one first.',
      auth: 'admin',
      query: z.strictObject({ ended: z.exactOptional(z.enum(['true', 'false'])), ...pageParameters }),
      responses: { 200: sessionPageSchema },
      errors: ['ERR_USER_NOT_FOUND', 'ERR_USER_ID_INVALID', 'ERR_CURSOR_INVALID'],
      async handle({ gate, params: { id = '' }, query: { ended, ...page } }) {
        if (ended !== 'true') refusePaging(page)
        const user = await getUser(gate, id)
        const sessions =
          ended === 'true'
            ? await gate.sessions.listEnded(user.id, page)
            : { items: await gate.sessions.list(user.id), next: null }
        return { status: 200, body: toWirePage(sessions, toWireSession) }
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
      name: 'listSessions',
      method: 'GET',
      path: `${prefix}/api/sessions`,
      summary: 'Sessions, the last begun first, with how they went: of one user, or all of everybody.',
      auth: 'admin',
      query: z.strictObject({
        user: z.exactOptional(z.string().regex(/^\P{Cc}{1,128}$/u)),
        state: z.exactOptional(z.enum(['live', 'ended', 'all'])),
        ...pageParameters,
      }),
      responses: { 200: sessionRecordPageSchema },
      errors: ['ERR_CURSOR_INVALID', 'ERR_USER_ID_INVALID'],
      async handle({ gate, query: { user, state, ...page } }) {
        const filter = { ...(user !== undefined && { userId: user }), ...(state !== undefined && { state }) }
        return { status: 200, body: toWirePage(await gate.sessions.search(filter, page), toWireSessionRecord) }
      },
    }),
    defineRoute({
      name: 'getSession',
      method: 'GET',
      path: `${prefix}/api/sessions/{id}`,
      summary: 'One session, with the event that ended it.',
      auth: 'admin',
      responses: { 200: sessionDetailSchema },
      errors: ['ERR_SESSION_NOT_FOUND'],
      async handle({ gate, params: { id = '' } }) {
        const session = await getSession(gate, id)
        return { status: 200, body: toWireSessionDetail(session, await findEndEvent(gate, session)) }
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
        const session = await getSession(gate, id)
        await gate.sessions.end(session.id, 'ended-by-admin', asAdmin(context, claims))
        return { status: 204 }
      },
    }),
  ]
}

/** Throws ERR_SESSION_NOT_FOUND. */
async function getSession(gate: Gatebook, id: string): Promise<Session> {
  const session = isId('session', id) ? await gate.sessions.find(id) : null
  if (session === null) throw new GatebookError('ERR_SESSION_NOT_FOUND')
  return session
}

/** Live sessions are as many as `sessionsPerUser` allows and come at once: a page of them would be taken for all. */
function refusePaging(page: PageOptions): void {
  const given = Object.keys(page)
  if (given.length > 0) throw new GatebookError('ERR_QUERY_INVALID', { members: { members: given } })
}
