import { formatCanonical } from './canonical.ts'
import { type CommitmentClass, isOpening } from './commitment.ts'
import { committedFields, type EventColumns } from './encode.ts'
import type { Leaf } from './parse-leaf.ts'

/** The columns of an event as a database returns them: a class that was forgotten has no salt, and numbers may be text. */
export type StoredColumns = {
  readonly [Name in keyof EventColumns]: Name extends 'salt_id' | 'salt_net' ? Uint8Array | null : EventColumns[Name]
}

/** What does not fit between an event and its leaf. */
export interface EventFaults {
  /** Columns that are not what the leaf says. */
  readonly columns: readonly string[]
  /** Classes whose fields are not what the leaf commits to. */
  readonly openings: readonly WrongOpening[]
  /** Classes that were forgotten. */
  readonly missing: readonly CommitmentClass[]
}

export interface WrongOpening {
  readonly kind: CommitmentClass
  /** What is left of a class that was forgotten; none where there are a salt and fields, and others than were committed to. */
  readonly left: readonly string[]
}

/** Null when everything fits and nothing was forgotten. Of a class that was forgotten nothing can be told but what is left of it. */
export function compareColumns(leaf: Leaf, row: StoredColumns): EventFaults | null {
  const columns = findColumns(leaf, row)
  const openings: WrongOpening[] = []
  const missing: CommitmentClass[] = []
  const fields = committedFields(row)
  for (const kind of CLASSES) {
    const salt = kind === 'id' ? row.salt_id : row.salt_net
    if (salt === null) {
      missing.push(kind)
      // Who has acted on somebody else is told for as long as it is about them, and is not erased with them.
      const left = Object.keys(fields[kind]).filter((name) => name !== 'actor' && fields[kind][name] !== undefined)
      if (left.length > 0) openings.push({ kind, left })
    } else if (!isOpening(leaf.commit[kind], kind, salt, fields[kind])) openings.push({ kind, left: [] })
  }
  return columns.length + openings.length + missing.length === 0 ? null : { columns, openings, missing }
}

const CLASSES: readonly CommitmentClass[] = ['id', 'net']

/** The first column that differs, or the class whose fields or salt do; null when there is none, as for a class that was forgotten. */
export function findDifference(leaf: Leaf, row: StoredColumns): string | null {
  const faults = compareColumns(leaf, row)
  if (faults === null) return null
  const [opening] = faults.openings
  return faults.columns[0] ?? (opening === undefined ? null : `${opening.kind} class`)
}

function findColumns(leaf: Leaf, row: StoredColumns): string[] {
  const wrong: string[] = []
  if (leaf.id !== row.id) wrong.push('id')
  if (leaf.type !== row.type) wrong.push('type')
  if (leaf.outcome !== row.outcome) wrong.push('outcome')
  if (leaf.reason !== row.reason) wrong.push('reason')
  if (leaf.at !== Number(row.at)) wrong.push('at')
  if (leaf.actor !== row.actor_kind) wrong.push('actor_kind')
  if (leaf.session !== row.session_id) wrong.push('session_id')
  if (leaf.token !== row.token_id) wrong.push('token_id')
  if (leaf.method !== row.method) wrong.push('method')
  if (leaf.request !== row.request_id) wrong.push('request_id')
  if (leaf.trace !== row.trace_id) wrong.push('trace_id')
  if ((leaf.data === null ? null : formatCanonical(leaf.data)) !== row.data) wrong.push('data')
  return wrong
}
