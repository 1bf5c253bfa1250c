import type { Selectable } from 'kysely'
import type { HoldTable } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'
import type { IdentifierKeys } from '../user/identifier.ts'

/** More than this would be looked at for each row that is about to go. */
export const HOLDS_MAX = 200

export type HoldRow = Selectable<HoldTable>

/** What of an event, or of a session, a hold can be about. */
export interface HoldableRow {
  readonly at: number
  /** Of what lasts for a while: when it began. */
  readonly since?: number
  readonly subject_id: string | null
  readonly actor_id?: string | null
  /** A session has none. */
  readonly identifier_hmac?: string | null
}

/** Every hold is in force: one that has been released is not there any more. */
export async function readHolds(db: Pick<Transaction['db'], 'selectFrom'>): Promise<readonly HoldRow[]> {
  const rows = await db.selectFrom('gatebook_hold').selectAll().orderBy('id').execute()
  return rows.map((row) => ({
    ...row,
    from_at: row.from_at === null ? null : Number(row.from_at),
    to_at: row.to_at === null ? null : Number(row.to_at),
    created_at: Number(row.created_at),
  }))
}

/** Returns the id of a hold that covers a row, or null. */
export function createHoldCheck(
  holds: readonly HoldRow[],
  identifiers: IdentifierKeys,
): (row: HoldableRow) => string | null {
  const prepared = holds.map((hold) => ({
    ...hold,
    digests: new Set(hold.identifier === null ? [] : identifiers.digests(hold.identifier)),
  }))
  return (row) => prepared.find((hold) => isDuring(hold, row) && isAbout(hold, row))?.id ?? null
}

/**
 * The id of a hold that stands against erasing all of this, whatever there is of it: one on everything, and each that names the
 * user or one of the identifiers, whatever else it says. For much of what an erasure takes has neither a time nor an
 * identifier, such as the user. One on a time alone is seen by each event and session.
 */
export function findStandingHold(
  holds: readonly HoldRow[],
  { subjectId, identifiers }: { readonly subjectId: string | null; readonly identifiers: readonly string[] },
): string | null {
  const standing = holds.find((hold) => {
    if (hold.subject_id === null && hold.identifier === null) return hold.from_at === null && hold.to_at === null
    return (
      (hold.subject_id !== null && hold.subject_id === subjectId) ||
      (hold.identifier !== null && identifiers.includes(hold.identifier))
    )
  })
  return standing?.id ?? null
}

function isDuring({ from_at: from, to_at: to }: HoldRow, { at, since = at }: HoldableRow): boolean {
  return (from === null || at >= from) && (to === null || since < to)
}

/** What somebody did to others is evidence as well. */
function isAbout(hold: HoldRow & { readonly digests: ReadonlySet<string> }, row: HoldableRow): boolean {
  const { subject_id: subject, identifier } = hold
  if (subject !== null && row.subject_id !== subject && row.actor_id !== subject) return false
  return identifier === null || (typeof row.identifier_hmac === 'string' && hold.digests.has(row.identifier_hmac))
}
