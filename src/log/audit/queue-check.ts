import { sql } from 'kysely'
import { computeLeafHash } from '../../proof/hash.ts'
import type { Store } from '../../store/store.ts'
import type { MacCheck } from '../entry-walk.ts'
import type { AuditState } from './audit-state.ts'
import { readLeaf } from './entry-check.ts'
import { readEvents } from './event-check.ts'
import type { EventWalk, ExpectedEvent } from './event-walk.ts'
import type { Report } from './report.ts'

const PAGE = 512

export interface QueueCheckParts {
  readonly store: Store
  readonly state: AuditState
  readonly report: Report
  readonly isGenuine: MacCheck
  readonly events: EventWalk
}

/** What waits for its place, and what was kept out of the log. Pauses after each page. */
export async function* checkQueue(parts: QueueCheckParts): AsyncGenerator<void, void, void> {
  const { store, state, report, isGenuine, events } = parts
  const newest = await store.read((db) =>
    db.selectFrom('gatebook_queue').select('number').orderBy('number', 'desc').limit(sql.lit(1)).executeTakeFirst(),
  )
  // What comes later is of events that are younger than the audit.
  const until = newest === undefined ? -1 : Number(newest.number)
  for (;;) {
    const after = state.after === '' ? Number.MIN_SAFE_INTEGER : Number(state.after)
    const rows = await store.read((db) =>
      db
        .selectFrom('gatebook_queue')
        .select(['number', 'event_id', 'leaf', 'mac', 'rejected_at'])
        .where('number', '>', after)
        .where('number', '<=', until)
        .orderBy('number')
        .limit(sql.lit(PAGE))
        .execute(),
    )
    const expected: ExpectedEvent[] = []
    for (const { event_id: eventId, leaf: bytes, mac, rejected_at: rejectedAt } of rows) {
      if (rejectedAt !== null) {
        report.add('queue-rejected', `since ${new Date(Number(rejectedAt)).toISOString()}`, { eventId })
        continue
      }
      const isBytes = bytes instanceof Uint8Array
      if (!isBytes || !isGenuine(eventId, computeLeafHash(bytes), mac)) {
        report.add('queue-forged', '', { eventId })
        continue
      }
      const leaf = readLeaf(bytes)
      if (typeof leaf === 'string') report.add('queue-malformed', leaf, { eventId })
      else if (leaf.id !== eventId) report.add('queue-malformed', `the leaf is of ${leaf.id}`, { eventId })
      else expected.push({ index: Number.MAX_SAFE_INTEGER, leaf })
    }
    const ids = expected.map(({ leaf }) => leaf.id)
    await events.compare(expected, await readEvents(store, ids))
    if (rows.length < PAGE) return
    state.after = String(rows.at(-1)!.number)
    yield
  }
}
