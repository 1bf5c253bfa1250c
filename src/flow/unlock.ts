/**
 * Set back the throttle of an account, so that its user can try again at once.
 *
 * Events: `throttle.unlocked`, when there was anything to set back.
 */
import type { RequestContext } from '../api.ts'
import { normalizeIdentifier } from '../user/identifier.ts'
import { findLoginProfile } from '../user/profile.ts'
import { accountOf } from './attempt.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

/** `name`: an identifier, or the id of a user of either kind. The number of counters that were set back. */
export async function unlock(parts: FlowParts, name: string, context: RequestContext = {}): Promise<number> {
  const identifierKey = normalizeIdentifier(name)
  const profile = await findLoginProfile(parts.store, { identifierKey })
  const userId = profile?.id ?? name
  return parts.store.transaction(async (tx) => {
    const ofUser = await parts.throttle.unlock(tx, accountOf(userId, identifierKey))
    const ofName = await parts.throttle.unlock(tx, accountOf(null, identifierKey))
    const counters = ofUser + ofName
    const isName = profile !== null || ofName > 0
    if (counters > 0) {
      await parts.log.append(tx, [
        {
          ...eventSource(context, { kind: 'application' }),
          type: 'throttle.unlocked',
          outcome: 'success',
          ...((profile !== null || ofUser > 0) && { subject: userId }),
          ...(isName && { identifier: parts.identifiers.describe(name, identifierKey, profile !== null) }),
          data: { counters },
        },
      ])
    }
    return counters
  })
}
