import { z } from 'zod'
import type { EventFilter } from '../../api.ts'
import { GatebookError } from '../../errors.ts'
import { toWireReceipt } from '../../log/receipt.ts'
import { parseQuery } from '../../query/parse-query.ts'
import { QueryError, refuseQuery } from '../../query/query-error.ts'
import { isId } from '../../util/id.ts'
import { asAdmin } from '../as-admin.ts'
import type { RouteSettings } from '../paths.ts'
import { defineRoute, type Route } from '../route.ts'
import {
  addressParameter,
  eventPageSchema,
  eventSchema,
  instantParameter,
  pageParameters,
  queryParameter,
  receiptSchema,
  timeZoneParameter,
} from '../schema.ts'
import { toWireEvent, toWirePage } from '../wire.ts'

/** JSON for whoever names it and not the text, which is what another tool takes. */
function wantsJson(accept: string | null): boolean {
  const types = (accept ?? '').split(',').map((part) => part.split(';', 1)[0]!.trim().toLowerCase())
  return types.includes('application/json') && !types.includes('text/plain')
}

/** Never a NUL, which PostgreSQL does not even compare with a text. */
const exact = z.string().regex(/^\P{Cc}{1,128}$/u)
/** Only ASCII: MySQL does not compare anything else with the columns of our own ids. */
const id = z.string().regex(/^\w{1,64}$/)

const eventQuery = z.strictObject({
  q: z.exactOptional(queryParameter),
  time_zone: z.exactOptional(timeZoneParameter),
  type: z.exactOptional(z.string().regex(/^[a-z0-9.-]{1,62}(\.\*)?$/)),
  outcome: z.exactOptional(z.enum(['success', 'failure', 'denied'])),
  reason: z.exactOptional(z.string().regex(/^[a-z-]{1,64}$/)),
  user: z.exactOptional(exact),
  identifier: z.exactOptional(z.string().min(1).max(320)),
  ip: z.exactOptional(addressParameter),
  session: z.exactOptional(id),
  event: z.exactOptional(id),
  request: z.exactOptional(exact),
  device: z.exactOptional(id),
  from: z.exactOptional(instantParameter),
  to: z.exactOptional(instantParameter),
  ...pageParameters,
})

/** What the parameters of a search say, but for pages. */
export type Asked = Omit<EventFilter, 'not'> & { readonly q?: string; readonly time_zone?: string }

/** Of `q`, or of the other parameters. Throws ERR_QUERY_INVALID for both, since one of them would be overlooked. */
export function toFilter({ q, time_zone: timeZone, ...others }: Asked, now: number): EventFilter {
  const given = Object.keys(others)
  if (q === undefined) {
    if (timeZone === undefined) return others
    throw new GatebookError('ERR_QUERY_INVALID', { members: { members: ['time_zone'], expected: 'only beside q' } })
  }
  if (given.length > 0) {
    throw new GatebookError('ERR_QUERY_INVALID', { members: { members: ['q', ...given], expected: 'one of them' } })
  }
  try {
    return parseQuery(q, { now, timeZone: timeZone ?? 'UTC' }).filter
  } catch (error) {
    throw error instanceof QueryError ? refuseQuery(error) : error
  }
}

export function adminEventRoutes(prefix: string, { clock }: Pick<RouteSettings, 'clock'>): readonly Route[] {
  return [
    defineRoute({
      name: 'listEvents',
      method: 'GET',
      path: `${prefix}/api/events`,
      summary:
        'Searches the log, newest first, by `q` or by the other parameters, all of which must hold. Leaves log.read.',
      auth: 'admin',
      query: eventQuery,
      responses: { 200: eventPageSchema },
      errors: ['ERR_CURSOR_INVALID'],
      async handle({ gate, claims, query, context }) {
        const { limit, cursor, ...asked } = query
        const page = { ...(limit === undefined ? {} : { limit }), ...(cursor === undefined ? {} : { cursor }) }
        const events = await gate.log.read(toFilter(asked, clock.now()), page, asAdmin(context, claims))
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
    defineRoute({
      name: 'proveEvent',
      method: 'GET',
      path: `${prefix}/api/events/{id}/proof`,
      summary:
        'That an event stands in the log: as C2SP tlog-proof, or as JSON with the entry and what it commits to. Leaves log.exported.',
      auth: 'admin',
      responses: { 200: receiptSchema },
      types: ['text/plain', 'application/json'],
      errors: ['ERR_EVENT_NOT_FOUND', 'ERR_EVENT_PENDING', 'ERR_ENTRY_PRUNED', 'ERR_LOG_TAMPERED'],
      async handle({ gate, claims, params: { id = '' }, accept, context }) {
        const receipt = await gate.log.prove(id, asAdmin(context, claims))
        // One address has two answers.
        const headers = { Vary: 'Accept' }
        return wantsJson(accept)
          ? { status: 200, body: toWireReceipt(receipt), headers }
          : { status: 200, text: receipt.proof, headers }
      },
    }),
  ]
}
