/**
 * Legal holds: what must neither expire nor be erased.
 *
 * Events: `log.held`, `log.released`.
 */
import type { Hold, HoldInput, RequestContext } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { restartRules, takeTurn } from '../log/forgetting-turn.ts'
import { HOLDS_MAX, type HoldRow, readHolds } from '../log/hold.ts'
import { sealedValues } from '../log/hold-reader.ts'
import { normalizeIdentifier } from '../user/identifier.ts'
import { parseUserId } from '../user/user-id.ts'
import { generateId } from '../util/id.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

const REASON = /^(?=.*\S)[^\p{C}\u2028\u2029]{1,500}$/u
/** No room for a name or an address: it stands in the leaf, where nothing can be erased. */
const REFERENCE = /^[A-Za-z0-9.:/#_-]{1,64}$/

/** Throws ERR_REFERENCE_INVALID. */
export function checkReference(reference: string | undefined): string | null {
  if (reference === undefined) return null
  if (!REFERENCE.test(reference)) throw new GatebookError('ERR_REFERENCE_INVALID')
  return reference
}

export async function addHold(parts: FlowParts, input: HoldInput, context: RequestContext = {}): Promise<Hold> {
  const { store, log, settings, identifiers } = parts
  const { from = null, to = null } = input
  const reference = checkReference(input.reference)
  const subjectId = input.userId === undefined ? null : parseUserId(input.userId)
  const typed = input.identifier
  const identifier = typed === undefined ? null : normalizeIdentifier(typed)
  const reason = input.reason.trim()
  if (!REASON.test(reason) || !isInstant(from) || !isInstant(to) || (from !== null && to !== null && from >= to)) {
    throw new GatebookError('ERR_HOLD_INVALID')
  }
  const createdAt = settings.clock.now()
  const source = eventSource(context, { kind: 'application' })
  const row = {
    id: generateId('hold', createdAt),
    subject_id: subjectId,
    identifier,
    from_at: from,
    to_at: to,
    reason,
    reference,
    created_by: source.actor.id ?? source.actor.kind,
    created_at: createdAt,
  }
  const sealed: HoldRow = { ...row, mac: parts.seal.make('hold', sealedValues(row)) }
  await store.transaction(async (tx) => {
    // Whatever is going at this moment has gone before the hold is acknowledged, and what comes after it sees it.
    await takeTurn(tx)
    if ((await readHolds(tx.db)).length >= HOLDS_MAX) throw new GatebookError('ERR_HOLD_INVALID')
    await tx.db.insertInto('gatebook_hold').values(sealed).execute()
    const data = {
      hold: row.id,
      ...(from !== null && { from }),
      ...(to !== null && { to }),
      ...(reference !== null && { reference }),
    }
    await log.append(tx, [
      {
        ...source,
        type: 'log.held',
        outcome: 'success',
        ...(subjectId !== null && { subject: subjectId }),
        ...(typed !== undefined && { identifier: identifiers.describe(typed, identifier!, false) }),
        data,
      },
    ])
  })
  return toHold(sealed)
}

export async function listHolds({ store }: FlowParts): Promise<readonly Hold[]> {
  return (await store.read(readHolds)).map(toHold)
}

export async function releaseHold(parts: FlowParts, holdId: string, context: RequestContext = {}): Promise<void> {
  const { store, log } = parts
  await store.transaction(async (tx) => {
    await takeTurn(tx)
    const row = (await readHolds(tx.db)).find(({ id }) => id === holdId)
    // One that was deleted past Gatebook is in force by the log, and is ended in it.
    if (row === undefined && !(await parts.holds.findLost(tx.db)).includes(holdId)) {
      throw new GatebookError('ERR_HOLD_NOT_FOUND')
    }
    await tx.db.deleteFrom('gatebook_hold').where('id', '=', holdId).execute()
    await restartRules(tx)
    const { subject_id: subject = null, identifier = null, reference = null } = row ?? {}
    const data = { hold: holdId, ...(reference !== null && { reference }) }
    const source = eventSource(context, { kind: 'application' })
    await log.append(tx, [
      {
        ...source,
        type: 'log.released',
        outcome: 'success',
        ...(subject !== null && { subject }),
        ...(identifier !== null && { identifier: parts.identifiers.describe(identifier, identifier, false) }),
        data,
      },
    ])
  })
}

function isInstant(value: number | null): boolean {
  return value === null || (Number.isSafeInteger(value) && value >= 0)
}

function toHold(row: HoldRow): Hold {
  return {
    id: row.id,
    userId: row.subject_id,
    identifier: row.identifier,
    from: row.from_at,
    to: row.to_at,
    reason: row.reason,
    reference: row.reference,
    createdBy: row.created_by,
    createdAt: row.created_at,
  }
}
