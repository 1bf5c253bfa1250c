import { z } from 'zod'
import { asAdmin } from '../as-admin.ts'
import { defineRoute, type Route } from '../route.ts'
import { invitationPageSchema, newInvitationSchema, pageParameters } from '../schema.ts'
import { toWireInvitation, toWireNewInvitation, toWirePage } from '../wire.ts'

const roles = z.array(z.string().regex(/^[a-z0-9_:.-]{1,64}$/)).max(64)

const input = z.strictObject({
  identifier: z.exactOptional(z.string()),
  roles: z.exactOptional(roles),
  expires_in: z.exactOptional(z.int().min(60).max(7_776_000)),
  send: z.exactOptional(z.boolean()),
})

export function adminInvitationRoutes(prefix: string): readonly Route[] {
  const path = `${prefix}/api/invitations`
  return [
    defineRoute({
      name: 'listInvitations',
      method: 'GET',
      path,
      summary: 'The invitations, newest first; without their tokens, which nobody can show again.',
      auth: 'admin',
      query: z.strictObject(pageParameters),
      responses: { 200: invitationPageSchema },
      errors: ['ERR_CURSOR_INVALID'],
      async handle({ gate, query }) {
        return { status: 200, body: toWirePage(await gate.invitations.list(query), toWireInvitation) }
      },
    }),
    defineRoute({
      name: 'createInvitation',
      method: 'POST',
      path,
      summary: 'Makes an invitation; the answer shows its token this once.',
      auth: 'admin',
      body: input,
      responses: { 201: newInvitationSchema },
      errors: ['ERR_IDENTIFIER_INVALID', 'ERR_IDENTIFIER_NOT_EMAIL', 'ERR_MAIL_UNAVAILABLE'],
      async handle({ gate, claims, body: { expires_in: seconds, ...rest }, context }) {
        const wanted = { ...rest, ...(seconds !== undefined && { expiresInSeconds: seconds }) }
        const invitation = await gate.invitations.create(wanted, asAdmin(context, claims))
        return { status: 201, body: toWireNewInvitation(invitation) }
      },
    }),
    defineRoute({
      name: 'revokeInvitation',
      method: 'DELETE',
      path: `${path}/{id}`,
      summary: 'Makes an invitation void. Idempotent.',
      auth: 'admin',
      responses: { 204: null },
      errors: ['ERR_INVITATION_NOT_FOUND'],
      async handle({ gate, claims, params: { id = '' }, context }) {
        await gate.invitations.revoke(id, asAdmin(context, claims))
        return { status: 204 }
      },
    }),
  ]
}
