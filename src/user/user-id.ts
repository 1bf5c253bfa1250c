import { GatebookError } from '../errors.ts'
import { CAPS, isPrintable } from '../event/redact.ts'
import { ID_PREFIXES, isId } from '../util/id.ts'

/**
 * A user id as it is stored: `usr_…` of Gatebook's own users, or the application's value, numbers as decimal text.
 * Throws ERR_USER_ID_INVALID, also for `usr_` in front of anything that Gatebook did not make.
 */
export function parseUserId(userId: string | number): string {
  if (typeof userId === 'number') {
    if (!Number.isSafeInteger(userId)) throw new GatebookError('ERR_USER_ID_INVALID')
    return String(userId)
  }
  const length = userId.length
  if (length === 0 || length > CAPS.subject || userId.trim() !== userId || !isPrintable(userId)) {
    throw new GatebookError('ERR_USER_ID_INVALID')
  }
  if (userId.startsWith(ID_PREFIXES.user) && !isId('user', userId)) throw new GatebookError('ERR_USER_ID_INVALID')
  return userId
}

/** The same for an application's own user, where an id of Gatebook's would be a mistake. */
export function parseApplicationUserId(userId: string | number): string {
  const id = parseUserId(userId)
  if (id.startsWith(ID_PREFIXES.user)) throw new GatebookError('ERR_USER_ID_INVALID')
  return id
}
