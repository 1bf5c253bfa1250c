import { GatebookError } from '../../errors.ts'
import { asAdmin } from '../as-admin.ts'
import { defineRoute, type Route } from '../route.ts'
import { signingKeyListSchema, signingKeySchema } from '../schema.ts'
import { toWireSigningKey } from '../wire.ts'

export function adminKeyRoutes(prefix: string): readonly Route[] {
  const path = `${prefix}/api/keys`
  return [
    defineRoute({
      name: 'listKeys',
      method: 'GET',
      path,
      summary: 'The signing keys, newest first, those that have ended too.',
      auth: 'admin',
      responses: { 200: signingKeyListSchema },
      async handle({ gate }) {
        return { status: 200, body: { items: (await gate.keys.list()).map(toWireSigningKey) } }
      },
    }),
    defineRoute({
      name: 'rotateKey',
      method: 'POST',
      path: `${path}/rotate`,
      summary: 'Makes the key that signs next, or says which one does.',
      auth: 'admin',
      responses: { 201: signingKeySchema },
      errors: ['ERR_KEY_SHARED'],
      async handle({ gate, claims, context }) {
        return { status: 201, body: toWireSigningKey(await gate.keys.rotate(asAdmin(context, claims))) }
      },
    }),
    defineRoute({
      name: 'revokeKey',
      method: 'POST',
      path: `${path}/{id}/revoke`,
      summary: 'Ends a key at once: what it has signed is refused, and clients refresh. Idempotent.',
      auth: 'admin',
      responses: { 204: null },
      errors: ['ERR_KEY_NOT_FOUND'],
      async handle({ gate, claims, params: { id = '' }, context }) {
        if (!/^[\w-]{1,64}$/.test(id)) throw new GatebookError('ERR_KEY_NOT_FOUND')
        await gate.keys.revoke(id, asAdmin(context, claims))
        return { status: 204 }
      },
    }),
  ]
}
