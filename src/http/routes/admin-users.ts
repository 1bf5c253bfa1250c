import { z } from 'zod'
import type { Gatebook, RequestContext, User } from '../../api.ts'
import { GatebookError } from '../../errors.ts'
import { asAdmin } from '../as-admin.ts'
import { defineRoute, type Route } from '../route.ts'
import { pageParameters, userListSchema, userPageSchema, userSchema } from '../schema.ts'
import { toWirePage, toWireUser } from '../wire.ts'

/** Checked here too, so that a bad role is refused before the first change. */
const roles = z.array(z.string().regex(/^[a-z0-9_:.-]{1,64}$/)).max(64)

const changes = z.strictObject({ disabled: z.boolean().optional(), roles: roles.optional() })

export function adminUserRoutes(prefix: string): readonly Route[] {
  const path = `${prefix}/api/users`
  return [
    defineRoute({
      name: 'listUsers',
      method: 'GET',
      path,
      summary: 'The users, newest first; or the one with this identifier; or those whose identifiers begin like this.',
      auth: 'admin',
      query: z.strictObject({
        identifier: z.string().min(1).max(320).optional(),
        starts_with: z.string().min(1).max(320).optional(),
        ...pageParameters,
      }),
      responses: { 200: userPageSchema },
      errors: ['ERR_CURSOR_INVALID', 'ERR_IDENTIFIER_INVALID'],
      async handle({ gate, query: { identifier, starts_with: beginning, ...page } }) {
        if (identifier !== undefined && beginning !== undefined) {
          throw new GatebookError('ERR_QUERY_INVALID', { members: { members: ['identifier', 'starts_with'] } })
        }
        if (beginning !== undefined) {
          return { status: 200, body: toWirePage(await gate.users.search(beginning, page), toWireUser) }
        }
        if (identifier === undefined) return { status: 200, body: toWirePage(await gate.users.list(page), toWireUser) }
        const user = await gate.users.findByIdentifier(identifier)
        return { status: 200, body: { items: user === null ? [] : [toWireUser(user)], next: null } }
      },
    }),
    defineRoute({
      name: 'createUser',
      method: 'POST',
      path,
      summary: 'Makes a user, also where registration is closed.',
      auth: 'admin',
      body: z.strictObject({ identifier: z.string(), password: z.string(), roles: roles.optional() }),
      responses: { 201: userSchema },
      errors: [
        'ERR_IDENTIFIER_TAKEN',
        'ERR_IDENTIFIER_INVALID',
        'ERR_PASSWORD_TOO_SHORT',
        'ERR_PASSWORD_TOO_LONG',
        'ERR_PASSWORD_COMMON',
        'ERR_PASSWORD_MATCHES_IDENTIFIER',
        'ERR_PASSWORD_MALFORMED',
        'ERR_OVERLOADED',
      ],
      async handle({ gate, claims, body: { identifier, password, roles }, context }) {
        const input = { identifier, password, ...(roles === undefined ? {} : { roles: [...new Set(roles)] }) }
        return { status: 201, body: toWireUser(await gate.users.create(input, asAdmin(context, claims))) }
      },
    }),
    defineRoute({
      name: 'getUser',
      method: 'GET',
      path: `${path}/{id}`,
      summary: 'One user.',
      auth: 'admin',
      responses: { 200: userSchema },
      errors: ['ERR_USER_NOT_FOUND', 'ERR_USER_ID_INVALID'],
      async handle({ gate, params: { id = '' } }) {
        return { status: 200, body: toWireUser(await getUser(gate, id)) }
      },
    }),
    defineRoute({
      name: 'listLookalikes',
      method: 'GET',
      path: `${path}/{id}/lookalikes`,
      summary: 'Others whose identifiers can be taken for the one of this user; at most 50.',
      auth: 'admin',
      responses: { 200: userListSchema },
      errors: ['ERR_USER_NOT_FOUND', 'ERR_USER_ID_INVALID'],
      async handle({ gate, params: { id = '' } }) {
        const items = await gate.users.lookalikes((await getUser(gate, id)).id)
        return { status: 200, body: { items: items.map(toWireUser) } }
      },
    }),
    defineRoute({
      name: 'changeUser',
      method: 'PATCH',
      path: `${path}/{id}`,
      summary: 'Disables or enables a user, sets its roles. Each difference is a change and an event of its own.',
      auth: 'admin',
      body: changes,
      responses: { 200: userSchema },
      errors: ['ERR_USER_NOT_FOUND', 'ERR_USER_ID_INVALID'],
      async handle({ gate, claims, params: { id = '' }, body, context }) {
        await changeUser(gate, await getUser(gate, id), body, asAdmin(context, claims))
        return { status: 200, body: toWireUser(await getUser(gate, id)) }
      },
    }),
  ]
}

/** Throws ERR_USER_NOT_FOUND. */
export async function getUser(gate: Gatebook, id: string): Promise<User> {
  const user = await gate.users.find(id)
  if (user === null) throw new GatebookError('ERR_USER_NOT_FOUND')
  return user
}

/** What takes rights away comes first, so that a failure on the way never leaves more of them than were asked for. */
async function changeUser(
  gate: Gatebook,
  user: User,
  wanted: z.infer<typeof changes>,
  context: RequestContext,
): Promise<void> {
  const roles = new Set(wanted.roles ?? user.roles)
  if (wanted.disabled === true) await gate.users.disable(user.id, context)
  for (const role of user.roles) if (!roles.has(role)) await gate.users.revokeRole(user.id, role, context)
  for (const role of roles) if (!user.roles.includes(role)) await gate.users.grantRole(user.id, role, context)
  if (wanted.disabled === false) await gate.users.enable(user.id, context)
}
