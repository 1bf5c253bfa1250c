import { type ExpressionBuilder, type ExpressionWrapper, type SqlBool, sql } from 'kysely'
import { chunks } from '../store/chunks.ts'
import type { Tables } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'
import type { IdentifierKeys } from '../user/identifier.ts'
import { findAttested } from './attested.ts'
import type { MacCheck } from './entry-walk.ts'
import type { HoldableRow } from './hold.ts'
import { FORGOTTEN_NETWORK } from './retention.ts'
import { actorClassOf } from './retention-policy.ts'

/** Who is to be erased: a user of either kind with the identifiers that are theirs, or an identifier that is nobody's. */
export interface ErasureScope {
  readonly subjectId: string | null
  /** Normalised. */
  readonly identifiers: readonly string[]
}

/** An event that is about the scope, with what has to be known to empty it. */
export interface ConcernedEvent extends HoldableRow {
  readonly number: number
  readonly actor_id: string | null
  readonly identifier: string | null
  readonly opensIdentity: boolean
  readonly opensNetwork: boolean
  /** The network data are those of an admin or operator, who acted on the subject. */
  readonly networkIsOfStaff: boolean
}

/** The ways to events: each is a walk along one index, a batch at a time. */
export interface EventPath {
  readonly column: 'subject_id' | 'identifier_hmac' | 'actor_id'
  readonly value: string
}

export function listPaths(scope: ErasureScope, identifiers: IdentifierKeys): readonly EventPath[] {
  const { subjectId } = scope
  const digests = [...new Set(scope.identifiers.flatMap((identifier) => identifiers.digests(identifier)))]
  return [
    ...(subjectId === null ? [] : [{ column: 'subject_id', value: subjectId } as const]),
    ...digests.map((value) => ({ column: 'identifier_hmac', value }) as const),
    ...(subjectId === null ? [] : [{ column: 'actor_id', value: subjectId } as const]),
  ]
}

/** Of numbers of events: from behind `after` to `upTo`, so many at the most. */
export interface Stretch {
  readonly after: number
  readonly upTo: number
  readonly limit: number
}

/** What is there now: whatever comes while somebody walks is not to hold him up. */
export async function readNewest(db: Pick<Transaction['db'], 'selectFrom'>): Promise<number> {
  const row = await db
    .selectFrom('gatebook_event')
    .select('number')
    .orderBy('number', 'desc')
    .limit(sql.lit(1))
    .executeTakeFirst()
  return row === undefined ? 0 : Number(row.number)
}

/**
 * The next events on a path, by number. On the path of the actor those are left out that are about somebody
 * else, or were done as an admin: what somebody did to others is told for as long as it is about them.
 */
export async function readConcerned(
  db: Pick<Transaction['db'], 'selectFrom'>,
  scope: ErasureScope,
  path: EventPath,
  { after, upTo, limit }: Stretch,
): Promise<{ readonly events: readonly ConcernedEvent[]; readonly last: number | null }> {
  const rows = await db
    .selectFrom('gatebook_event')
    .select([
      'number',
      'at',
      'actor_kind',
      'actor_id',
      'subject_id',
      'identifier',
      'identifier_hmac',
      'ip',
      'user_agent',
    ])
    .select((eb) => [isThere(eb, 'salt_id').as('opens_id'), isThere(eb, 'salt_net').as('opens_net')])
    .where(path.column, '=', path.value)
    .where('number', '>', after)
    .where('number', '<=', upTo)
    .orderBy('number')
    .limit(sql.lit(limit))
    .execute()
  const events = rows
    .filter((row) => {
      if (path.column === 'subject_id' || scope.subjectId === null) return true
      if (row.subject_id !== null) return false
      return path.column === 'identifier_hmac' || row.actor_kind === 'user'
    })
    .map((row) => {
      const isSelf = row.actor_id === null || row.actor_id === row.subject_id || row.actor_id === scope.subjectId
      return {
        number: Number(row.number),
        at: Number(row.at),
        subject_id: row.subject_id,
        actor_id: row.actor_id,
        identifier: row.identifier,
        identifier_hmac: row.identifier_hmac,
        opensIdentity: Number(row.opens_id) === 1,
        opensNetwork: Number(row.opens_net) === 1,
        networkIsOfStaff:
          !isSelf && actorClassOf(row.actor_kind) === 'admins' && (row.ip !== null || row.user_agent !== null),
      }
    })
  const last = rows.at(-1)
  return { events, last: last === undefined ? null : Number(last.number) }
}

function isThere(
  eb: ExpressionBuilder<Tables, 'gatebook_event'>,
  column: 'salt_id' | 'salt_net',
): ExpressionWrapper<Tables, 'gatebook_event', number> {
  const there = eb(column, 'is not', null) as ExpressionWrapper<Tables, 'gatebook_event', SqlBool>
  return eb.case().when(there).then(sql.lit(1)).else(sql.lit(0)).end() as never
}

/** Whom an event is about, and the salt without which nobody can show that the commitment was to them. */
const FORGOTTEN_IDENTITY = {
  subject_id: null,
  subject_number: null,
  identifier: null,
  identifier_mask: null,
  identifier_hmac: null,
  identifier_key: null,
  salt_id: null,
} as const

/**
 * Empties events that this transaction has read in its turn. Returns of how many of the log it took identity and network data: rows
 * that somebody has put there beside it go with them, but would explain as many others that were emptied by hand.
 */
export async function emptyEvents(
  tx: Transaction,
  isGenuine: MacCheck,
  scope: ErasureScope,
  events: readonly ConcernedEvent[],
): Promise<{ readonly events: number; readonly networks: number }> {
  const open = events.filter(({ opensIdentity, opensNetwork }) => opensIdentity || opensNetwork)
  const attested = await findAttested(
    tx,
    isGenuine,
    open.map(({ number }) => number),
  )
  for (const forgetsActor of [true, false]) {
    for (const keepsNetwork of [true, false]) {
      const numbers = events
        .filter((event) => event.networkIsOfStaff === keepsNetwork && isActor(scope, event) === forgetsActor)
        .map(({ number }) => number)
      for (const chunk of chunks(numbers)) {
        await tx.db
          .updateTable('gatebook_event')
          .set({
            ...FORGOTTEN_IDENTITY,
            ...(keepsNetwork ? {} : FORGOTTEN_NETWORK),
            ...(forgetsActor ? { actor_id: null } : {}),
          })
          .where('number', 'in', chunk)
          .execute()
      }
    }
  }
  return {
    events: open.filter(({ number, opensIdentity }) => opensIdentity && attested.has(number)).length,
    networks: open.filter(
      ({ number, opensNetwork, networkIsOfStaff }) => opensNetwork && !networkIsOfStaff && attested.has(number),
    ).length,
  }
}

/** Whether the actor is who is being erased, or whom the event is about. */
function isActor({ subjectId }: ErasureScope, event: ConcernedEvent): boolean {
  return event.actor_id !== null && (event.actor_id === subjectId || event.actor_id === event.subject_id)
}
