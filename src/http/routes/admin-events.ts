import { z } from 'zod'
import { GatebookError } from '../../errors.ts'
import { isId } from '../../util/id.ts'
import { asAdmin } from '../as-admin.ts'
import { defineRoute, type Route } from '../route.ts'
import { addressParameter, eventPageSchema, eventSchema, instantParameter, pageParameters } from '../schema.ts'
import { toWireEvent, toWirePage } from '../wire.ts'

/** Never a NUL, which PostgreSQL does not even compare with a text. */
const exact = z.string().regex(/^\P{Cc}{1,128}$/u)
/** Only ASCII: MySQL does not compare anything else with the columns of our own ids. */
const id = z.string().regex(/^\w{1,64}$/)

const eventQuery = z.strictObject({
  type: z.exactOptional(z.string().regex(/^[a-z0-9.-]{1,62}(\.\*)?$/)),
  outcome: z.exactOptional(z.enum(['success', 'failure', 'denied'])),
  reason: z.exactOptional(z.string().regex(/^[a-z-]{1,64}$/)),
  user: z.exactOptional(exact),
  identifier: z.exactOptional(z.string().min(1).max(320)),
  ip: z.exactOptional(addressParameter),
  session: z.exactOptional(id),
  request: z.exactOptional(exact),
  device: z.exactOptional(id),
  from: z.exactOptional(instantParameter),
  to: z.exactOptional(instantParameter),
  ...pageParameters,
})

export function adminEventRoutes(prefix: string): readonly Route[] {
  return [
    defineRoute({
      name: 'listEvents',
      method: 'GET',
      path: `${prefix}/api/events`,
      summary: 'Searches the log, newest first; all filters must hold. Leaves log.read.',
      auth: 'admin',
      query: eventQuery,
      responses: { 200: eventPageSchema },
      errors: ['ERR_CURSOR_INVALID'],
      async handle({ gate, claims, query, context }) {
        const { limit, cursor, ...filter } = query
        const page = { ...(limit === undefined ? {} : { limit }), ...(cursor === undefined ? {} : { cursor }) }
        const events = await gate.log.read(filter, page, asAdmin(context, claims))
        return { status: 200, body: toWirePage(events, toWireEvent) }
      },
    }),
    defineRoute({
      name: 'getEvent',
      method: 'GET',
      path: `${prefix}/api/events/{id}`,
      summary: 'One event.',
      auth: 'admin',
      responses: { 200: eventSchema },
      errors: ['ERR_EVENT_NOT_FOUND'],
      async handle({ gate, params: { id = '' } }) {
        const event = isId('event', id) ? await gate.log.find(id) : null
        if (event === null) throw new GatebookError('ERR_EVENT_NOT_FOUND')
        return { status: 200, body: toWireEvent(event) }
      },
    }),
  ]
}
