import { z } from 'zod'
import { asAdmin } from '../as-admin.ts'
import { defineRoute, type Route } from '../route.ts'
import { clientPageSchema, newClientSchema, pageParameters } from '../schema.ts'
import { toWireClient, toWireNewClient, toWirePage } from '../wire.ts'

export function adminClientRoutes(prefix: string): readonly Route[] {
  const path = `${prefix}/api/clients`
  return [
    defineRoute({
      name: 'listClients',
      method: 'GET',
      path,
      summary: 'The programs that may ask about tokens, newest first, the revoked ones too.',
      auth: 'admin',
      query: z.strictObject(pageParameters),
      responses: { 200: clientPageSchema },
      errors: ['ERR_CURSOR_INVALID'],
      async handle({ gate, query }) {
        return { status: 200, body: toWirePage(await gate.clients.list(query), toWireClient) }
      },
    }),
    defineRoute({
      name: 'createClient',
      method: 'POST',
      path,
      summary:
        'Adds a program, or an application that users are handed over to; the answer shows its secret this once.',
      auth: 'admin',
      body: z.strictObject({
        name: z.string(),
        redirect_uris: z.exactOptional(z.array(z.string())),
        public: z.exactOptional(z.boolean()),
      }),
      responses: { 201: newClientSchema },
      errors: ['ERR_CLIENT_NAME_INVALID', 'ERR_REDIRECT_URI_INVALID'],
      async handle({ gate, claims, body, context }) {
        const { name, redirect_uris: redirectUris = [], public: isPublic = false } = body
        const create = isPublic ? gate.clients.createPublic : gate.clients.create
        const client = await create({ name, redirectUris }, asAdmin(context, claims))
        return { status: 201, body: toWireNewClient(client) }
      },
    }),
    defineRoute({
      name: 'revokeClient',
      method: 'DELETE',
      path: `${path}/{id}`,
      summary: 'Makes the secret of a program good for nothing. Idempotent.',
      auth: 'admin',
      responses: { 204: null },
      errors: ['ERR_CLIENT_NOT_FOUND'],
      async handle({ gate, claims, params: { id = '' }, context }) {
        await gate.clients.revoke(id, asAdmin(context, claims))
        return { status: 204 }
      },
    }),
  ]
}
