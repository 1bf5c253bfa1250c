import { z } from 'zod'
import { asAdmin } from '../as-admin.ts'
import { defineRoute, type Route } from '../route.ts'
import { erasurePreviewSchema, erasureReportSchema, holdListSchema, holdSchema } from '../schema.ts'
import { toWireErasurePreview, toWireErasureReport, toWireHold } from '../wire.ts'

const reference = z.exactOptional(z.string())
const instant = z.exactOptional(z.int().min(0))

export function adminForgettingRoutes(prefix: string): readonly Route[] {
  const data = `${prefix}/api/users/{id}/personal-data`
  const erasures = `${prefix}/api/erasures`
  const holds = `${prefix}/api/holds`
  return [
    defineRoute({
      name: 'previewErasure',
      method: 'GET',
      path: data,
      summary: 'What erasing the personal data of this user would take, and which holds stand against it.',
      auth: 'admin',
      responses: { 200: erasurePreviewSchema },
      errors: ['ERR_USER_NOT_FOUND', 'ERR_USER_ID_INVALID'],
      async handle({ gate, params: { id = '' } }) {
        return { status: 200, body: toWireErasurePreview(await gate.log.previewErasure({ userId: id })) }
      },
    }),
    defineRoute({
      name: 'erasePersonalData',
      method: 'DELETE',
      path: data,
      summary: 'Deletes the user and erases all personal data about them, also in the log. Cannot be taken back.',
      auth: 'admin',
      query: z.strictObject({ reference }),
      responses: { 200: erasureReportSchema },
      errors: ['ERR_USER_NOT_FOUND', 'ERR_USER_ID_INVALID', 'ERR_HELD', 'ERR_REFERENCE_INVALID'],
      async handle({ gate, claims, params: { id = '' }, query, context }) {
        const report = await gate.log.erase({ userId: id }, query, asAdmin(context, claims))
        return { status: 200, body: toWireErasureReport(report) }
      },
    }),
    defineRoute({
      name: 'previewIdentifierErasure',
      method: 'POST',
      path: `${erasures}/preview`,
      summary:
        'What erasing an identifier would take: of its user, or of attempts under a name that is nobody’s. It is in the body, since addresses of requests are written down on their way.',
      auth: 'admin',
      body: z.strictObject({ identifier: z.string() }),
      responses: { 200: erasurePreviewSchema },
      errors: ['ERR_IDENTIFIER_INVALID'],
      async handle({ gate, body }) {
        return { status: 200, body: toWireErasurePreview(await gate.log.previewErasure(body)) }
      },
    }),
    defineRoute({
      name: 'eraseIdentifier',
      method: 'POST',
      path: erasures,
      summary: 'Erases all personal data about an identifier, and its user where there is one. Cannot be taken back.',
      auth: 'admin',
      body: z.strictObject({ identifier: z.string(), reference }),
      responses: { 200: erasureReportSchema },
      errors: ['ERR_IDENTIFIER_INVALID', 'ERR_HELD', 'ERR_REFERENCE_INVALID'],
      async handle({ gate, claims, body: { identifier, ...options }, context }) {
        const report = await gate.log.erase({ identifier }, options, asAdmin(context, claims))
        return { status: 200, body: toWireErasureReport(report) }
      },
    }),
    defineRoute({
      name: 'listHolds',
      method: 'GET',
      path: holds,
      summary: 'The legal holds that are in force, oldest first.',
      auth: 'admin',
      responses: { 200: holdListSchema },
      async handle({ gate }) {
        return { status: 200, body: { items: (await gate.log.holds.list()).map(toWireHold) } }
      },
    }),
    defineRoute({
      name: 'addHold',
      method: 'POST',
      path: holds,
      summary: 'Keeps what matches every condition from expiring and from being erased; everything, without any.',
      auth: 'admin',
      body: z.strictObject({
        user_id: z.exactOptional(z.string()),
        identifier: z.exactOptional(z.string()),
        from: instant,
        to: instant,
        reason: z.string(),
        reference,
      }),
      responses: { 201: holdSchema },
      errors: ['ERR_HOLD_INVALID', 'ERR_REFERENCE_INVALID', 'ERR_USER_ID_INVALID', 'ERR_IDENTIFIER_INVALID'],
      async handle({ gate, claims, body: { user_id: userId, ...rest }, context }) {
        const input = { ...rest, ...(userId !== undefined && { userId }) }
        return { status: 201, body: toWireHold(await gate.log.holds.add(input, asAdmin(context, claims))) }
      },
    }),
    defineRoute({
      name: 'releaseHold',
      method: 'DELETE',
      path: `${holds}/{id}`,
      summary: 'Ends a hold.',
      auth: 'admin',
      responses: { 204: null },
      errors: ['ERR_HOLD_NOT_FOUND'],
      async handle({ gate, claims, params: { id = '' }, context }) {
        await gate.log.holds.release(id, asAdmin(context, claims))
        return { status: 204 }
      },
    }),
  ]
}
