import type { RequestContext, SessionTokens } from '../api.ts'
import { checkGrant } from '../session/session-grant.ts'
import type { Transaction } from '../store/transaction.ts'
import { lockSubject } from '../user/subject.ts'
import { insertUser, type NewUser } from './insert-user.ts'
import type { FlowParts } from './parts.ts'
import { collectClaims, startSession } from './start-session.ts'

/**
 * Makes a user and logs them in, in one transaction. Leaves `user.registered`, `role.granted` for each role and
 * `login.succeeded`. `before` runs first in the transaction, and what it returns runs last; when it throws, nothing
 * happened. Fails with the engine's unique violation when the name is taken.
 */
export async function startFirstSession(
  parts: FlowParts,
  user: NewUser,
  context: RequestContext,
  before: (tx: Transaction) => Promise<() => Promise<void>>,
): Promise<SessionTokens> {
  const { userId, roles } = user
  const prepared = {
    grant: checkGrant(),
    roles,
    claims: await collectClaims(parts, { userId, roles }, {}),
    knownDeviceId: null,
    context,
    loginEvent: {
      identifier: parts.identifiers.describe(user.identifier, user.identifierKey, true),
      data: { known_device: false },
    },
  }
  return parts.store.transaction(async (tx) => {
    const after = await before(tx)
    await insertUser(parts, tx, user, context)
    const subject = await lockSubject(tx, userId, user.createdAt)
    const tokens = await startSession(parts, tx, subject, prepared)
    await after()
    return tokens
  })
}
