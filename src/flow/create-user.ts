/**
 * Make a user without a session: by an operator or the application, whatever `registration` says.
 *
 * Events: `user.registered`, and `role.granted` for each role.
 */
import type { RequestContext, User } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { normalizeIdentifier } from '../user/identifier.ts'
import { parseRole } from '../user/role.ts'
import { generateId } from '../util/id.ts'
import { eventSource } from './event-source.ts'
import { insertUser } from './insert-user.ts'
import type { FlowParts } from './parts.ts'
import type { RegisterInput } from './register.ts'

export async function createUser(
  parts: FlowParts,
  input: Omit<RegisterInput, 'invitation'> & { readonly roles?: readonly string[] },
  context: RequestContext = {},
): Promise<User> {
  const { settings, store } = parts
  const identifierKey = normalizeIdentifier(input.identifier)
  const roles = [...new Set((input.roles ?? []).map(parseRole))].sort()
  await parts.passwords.checkNew(input.password, identifierKey)
  const passwordHash = await parts.passwords.hash(input.password)
  const now = settings.clock.now()
  const userId = generateId('user', now)
  const { actor } = eventSource(context, { kind: 'application' })
  const user = {
    userId,
    identifier: input.identifier,
    identifierKey,
    passwordHash,
    createdAt: now,
    roles,
    confirmedAt: null,
  }
  try {
    await store.transaction((tx) => insertUser(parts, tx, user, { ...context, actor }))
  } catch (error) {
    if (!store.traits.isUniqueViolation(error)) throw error
    throw new GatebookError('ERR_IDENTIFIER_TAKEN')
  }
  return {
    id: userId,
    identifier: input.identifier.trim(),
    createdAt: now,
    confirmedAt: null,
    disabledAt: null,
    roles,
  }
}
