import type { Gatebook, Session } from '../api.ts'
import type { LogEvent } from '../event/event.ts'

/** Who ended the session, and from where; null while it lives. Looking at one thing leaves no `log.read`. */
export async function findEndEvent(
  { log }: Pick<Gatebook, 'log'>,
  { id, endedAt }: Pick<Session, 'id' | 'endedAt'>,
): Promise<LogEvent | null> {
  if (endedAt === null) return null
  const { items } = await log.search({ session: id, type: 'session.ended' }, { limit: 1 })
  return items[0] ?? null
}
