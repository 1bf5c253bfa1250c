import { sql } from 'kysely'
import type { Check } from '../check.ts'
import type { Finding } from '../findings.ts'
import { hasTables } from './tables.ts'

const LATE_MILLISECONDS = 60_000

/** Events that wait for their place, and those that were kept out. Bounded: of the oldest ones only. */
export const sequencer: Check = {
  name: 'sequencer',
  needsDatabase: true,
  async run({ database, now }) {
    const { kysely, traits } = database!
    if (!(await hasTables(database!))) return []
    const findings: Finding[] = []
    if (traits.queued) {
      const waiting = await kysely
        .selectFrom('gatebook_queue')
        .innerJoin('gatebook_event', 'gatebook_event.id', 'gatebook_queue.event_id')
        .select(['gatebook_event.at'])
        .where('gatebook_queue.rejected_at', 'is', null)
        .orderBy('gatebook_queue.number')
        .limit(sql.lit(1))
        .executeTakeFirst()
      const age = waiting === undefined ? 0 : now() - Number(waiting.at)
      if (age > LATE_MILLISECONDS) {
        findings.push({ code: 'sequencer-idle', figures: { seconds: Math.round(age / 1000) } })
      }
      const rejected = await kysely
        .selectFrom('gatebook_queue')
        .select('event_id')
        .where('rejected_at', 'is not', null)
        .limit(sql.lit(100))
        .execute()
      if (rejected.length > 0) findings.push({ code: 'events-rejected', figures: { events: rejected.length } })
    }
    const { size } = await kysely.selectFrom('gatebook_log_state').select('size').executeTakeFirstOrThrow()
    return findings.length > 0 ? findings : [{ code: 'sequencer-ok', figures: { entries: Number(size) } }]
  },
}
