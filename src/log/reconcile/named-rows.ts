import { sql } from 'kysely'
import type { EventTypeName } from '../../event/catalogue.ts'
import { EVIDENCE_COLUMNS, type EventColumnsRow, isProven, type Proven, proveEvents } from './evidence.ts'
import { memberOf } from './roles.ts'
import { type CheckParts, type Problem, unprovenProblem } from './row-check.ts'

const PAGE = 512

/** The events of a row that is nobody's: of a client, of a signing key. */
export interface NamedEvents {
  readonly events: readonly Proven[]
  readonly problems: readonly Problem[]
}

export const NO_EVENTS: NamedEvents = { events: [], problems: [] }

/**
 * Events of these types whose `data` names one of these rows. There is no index for that: all events of the types are read, by
 * `by_type`, once for each batch of rows. There are few of either.
 */
export async function readNamedEvents(
  { store, isAuthentic }: CheckParts,
  types: readonly EventTypeName[],
  member: 'client' | 'kid' | 'hold' | 'invitation',
  names: ReadonlySet<string>,
): Promise<ReadonlyMap<string, NamedEvents>> {
  const found = new Map<string, { events: Proven[]; problems: Problem[] }>()
  for (const type of types) {
    for (let after: EventColumnsRow | undefined; ; ) {
      const page: readonly EventColumnsRow[] = await store.read((db) => {
        const query = db
          .selectFrom('gatebook_event')
          .select(EVIDENCE_COLUMNS)
          .where('type', '=', type)
          .orderBy('number')
          .limit(sql.lit(PAGE))
        return (after === undefined ? query : query.where('number', '>', after.number)).execute()
      })
      const named = page.filter(({ data }) => names.has(memberOf(data, member) ?? ''))
      for (const event of await proveEvents(store, named, isAuthentic)) {
        const name = memberOf(event.columns.data, member)!
        const known = found.get(name) ?? { events: [], problems: [] }
        found.set(name, known)
        if (isProven(event)) known.events.push(event)
        else known.problems.push(unprovenProblem(event))
      }
      if (page.length < PAGE) break
      after = page.at(-1)
    }
  }
  return found
}

/** Null while the event holds its salt, without which its digests cannot be made again. */
export function closedProblem({ leaf, columns }: Proven): Problem | null {
  if (columns.salt_id !== null) return null
  // Such an event is about nobody: it loses its opening only with the user who has caused it.
  return { code: leaf.actor === 'user' ? 'user-erased' : 'event-closed', detail: `${leaf.type} ${leaf.id}` }
}
