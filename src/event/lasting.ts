import { findEventType } from './catalogue.ts'
import type { EventData } from './event.ts'

/**
 * Whether an event is kept for as long as what it is about: rows of users, passwords and roles are compared with it. A log-in is,
 * when it has replaced the hash of the password.
 */
export function isLasting(type: string, data: EventData | null): boolean {
  return findEventType(type)?.lasts === true || (type === 'login.succeeded' && data?.rehashed === true)
}
