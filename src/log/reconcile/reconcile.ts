/**
 * Compares what stands in the tables with what the log says: an event is believed for its leaf, and a row for the digest of it
 * that the leaf of its event holds. Finds what somebody has written into the database past Gatebook; what Gatebook itself was
 * made to write by such a row (a log-in with a hash that was put there, say) is in the log as that.
 *
 * Reads tables by their keys, {@link BATCH} rows at a time, in no transaction; whatever looks odd is looked at again before it
 * is told, since log-ins go on meanwhile. A row that is added behind the place that was reached is left to the next run.
 *
 * The entries themselves are the business of the audit, which MUST have verified them: here a leaf is taken for what it says.
 */

import { checkClients } from './clients.ts'
import { checkCredentials } from './credentials.ts'
import type { Checked, Discrepancy } from './discrepancies.ts'
import { checkHeld, checkHolds } from './holds.ts'
import { checkInvitations } from './invitations.ts'
import { checkKeys } from './keys.ts'
import { checkRoles } from './roles.ts'
import { type CheckParts, checkRows } from './row-check.ts'
import { checkSessions } from './sessions.ts'
import { checkSubjects } from './subjects.ts'
import { checkUsers } from './users.ts'

export interface ReconcileParts extends Pick<CheckParts, 'store'>, Partial<Omit<CheckParts, 'store'>> {
  /** Ends the run between two batches by throwing its reason. */
  readonly signal?: AbortSignal
}

/** Tells after each batch how many rows it had. */
export async function* reconcile(parts: ReconcileParts): AsyncGenerator<Discrepancy | Checked, void> {
  const { store, isAuthentic = () => true, explainAbsence = () => null, signal } = parts
  const given: CheckParts = { store, isAuthentic, explainAbsence }
  yield* checkRows(checkKeys(given), signal)
  yield* checkRows(checkClients(given), signal)
  yield* checkRows(checkHolds(given), signal)
  yield* checkRows(checkHeld(given), signal)
  yield* checkRows(checkInvitations(given), signal)
  yield* checkRows(checkUsers(given), signal)
  yield* checkRows(checkCredentials(given), signal)
  yield* checkRows(checkSubjects(given), signal)
  yield* checkRows(checkRoles(given), signal)
  yield* checkRows(checkSessions(given), signal)
}
